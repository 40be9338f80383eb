"""Why a record could not be used: the closed list of reason codes of dead letters."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class ReasonCode(StrEnum):
    """Reason code of a dead letter and a metric label; `meaning` says when it is given.

    A record gets the first reason that applies, in the order of this list; of several bad fields the one that
    the parser met first is named (missing ones are found last), and an order's amounts are looked at last.
    """

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Self:
        """Make a code that carries its meaning."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    TOO_LARGE = "too_large", "The value has more than 1 MiB."
    NULL_VALUE = "null_value", "The value is null on an event topic, or the JSON text `null` on any topic."
    NOT_JSON = (
        "not_json",
        "The value is not one JSON text in UTF-8: truncated, trailing characters, NaN, Infinity.",
    )
    TOO_DEEP = "too_deep", "The JSON text is nested deeper than the parser goes (about 1,000 levels)."
    MISSING_FIELD = "missing_field", "A required field is absent or null."
    WRONG_TYPE = "wrong_type", "A field has another JSON type than its schema says; booleans are not numbers."
    OUT_OF_RANGE = (
        "out_of_range",
        "A number, the length of a text or list, or a choice is outside its bounds.",
    )
    BAD_KEY = "bad_key", "The record has no key, or one that is empty, longer than 256 bytes or not UTF-8."
    KEY_MISMATCH = "key_mismatch", "customer_id is not the record's key."
    WRONG_PARTITION = (
        "wrong_partition",
        "By LIVE_SEGMENTS_PARTITIONER the key does not belong to the partition that the record is in.",
    )
    BAD_TIME = "bad_time", "occurred_at is neither RFC 3339 with an offset nor integer epoch milliseconds."
    TOO_OLD = "too_old", "occurred_at lies before 1990: often epoch seconds where milliseconds are asked for."
    IN_FUTURE = (
        "in_future",
        "occurred_at is over 5 min later than both the record's timestamp and the wall clock.",
    )
    UNKNOWN_CURRENCY = (
        "unknown_currency",
        "currency is not LIVE_SEGMENTS_CURRENCY, and LIVE_SEGMENTS_CURRENCY_RATES has no rate for it.",
    )

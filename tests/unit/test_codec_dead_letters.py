"""What is kept of an unusable record."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from streams.codec.dead_letters import DeadLetter, encode_dead_letter
from streams.codec.reason_codes import ReasonCode
from streams.records import VIEWS, RawList, Record


def letter(key: bytes | None, value: bytes | None) -> tuple[Record, dict[str, Any]]:
    """Return the dead letter of a record, and its body."""
    raw = RawList()
    raw.append(0, VIEWS, 1, 2, b"other", b"other")
    raw.append(5, VIEWS, 42, 1234, key, value)
    record = encode_dead_letter(raw.batch(), DeadLetter(1, ReasonCode.WRONG_TYPE, "price", "x" * 1000))
    assert record.value is not None
    return record, json.loads(record.value)


def test_letter_tells_the_whole_story() -> None:
    """A letter holds place, reason, field, detail, key and raw bytes; it lies where the record lay."""
    record, body = letter(b"\xff\x00", b"\xfe{")

    assert (record.topic, record.partition, record.key) == ("dead-letters", 5, b"\xff\x00")
    assert body == {
        "topic": "product-views",
        "partition": 5,
        "offset": 42,
        "timestamp": 1234,
        "reason": "wrong_type",
        "field": "price",
        "detail": "x" * 300,
        "key": base64.b64encode(b"\xff\x00").decode(),
        "raw": base64.b64encode(b"\xfe{").decode(),
        "raw_bytes": 2,
        "raw_sha256": hashlib.sha256(b"\xfe{").hexdigest(),
        "schema_version": 1,
    }


def test_large_record_makes_a_small_letter() -> None:
    """Of a large value the first 64 KiB are kept with its length and hash; a huge key is cut and not used."""
    value = bytes(range(256)) * 40_000
    record, body = letter(b"k" * 100_000, value)

    assert base64.b64decode(body["raw"]) == value[: 64 * 1024]
    assert (body["raw_bytes"], body["raw_sha256"]) == (len(value), hashlib.sha256(value).hexdigest())
    assert base64.b64decode(body["key"]) == b"k" * 1024
    assert record.key is None
    assert len(record.value or b"") < 100_000


def test_null_value_and_key() -> None:
    """A null value and a null key stay null."""
    record, body = letter(None, None)

    assert record.key is None
    assert (body["key"], body["raw"], body["raw_bytes"]) == (None, None, 0)


@pytest.mark.parametrize("code", ReasonCode)
def test_reason_codes_are_documented(code: ReasonCode) -> None:
    """Each reason code is a metric label and has a sentence that says what it means."""
    assert str(code) == code.value == code.name.lower()
    assert code.meaning.endswith(".")

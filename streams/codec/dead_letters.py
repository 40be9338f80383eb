"""Dead letters: what is kept of a record that could not be used."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

import orjson

from streams.codec.reason_codes import ReasonCode
from streams.records import INPUT_TOPICS, RawBatch, Record

DEAD_LETTERS = "dead-letters"
MAX_RAW_BYTES = 64 * 1024
"""The whole of a large value would not fit a record, and its transaction would fail for ever."""
MAX_KEY_BYTES = 1024
"""A longer key is cut in the letter, and the letter goes without a key of its own."""
MAX_DETAIL = 300
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record of a raw batch that could not be used."""

    index: int
    """Index in the raw batch."""
    reason: ReasonCode
    field: str | None
    """Path of the field in the value, like `items[3].quantity`; None when it is not about a field."""
    detail: str
    """One line for an engineer; holds no id of a customer."""


def encode_dead_letter(raw: RawBatch, letter: DeadLetter) -> Record:
    """Return the record for `dead-letters`: same partition number and key as the record it is about.

    The value is a JSON object: topic, partition, offset, timestamp, reason, field, detail, key (base64 of at
    most 1 KiB, or null), raw (base64 of at most the first 64 KiB, or null for a null value), raw_bytes and
    raw_sha256 (of the whole value), schema_version.
    """
    i = letter.index
    key, value, partition = raw.key[i], raw.value[i], int(raw.partition[i])
    body = {
        "topic": INPUT_TOPICS[raw.topic[i]],
        "partition": partition,
        "offset": int(raw.offset[i]),
        "timestamp": int(raw.timestamp[i]),
        "reason": letter.reason.value,
        "field": letter.field,
        "detail": letter.detail[:MAX_DETAIL],
        "key": None if key is None else base64.b64encode(key[:MAX_KEY_BYTES]).decode("ascii"),
        "raw": None if value is None else base64.b64encode(value[:MAX_RAW_BYTES]).decode("ascii"),
        "raw_bytes": len(value or b""),
        "raw_sha256": hashlib.sha256(value or b"").hexdigest(),
        "schema_version": SCHEMA_VERSION,
    }
    short = key is not None and len(key) <= MAX_KEY_BYTES
    return Record(DEAD_LETTERS, partition, key if short else None, orjson.dumps(body))

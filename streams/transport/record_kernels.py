"""Records of Kafka's record batches read and put in order, compiled: no object for any of them.

Source: https://kafka.apache.org/documentation/#record (message format 2).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.compiled import compiled, kernel
from models.events import I64, U8, Bool
from streams.transport.fetched import Records

BATCH = np.dtype(
    [
        ("end", "<i8"),
        ("count", "<i8"),
        ("offset", "<i8"),
        ("timestamp", "<i8"),
        ("appended", "<i8"),
    ]
)
"""What a batch's header says: end: of its records in the buffer, where the next batch begins; count: of its
records; offset, timestamp: what those of the records are relative to; appended: the timestamp is that of all.
"""
CORRUPT = -1
LEAST_BYTES = 7
"""Of a record."""
_ONE, _LOW, _MORE = np.uint64(1), np.uint64(0x7F), np.uint64(0x80)


@kernel
def read_batches(buffer: Records, batches: Records, start: int, out: Records) -> int:
    """Read the records from an offset on.

    Args:
        buffer: the batches' records, one batch behind the other; (1,) dtype LETTERS.
        batches: dtype BATCH.
        start: the offset.
        out: dtype RECORD, with room for all records of the batches.

    Returns:
        How many there are; CORRUPT when the batches are not whole. Nothing outside of them is looked at.
    """
    b = buffer[0]
    at = used = 0
    for i in range(len(batches)):
        batch = batches[i]
        for _ in range(batch.count):
            length, at = _varint(b, at, batch.end)
            if at < 0 or length < 0 or length > batch.end - at:
                return CORRUPT
            end, record = at + length, out[used]
            delta, at = _varint(b, at + 1, end)  # behind the attributes, which have no meaning
            record.timestamp = batch.timestamp if batch.appended else batch.timestamp + delta
            delta, at = _varint(b, at, end)
            record.offset = batch.offset + delta
            record.key, record.key_size, at = _text(b, at, end)
            record.value, record.value_size, at = _text(b, at, end)
            at = _headers(b, at, end)
            if at != end:
                return CORRUPT
            if batch.offset >= start or record.offset >= start:
                used += 1
        if at != batch.end:
            return CORRUPT
    return used


@compiled
def _varint(b: Any, at: int, end: int) -> tuple[Any, int]:
    """Return a number and the position after it; CORRUPT when it does not end before a position."""
    word, shift = np.uint64(0), np.uint64(0)
    while 0 <= at < end and shift < np.uint64(64):
        byte = np.uint64(b.letters[np.uint64(at)])
        at += 1
        word |= (byte & _LOW) << shift
        if not byte & _MORE:
            return np.int64(word >> _ONE) ^ -np.int64(word & _ONE), at
        shift += np.uint64(7)
    return np.int64(0), CORRUPT


@compiled
def _text(b: Any, at: int, end: int) -> tuple[int, Any, int]:
    """Return where a text begins, its size, -1 for null, and the position after it."""
    size, at = _varint(b, at, end)
    if at < 0 or size > end - at:
        return 0, -1, CORRUPT
    if size < 0:
        return at, -1, at
    return at, size, at + size


@compiled
def _headers(b: Any, at: int, end: int) -> int:
    """Return the position after the headers."""
    count, at = _varint(b, at, end)
    if count < 0:
        return CORRUPT
    for _ in range(count):
        _, size, at = _text(b, at, end)
        if size < 0:  # a name is never null
            return CORRUPT
        _, _, at = _text(b, at, end)
        if at < 0:
            return CORRUPT
    return at


@kernel
def lay_out(records: Records, order: I64) -> tuple[I64, I64, I64, I64, I64, Bool, Bool]:
    """Return where n of some records, in an order, have their keys and values when these are packed.

    Args:
        records: (m,) dtype RECORD.
        order: (n,) which of them.

    Returns:
        (m, 2) where each record's key and value begin, -1 for those that are left; and for the n: offsets,
        timestamps, ends of the keys, ends of the values, which keys and which values are null.
    """
    n = len(order)
    places = np.full((len(records), 2), -1, np.int64)
    offsets, timestamps = np.empty(n, np.int64), np.empty(n, np.int64)
    key_ends, value_ends = np.empty(n, np.int64), np.empty(n, np.int64)
    null_keys, null_values = np.empty(n, np.bool_), np.empty(n, np.bool_)
    key_end = value_end = 0
    for k in range(n):
        i = order[k]
        record = records[i]
        offsets[k], timestamps[k] = record.offset, record.timestamp
        null_keys[k], null_values[k] = record.key_size < 0, record.value_size < 0
        places[i, 0], places[i, 1] = key_end, value_end
        key_end += max(record.key_size, 0)
        value_end += max(record.value_size, 0)
        key_ends[k], value_ends[k] = key_end, value_end
    return places, offsets, timestamps, key_ends, value_ends, null_keys, null_values


@kernel
def pack(letters: U8, records: Records, places: I64, keys: U8, values: U8) -> None:
    """Put the keys and values of records where `lay_out` says."""
    for i in range(len(records)):
        if places[i, 0] >= 0:
            record = records[i]
            _copy(letters, record.key, record.key_size, keys, places[i, 0])
            _copy(letters, record.value, record.value_size, values, places[i, 1])


@compiled
def _copy(letters: U8, start: int, size: int, out: U8, at: int) -> None:
    """Copy bytes; indexes without sign need not be looked at for being negative: ten times as fast."""
    source, place = np.uint64(start), np.uint64(at)
    for k in range(np.uint64(max(size, 0))):
        out[place + k] = letters[source + k]

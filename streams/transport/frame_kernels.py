"""Records as Kafka's record batches frame them, compiled.

Source: https://kafka.apache.org/documentation/#record (message format 2).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.compiled import compiled, kernel
from models.events import I64, U8

AT, COUNT, NEEDED, RECORD, TEXT, BYTE = range(6)
"""Places of a state: bytes and records in the frames, and bytes of the record for which there was no room; of
what is next: the record, its first text, and where that begins."""


@kernel
def frame_records(frames: U8, texts: U8, sizes: I64, headers: I64, state: I64) -> bool:
    """Write records behind those that are in the frames; returns whether all have found room.

    Args:
        frames: bytes of records, as many as `state` says.
        texts: each record's key, value, and name and text of its headers, one behind the other.
        sizes: (m,) bytes of each text, -1 for a null.
        headers: (n,) of each record.
        state: (6,) from where the records are written; is moved on.
    """
    at: Any = state[AT]
    while state[RECORD] < len(headers):
        first, count = state[TEXT], headers[state[RECORD]]
        size = 2 + _width(state[COUNT]) + _width(count)
        for text in range(first, first + 2 + 2 * count):
            size += _width(sizes[text]) + max(sizes[text], 0)
        if at + _width(size) + size > len(frames):
            state[NEEDED] = _width(size) + size
            return False
        at = _begin(frames, at, size, state[COUNT])
        for text in range(first, first + 2 + 2 * count):
            if text == first + 2:
                at = _varint(frames, at, count)
            at = _varint(frames, at, sizes[text])
            at = _copy(frames, at, texts, state[BYTE], sizes[text])
            state[BYTE] += max(sizes[text], 0)
        if not count:
            at = _varint(frames, at, count)
        state[AT] = at
        state[COUNT] += 1
        state[RECORD] += 1
        state[TEXT] += 2 + 2 * count
    return True


@kernel
def frame_rows(frames: U8, keys: U8, sizes: I64, values: U8, prefixes: U8, state: I64) -> bool:
    """Write records without headers, of which all keys and all values begin alike, as `frame_records` does.

    Args:
        frames: bytes of records, as many as `state` says.
        keys: what comes behind the first byte of each key, one behind the other.
        sizes: (n,) bytes of each of them.
        values: (n, width) what comes behind the first byte of each value.
        prefixes: (2,) first byte of keys, of values.
        state: (6,) from where the records are written; is moved on.
    """
    at: Any = state[AT]
    width = 1 + values.shape[1]
    while state[RECORD] < len(sizes):
        record = state[RECORD]
        key = 1 + sizes[record]
        size = 3 + _width(state[COUNT]) + _width(key) + key + _width(width) + width
        if at + _width(size) + size > len(frames):
            state[NEEDED] = _width(size) + size
            return False
        at = _varint(frames, _begin(frames, at, size, state[COUNT]), key)
        frames[at] = prefixes[0]
        at = _varint(frames, _copy(frames, at + 1, keys, state[BYTE], key - 1), width)
        frames[at] = prefixes[1]
        at = _copy(frames, at + 1, values[record], 0, width - 1)
        frames[at] = 0  # headers
        at += 1
        state[AT] = at
        state[COUNT] += 1
        state[RECORD] += 1
        state[BYTE] += key - 1
    return True


@compiled
def _begin(frames: U8, at: Any, size: Any, count: Any) -> Any:
    """Write a record's size, no attributes, no milliseconds after the first record, and its number."""
    at = _varint(frames, at, size)
    frames[at] = frames[at + 1] = 0
    return _varint(frames, at + 2, count)


@compiled
def _width(number: Any) -> Any:
    """Return the bytes of a number as `_varint` writes it."""
    left, width = number << 1 ^ number >> 63, 1
    while left >= 128:
        left >>= 7
        width += 1
    return width


@compiled
def _varint(frames: U8, at: Any, number: Any) -> Any:
    """Write a number in zigzag, 7 bits a byte, and return where it ends."""
    left = number << 1 ^ number >> 63
    while left >= 128:
        frames[at] = left & 127 | 128
        left >>= 7
        at += 1
    frames[at] = left
    return at + 1


@compiled
def _copy(frames: U8, at: Any, source: U8, begin: Any, size: Any) -> Any:
    """Copy bytes, none for a negative size, and return where they end."""
    if size <= 0:
        return at
    into, first = np.uint64(at), np.uint64(begin)  # unsigned: else each index is asked whether it is below 0
    for i in range(np.uint64(size)):
        frames[into + i] = source[first + i]
    return at + size

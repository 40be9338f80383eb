"""Records as Kafka's record batches frame them, compiled.

Source: https://kafka.apache.org/documentation/#record (message format 2).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.compiled import compiled, kernel
from models.events import I64, U8

AT, COUNT, NEEDED, RECORD, BYTE = range(5)
"""Places of a state: bytes and records in the frames, and bytes of the record for which there was no room; of
what is next: the record, and where a row's key begins."""


@kernel
def frame_bundle(frames: U8, texts: U8, starts: I64, sizes: I64, fixed: U8, ends: I64, state: I64) -> bool:
    """Write records behind those that are in the frames; returns whether all have found room.

    Args:
        frames: bytes of records, as many as `state` says.
        texts: k columns one behind the other: keys, values and the texts of headers that differ.
        starts: (k,) where the next record's text begins in each column; is moved on.
        sizes: (k, n) bytes of each text, -1 for a null.
        fixed: what all records have between the value and those texts, between them and behind the last.
        ends: (k - 1,) where each piece of it ends.
        state: (5,) from where the records are written; is moved on.
    """
    at: Any = state[AT]
    columns, records = sizes.shape
    while state[RECORD] < records:
        record = state[RECORD]
        size = 2 + _width(state[COUNT]) + len(fixed)
        for column in range(columns):
            size += _width(sizes[column, record]) + max(sizes[column, record], 0)
        if at + _width(size) + size > len(frames):
            state[NEEDED] = _width(size) + size
            return False
        at = _begin(frames, at, size, state[COUNT])
        begin: Any = 0
        for column in range(columns):
            at = _varint(frames, at, sizes[column, record])
            at = _copy(frames, at, texts, starts[column], sizes[column, record])
            starts[column] += max(sizes[column, record], 0)
            if column > 0:
                at = _copy(frames, at, fixed, begin, ends[column - 1] - begin)
                begin = ends[column - 1]
        state[AT] = at
        state[COUNT] += 1
        state[RECORD] += 1
    return True


@kernel
def frame_rows(frames: U8, keys: U8, sizes: I64, values: U8, prefixes: U8, state: I64) -> bool:
    """Write records without headers, of which all keys and all values begin alike, as `frame_bundle` does.

    Args:
        frames: bytes of records, as many as `state` says.
        keys: what comes behind the first byte of each key, one behind the other.
        sizes: (n,) bytes of each of them.
        values: (n, width) what comes behind the first byte of each value.
        prefixes: (2,) first byte of keys, of values.
        state: (5,) from where the records are written; is moved on.
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

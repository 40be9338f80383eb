"""Rows of customers seen lately: what stands before the partitions' dictionaries.

These are too large for a processor's caches, and their answer takes four loads from memory, one after the
other; here it is one.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from models.compiled import compiled, kernel
from models.events import I64
from models.packed import Packed, as_letters
from streams.codec.scan_types import Record

NOT_HERE = -2
"""In the place of the row of a customer who is not here."""
PLACES = 1 << 17
"""8 MB; each customer has one place, and the last one who came has it."""
WIDTH = 40
"""Longer keys are not kept."""
PLACE = np.dtype([("key", "u1", (WIDTH,)), ("row", "<i8"), ("owner", "<i8"), ("length", "<i8")])
Places: TypeAlias = Any

_WORD = 8
_ONE, _HALF, _PRIME = np.uint64(1), np.uint64(32), np.uint64(0x9E3779B97F4A7C15)


class RowCache:
    """Remembers rows by owner and key, as long as there is room."""

    def __init__(self) -> None:
        self._places = np.zeros(PLACES, PLACE)
        nobody, nothing = Packed.of([]), np.zeros(0, np.int64)
        self.keep(nobody, nothing, nothing)  # has the kernels compiled or loaded
        self.find(nobody, nothing)

    def find(self, keys: Packed, owners: I64) -> I64:
        """Return the row of each key as it was kept for this owner, NOT_HERE of others; owner 0 has none."""
        return find_rows(as_letters(keys.letters), keys.ends, owners, self._places)

    def keep(self, keys: Packed, owners: I64, rows: I64) -> None:
        """Remember the row of each key; those of owner 0, and those below 0, are not kept."""
        keep_rows(as_letters(keys.letters), keys.ends, owners, rows, self._places)


@kernel
def find_rows(buffer: Any, ends: I64, owners: I64, places: Places) -> I64:
    """Return (n,) the rows, NOT_HERE where there is none."""
    b = buffer[0]
    rows = np.full(len(ends), NOT_HERE, np.int64)
    start = 0
    for i in range(len(ends)):
        length = ends[i] - start
        if length <= WIDTH and owners[i] != 0:
            place = places[_place(b, start, length, owners[i], len(places))]
            if place.owner == owners[i] and place.length == length and _is_key(b, start, length, place):
                rows[i] = place.row
        start = ends[i]
    return rows


@kernel
def keep_rows(buffer: Any, ends: I64, owners: I64, rows: I64, places: Places) -> None:
    """Put rows into the places of their keys."""
    b = buffer[0]
    start = 0
    for i in range(len(ends)):
        length = ends[i] - start
        if length <= WIDTH and owners[i] != 0 and rows[i] >= 0:
            place = places[_place(b, start, length, owners[i], len(places))]
            place.owner, place.length, place.row = owners[i], length, rows[i]
            for k in range(WIDTH):
                place.key[k] = b.letters[np.uint64(start + k)] if k < length else 0
        start = ends[i]


@compiled
def _place(b: Record, start: int, length: int, owner: int, places: int) -> Any:
    """Return the place of a key; places is a power of two."""
    digest = np.uint64(owner)
    for k in range(0, length, _WORD):
        digest = (digest ^ _word(b, start + k, length - k)) * _PRIME
        digest ^= digest >> _HALF
    return np.int64(digest * _PRIME >> _HALF & np.uint64(places - 1))


@compiled
def _is_key(b: Record, start: int, length: int, place: Record) -> bool:
    """Return whether a key of a length is that of a place."""
    for k in range(length):  # noqa: SIM110 - compiled: `all` of a generator is not
        if b.letters[np.uint64(start + k)] != place.key[np.uint64(k)]:
            return False
    return True


@compiled
def _word(of: Record, at: int, left: int) -> Any:
    """Return eight bytes, the first one lowest, or what is left of a key, and zeros."""
    word = np.uint64(0)
    for k in range(_WORD):  # one load, once compiled
        word |= np.uint64(of.letters[np.uint64(at + k)]) << np.uint64(8 * k)
    return word if left >= _WORD else word & ((_ONE << np.uint64(8 * left)) - _ONE)

"""Names that recur, like channels and categories: each text is made once and then known by its number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from models.compiled import compiled, kernel
from models.events import I32, U8
from models.packed import as_letters
from streams.codec.scan_types import Record

FULL = -1
"""In the place of the number of a name that there was no room for."""
MOST = 1 << 14
"""Names held at most."""
_WORD = 8
_ONE, _HALF, _PRIME = np.uint64(1), np.uint64(32), np.uint64(0x9E3779B97F4A7C15)
TABLE = np.dtype(
    [
        ("slots", "<i4", (1 << 15,)),
        ("hashes", "<u8", (MOST + 1,)),
        ("ends", "<i8", (MOST + 1,)),
        ("letters", "u1", (1 << 20,)),
        ("count", "<i8"),
    ]
)
"""A hash table with linear probing.

slots: number of a name, from 1, 0 for none; by number: hashes, and ends in the letters, where the next one
begins; letters: of all names; count: of the names.
"""
Table: TypeAlias = Any


class Vocabulary:
    """The names met so far, in ASCII; `make_room` before each chunk.

    Args:
        mark: gives each name a mark.
    """

    def __init__(self, mark: Callable[[str | None], int]) -> None:
        self._mark = mark
        self._clear()

    def _clear(self) -> None:
        self._table = np.zeros(1, TABLE)
        self.texts: list[str | None] = [None]
        """By number; 0 is no name, or an empty one."""
        self.marks = np.zeros(MOST + 1, np.uint8)
        """(MOST + 1,) by number."""
        self.marks[0] = self._mark(None)

    def make_room(self) -> None:
        """Start afresh if there may soon be no room left; numbers from before have no meaning then."""
        table = self._table[0]
        if 2 * table["count"] > MOST or 2 * table["ends"][table["count"]] > len(table["letters"]):
            self._clear()

    def numbers(self, buffer: U8, spans: I32) -> I32:
        """Return the number of each name, FULL for those that there is no room for.

        Args:
            buffer: bytes, of which the names are ASCII, and MARGIN more.
            spans: (n, k, 2) where a name begins, and its length.
        """
        found = number_names(as_letters(buffer), spans, self._table)
        table = self._table[0]
        if table["count"] >= len(self.texts):
            ends, letters = table["ends"], table["letters"]
            for number in range(len(self.texts), int(table["count"]) + 1):
                name = letters[ends[number - 1] : ends[number]].tobytes().decode("ascii")
                self.texts.append(name)
                self.marks[number] = self._mark(name)
        return found


@kernel
def number_names(buffer: Any, spans: Any, tables: Table) -> I32:
    """Return (n, k) the number of each name; new ones are added to the only one of the tables."""
    b, table = buffer[0], tables[0]
    found = np.empty(spans.shape[:2], np.int32)
    for i in range(spans.shape[0]):
        for k in range(spans.shape[1]):
            found[i, k] = _number(b, np.int64(spans[i, k, 0]), np.int64(spans[i, k, 1]), table)
    return found


@compiled
def _number(b: Record, start: Any, length: Any, table: Table) -> Any:
    """Return the number of a name."""
    if length == 0:
        return 0
    digest = np.uint64(length)
    for k in range(0, length, _WORD):
        digest = (digest ^ _word(b, start + k, length - k)) * _PRIME
        digest ^= digest >> _HALF
    mask = len(table.slots) - 1
    slot = np.int64(digest * _PRIME >> _HALF & np.uint64(mask))
    while table.slots[slot] != 0:
        number = np.int64(table.slots[slot])
        if table.hashes[number] == digest and _is_name(b, start, length, table, number):
            return number
        slot = (slot + 1) & mask
    number, begin = table.count + 1, table.ends[table.count]
    if number > MOST or begin + length + _WORD > len(table.letters):
        return FULL
    for k in range(length):
        table.letters[begin + k] = b.letters[np.uint64(start + k)]
    table.ends[number] = begin + length
    table.hashes[number] = digest
    table.slots[slot] = number
    table.count = number
    return number


@compiled
def _is_name(b: Record, start: Any, length: Any, table: Table, number: Any) -> bool:
    """Return whether a slice is the name that has a number."""
    begin = table.ends[number - 1]
    if table.ends[number] - begin != length:
        return False
    for k in range(0, length, _WORD):
        if _word(b, start + k, length - k) != _word(table, begin + k, length - k):
            return False
    return True


@compiled
def _word(of: Record, at: Any, left: Any) -> Any:
    """Return eight bytes, the first one lowest, or what is left of a name, and zeros."""
    word = np.uint64(0)
    for k in range(_WORD):  # one load, once compiled
        word |= np.uint64(of.letters[np.uint64(at + k)]) << np.uint64(8 * k)
    return word if left >= _WORD else word & ((_ONE << np.uint64(8 * left)) - _ONE)

"""Texts put together from pieces, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.compiled import bare, bare_kernel, kernel
from models.events import I64, U8

ALIKE = -1
"""In place of a row: the piece is the same in all texts."""
_1, _2, _3, _4, _5, _6, _7, _EIGHT = [np.uint64(number) for number in range(1, 9)]
_COMMA, _QUOTE, _BACKSLASH, _BLANK = ord(","), ord('"'), ord("\\"), ord(" ")


@bare_kernel
def put(out: U8, letters: U8, plan: I64, starts: I64, sizes: I64, n: int) -> None:
    """Write n texts one behind the other, each of its k pieces.

    Eight bytes at a time, as pieces are short; what is too many is overwritten by the next piece.

    Args:
        out: has room for all, and 8 bytes more.
        letters: where the pieces are, and 8 bytes more.
        plan: (k, 3) of each piece: the row of the next two that has it, or ALIKE; where its letters begin;
            if it is the same in all texts, its bytes.
        starts: (v, n) where each begins in them.
        sizes: (v, n) bytes of each.
        n: how many texts.
    """
    to = np.uint64(0)
    for i in range(n):
        for j in range(len(plan)):
            row, begin, length = plan[j, 0], plan[j, 1], plan[j, 2]
            if row != ALIKE:
                begin += starts[row, i]
                length = sizes[row, i]
            source, size = np.uint64(begin), np.uint64(length)
            for k in range(np.uint64(0), size, _EIGHT):
                _eight(out, to + k, letters, source + k)
            to += size


@bare
def _eight(out: U8, to: Any, letters: U8, at: Any) -> None:
    """Copy eight bytes; all are read before the first is written, so that it takes two instructions."""
    a, b, c, d = letters[at], letters[at + _1], letters[at + _2], letters[at + _3]
    e, f, g, h = letters[at + _4], letters[at + _5], letters[at + _6], letters[at + _7]
    out[to], out[to + _1], out[to + _2], out[to + _3] = a, b, c, d
    out[to + _4], out[to + _5], out[to + _6], out[to + _7] = e, f, g, h


@bare_kernel
def measure(plan: I64, sizes: I64, cuts: I64, ends: I64, found: I64) -> int:
    """Return how many letters `put` writes.

    Args:
        plan: (k, 3) as there.
        sizes: (v, n) as there.
        cuts: (c,) places of pieces, ascending.
        ends: (n,) gets where each text ends.
        found: (n, c) gets where these pieces of each text begin.
    """
    at = 0
    for i in range(len(ends)):
        place = 0
        for j in range(len(plan)):
            if place < len(cuts) and cuts[place] == j:
                found[i, place] = at
                place += 1
            at += plan[j, 2] if plan[j, 0] == ALIKE else sizes[plan[j, 0], i]
        ends[i] = at
    return at


@kernel
def between_commas(letters: U8, n: int) -> tuple[I64, I64]:
    """Return where each of n texts begins, and its size: brackets around all and commas between them."""
    starts, sizes = np.empty(n, np.int64), np.empty(n, np.int64)
    place, begin = 0, 1
    for at in range(1, len(letters) if n else 0):
        if letters[at] == _COMMA or at == len(letters) - 1:
            starts[place], sizes[place] = begin, at - begin
            place, begin = place + 1, at + 1
    return starts, sizes


@kernel
def is_plain(letters: U8, size: int) -> bool:
    """Return whether JSON takes the first bytes as they are: no quote, backslash or control character."""
    for at in range(size):
        byte = letters[at]
        if byte < _BLANK or byte in (_QUOTE, _BACKSLASH):
            return False
    return True


@kernel
def characters(letters: U8, ends: I64) -> I64:
    """Return (n,) the characters of texts in UTF-8 that lie one behind the other."""
    counts = np.zeros(len(ends), np.int64)
    at: Any = 0
    for i in range(len(ends)):
        count = 0
        while at < ends[i]:
            count += (letters[at] & 0xC0) != 0x80
            at += 1
        counts[i] = count
    return counts

"""Columns of texts that are put together of pieces: bytes in a buffer, no object for any of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import orjson
from numpy.typing import NDArray

from models.events import F64, I64, U8, Bool
from models.packed import MARGIN, Packed
from streams.codec.json_columns import OPTIONS, strings
from streams.codec.piece_kernels import ALIKE, between_commas, characters, is_plain, measure, put

_MORE = np.zeros(8, np.uint8)


@dataclass(slots=True, eq=False)
class Pieces:
    """n texts in UTF-8, several of which may be the same bytes."""

    letters: U8
    start: I64
    """(n,) where each begins."""
    size: I64
    """(n,) bytes of each."""

    @classmethod
    def of(cls, texts: Sequence[str]) -> Pieces:
        """Return texts."""
        return cls.packed(Packed.of_strings(texts))

    @classmethod
    def packed(cls, texts: Packed) -> Pieces:
        """Return texts of which none is null."""
        sizes = texts.sizes()
        return cls(texts.letters, texts.ends - sizes, sizes)

    @classmethod
    def one_of(cls, texts: Sequence[str], which: NDArray[np.integer]) -> Pieces:
        """Return (n,) texts by their places among some."""
        return _known(tuple(texts)).at(which)

    @classmethod
    def rows(cls, table: U8) -> Pieces:
        """Return the n rows of a table (n, w) as texts."""
        n, width = table.shape
        return cls(table.reshape(-1), np.arange(n) * width, np.full(n, width))

    @classmethod
    def numbers(cls, values: I64 | F64) -> Pieces:
        """Return numbers (n,) as JSON; NaN and infinite ones are null."""
        letters = np.frombuffer(orjson.dumps(np.ascontiguousarray(values), option=OPTIONS), np.uint8)
        return cls(letters, *between_commas(letters, len(values)))

    @classmethod
    def joined(cls, parts: Sequence[Pieces]) -> Pieces:
        """Return the texts of all parts, at least one."""
        if len(parts) == 1:
            return parts[0]
        offsets = np.cumsum([0, *[len(part.letters) for part in parts[:-1]]]).tolist()
        return cls(
            np.concatenate([part.letters for part in parts]),
            np.concatenate([part.start + offset for part, offset in zip(parts, offsets, strict=True)]),
            np.concatenate([part.size for part in parts]),
        )

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.start)

    def at(self, places: NDArray[np.integer]) -> Pieces:
        """Return those at some places."""
        return Pieces(self.letters, self.start[places], self.size[places])

    def only(self, chosen: Bool) -> Pieces:
        """Return them with those that are not chosen empty."""
        return Pieces(self.letters, self.start, np.where(chosen, self.size, 0))

    def but(self, other: Bool, text: bytes) -> Pieces:
        """Return them with one text in place of some of them."""
        if not other.any():
            return self
        letters = np.concatenate([self.letters, np.frombuffer(text, np.uint8)])
        return Pieces(
            letters,
            np.where(other, len(self.letters), self.start),
            np.where(other, len(text), self.size),
        )

    def replaced(self, places: NDArray[np.intp], texts: Sequence[str]) -> Pieces:
        """Return them with other texts at some places."""
        if not len(places):
            return self
        which = np.arange(len(self))
        which[places] = len(self) + np.arange(len(places))
        return Pieces.joined([self, Pieces.of(texts)]).at(which)

    def packed_up(self) -> Packed:
        """Return a copy, the texts one behind the other."""
        return join(len(self), self)

    def tolist(self) -> list[str]:
        """Return the texts; not for many of them."""
        return [text.decode() for text in self.packed_up().filled()]


def json_strings(texts: Packed) -> Pieces:
    """Return texts as JSON, each without its quotes."""
    size = len(texts.letters) - MARGIN
    if is_plain(texts.letters, size):
        return Pieces.packed(texts)
    return Pieces.of(strings([text.decode() for text in texts.filled()]))


def lengths(texts: Packed) -> Pieces:
    """Return how many characters each text has, as a number."""
    return Pieces.numbers(characters(texts.letters, texts.ends))


def join(n: int, *pieces: Pieces | str) -> Packed:
    """Return n texts, each put together of its pieces; a string is a piece of all of them."""
    return joined_with_cuts(n, pieces, ())[0]


def joined_with_cuts(n: int, pieces: Sequence[Pieces | str], cuts: Sequence[int]) -> tuple[Packed, I64]:
    """Return what `join` does, and where in its letters some of the pieces begin: (n, c), c cuts.

    Args:
        n: how many texts.
        pieces: k of them.
        cuts: places of pieces.
    """
    buffers: list[U8] = []
    begin: dict[int, int] = {}
    used = 0
    varying: list[Pieces] = []
    plan: list[tuple[int, int, int]] = []
    for piece in pieces:
        letters = _letters(piece) if isinstance(piece, str) else piece.letters
        at = begin.get(id(letters))
        if at is None:
            at = begin[id(letters)] = used
            buffers.append(letters)
            used += len(letters)
        if isinstance(piece, str):
            plan.append((ALIKE, at, len(letters)))
        else:
            plan.append((len(varying), at, 0))
            varying.append(piece)
    starts = np.array([piece.start for piece in varying], np.int64).reshape(len(varying), n)
    sizes = np.array([piece.size for piece in varying], np.int64).reshape(len(varying), n)
    ends, found = np.empty(n, np.int64), np.empty((n, len(cuts)), np.int64)
    how = np.array(plan, np.int64)
    out = np.empty(measure(how, sizes, np.array(cuts, np.int64), ends, found) + MARGIN, np.uint8)
    put(out, np.concatenate([*buffers, _MORE]), how, starts, sizes, n)
    out[-MARGIN:] = 0
    return Packed(out, ends, np.zeros(n, np.bool_)), found


@lru_cache(maxsize=1024)
def _known(texts: tuple[str, ...]) -> Pieces:
    """Return texts that come again and again."""
    return Pieces.of(texts)


@lru_cache(maxsize=1024)
def _letters(text: str) -> U8:
    return np.frombuffer(text.encode(), np.uint8)

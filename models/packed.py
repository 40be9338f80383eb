"""Texts of bytes in one buffer, like the keys of a chunk's records: there is no object for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.compiled import kernel

if TYPE_CHECKING:  # a cycle: events have keys
    from models.events import I64, U8, Bool

MARGIN = 16
"""Kernels read a few bytes on behind a text, and disregard them."""
LETTERS = np.dtype([("letters", "u1", (MARGIN,))])
"""Bytes that go on behind what it says: kernels do not look at bounds."""
Letters: TypeAlias = Any


@dataclass(slots=True, eq=False)
class Packed:
    """n texts, each perhaps null."""

    letters: U8
    """One text behind the other, a null as an empty one, and MARGIN more bytes; is made read-only."""
    ends: I64
    """(n,) where each ends."""
    nulls: Bool
    """(n,)"""

    def __post_init__(self) -> None:
        """Let the letters be of one type for all kernels."""
        self.letters.flags.writeable = False

    @classmethod
    def of(cls, texts: Sequence[bytes | None]) -> Packed:
        """Return a copy of texts."""
        nulls = np.fromiter([text is None for text in texts], np.bool_, len(texts))
        full = [text or b"" for text in texts]
        ends = np.cumsum(np.fromiter(map(len, full), np.int64, len(full)))
        return cls(np.frombuffer(b"".join((*full, bytes(MARGIN))), np.uint8), ends, nulls)

    @classmethod
    def of_strings(cls, texts: Sequence[str]) -> Packed:
        """Return texts in UTF-8."""
        joined = ("".join(texts) + "\0" * MARGIN).encode()
        ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
        if len(joined) != MARGIN + (ends[-1] if len(texts) else 0):  # not ASCII
            return cls.of([text.encode() for text in texts])
        return cls(np.frombuffer(joined, np.uint8), ends, np.zeros(len(texts), np.bool_))

    @classmethod
    def joined(cls, parts: Sequence[Packed]) -> Packed:
        """Return the texts of all parts, at least one, which are not in use any more."""
        if len(parts) == 1:
            return parts[0]
        sizes = [len(part.letters) - MARGIN for part in parts]
        starts = np.cumsum([0, *sizes[:-1]]).tolist()
        return cls(
            np.concatenate([*(part.letters[:-MARGIN] for part in parts), np.zeros(MARGIN, np.uint8)]),
            np.concatenate([part.ends + start for part, start in zip(parts, starts, strict=True)]),
            np.concatenate([part.nulls for part in parts]),
        )

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.ends)

    def __getitem__(self, at: int) -> bytes | None:
        """Return a copy of a text; not for many of them."""
        if self.nulls[at]:
            return None
        return self.letters[self.ends[at - 1] if at else 0 : self.ends[at]].tobytes()

    def __iter__(self) -> Iterator[bytes | None]:
        """Yield a copy of each text."""
        return iter(self.tolist())

    def tolist(self) -> list[bytes | None]:
        """Return a copy of each text."""
        if not self.nulls.any():
            return [*self.filled()]
        pairs = zip(self.filled(), self.nulls.tolist(), strict=True)
        return [None if null else text for text, null in pairs]

    def filled(self) -> list[bytes]:
        """Return a copy of each text, of a null an empty one."""
        letters, ends = self.letters.tobytes(), self.ends.tolist()
        return [letters[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def sizes(self) -> I64:
        """Return (n,) the length of each text, 0 of a null."""
        sizes = self.ends.copy()
        sizes[1:] -= self.ends[:-1]
        return sizes

    def take(self, at: NDArray[np.intp]) -> Packed:
        """Return those at some places, which lie in [0, n), as texts of their own."""
        return Packed(*gather(self.letters, self.ends, self.nulls, at))


def as_letters(buffer: U8) -> Letters:
    """Return a buffer of at least MARGIN bytes as LETTERS, (1,), the letters going on to the buffer's end.

    numba counts references to arrays, one by one at each call of a function, and not to records: a kernel of
    many small functions is four times as fast with it.
    """
    found: Letters = buffer[:MARGIN].view(LETTERS)
    return found


@kernel
def gather(letters: U8, ends: I64, nulls: Bool, at: I64) -> tuple[U8, I64, Bool]:
    """Return letters, ends and nulls of the texts at some places."""
    size = 0
    for i in at:
        size += ends[i] - (ends[i - 1] if i else 0)
    found = np.zeros(size + MARGIN, np.uint8)
    found_ends, found_nulls = np.empty(len(at), np.int64), np.empty(len(at), np.bool_)
    used: Any = 0
    for place, i in enumerate(at):
        start = ends[i - 1] if i else 0
        source, to = np.uint64(start), np.uint64(used)
        for k in range(np.uint64(ends[i] - start)):  # without sign: ten times as fast
            found[to + k] = letters[source + k]
        used += ends[i] - start
        found_ends[place], found_nulls[place] = used, nulls[i]
    return found, found_ends, found_nulls


def prepare() -> None:
    """Have the kernel compiled or loaded: no event shall wait for it."""
    Packed.of([]).take(np.zeros(0, np.intp))

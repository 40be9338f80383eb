"""Exact sums for each segment, carried by deltas beside what is learned: who is in it and what they do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from models.clusterer.frame import FormatError, pack, unpack
from models.events import I64

MAGIC = b"LSRV"


@dataclass(frozen=True, eq=False)
class Review:
    """Whole-number sums by segment: additive in any order, the same bytes for the same content.

    Columns are named by whoever counts, and may be negative: a customer who moves takes `-1` customer out
    of one segment and brings `+1` into the other, so the sums over all deltas are how things stand, and
    those since the last version are what has happened. Money is in 1/10,000 of the currency.

    Examples:
        >>> import numpy as np
        >>> columns, rows = ("customers", "orders"), np.array([[1, 2], [1, 0], [0, 3]])
        >>> counted = Review.counted(columns, np.array([1, 2, 1]), rows)
        >>> counted.plus(Review.counted(("customers",), np.array([2]), np.array([[-1]]))).of(1)
        {'customers': 1, 'orders': 5}
    """

    columns: tuple[str, ...] = ()
    """(c,) names, ascending."""
    numbers: I64 = field(default_factory=lambda: np.empty(0, np.int64))
    """(s,) segment numbers, ascending; 0 is no segment."""
    values: I64 = field(default_factory=lambda: np.empty((0, 0), np.int64))
    """(s, c) sums, no row and no column all 0."""

    def __bool__(self) -> bool:
        """Return whether there is any sum."""
        return len(self.numbers) > 0

    @classmethod
    def counted(cls, columns: Iterable[str], numbers: I64, values: I64) -> Review:
        """Return the sums of values (n, c) by the segment number (n,) of each row.

        Raises:
            ValueError: the shapes do not fit, a column is named twice, or a number is negative.
        """
        names = tuple(columns)
        numbers, values = np.asarray(numbers, np.int64), np.asarray(values, np.int64)
        if values.shape != (len(numbers), len(names)) or len(set(names)) != len(names):
            raise ValueError(f"values of the shape {values.shape} for {len(numbers)} rows of {names}")
        if (numbers < 0).any():
            raise ValueError("a segment number is negative")
        found, place = np.unique(numbers, return_inverse=True)
        sums = np.zeros((len(found), len(names)), np.int64)
        np.add.at(sums, place, values)
        order = [i for i in sorted(range(len(names)), key=names.__getitem__) if sums[:, i].any()]
        kept = sums.any(axis=1)
        return cls(tuple(names[i] for i in order), found[kept], sums[kept][:, order])

    def plus(self, other: Review) -> Review:
        """Return the sums of both; a column that one does not have counts 0 there."""
        if not (self and other):
            return self or other
        columns = tuple(sorted({*self.columns, *other.columns}))
        return Review.counted(
            columns,
            np.concatenate([self.numbers, other.numbers]),
            np.vstack([self._spread(columns), other._spread(columns)]),
        )

    def minus(self, other: Review) -> Review:
        """Return what must be added to `other` to make this."""
        return self.plus(Review(other.columns, other.numbers, -other.values))

    def to_bytes(self) -> bytes:
        """Return the sums as bytes, checksum included."""
        return pack(MAGIC, {"review": list(self.columns)}, [self.numbers, self.values])

    @classmethod
    def from_bytes(cls, data: bytes) -> Review:
        """Return the sums of these bytes.

        Raises:
            FormatError: they are no review, or were changed.
        """
        header, arrays = unpack(MAGIC, data)
        if len(arrays) != 2:
            raise FormatError(f"{len(arrays)} arrays are no review")
        return read_review(header.get("review"), arrays[0], arrays[1])

    def of(self, number: int) -> dict[str, int]:
        """Return column to sum of one segment; a column that is 0 in all segments is not there."""
        rows = self.values[self.numbers == number]
        sums = rows[0].tolist() if len(rows) else [0] * len(self.columns)
        return dict(zip(self.columns, sums, strict=True))

    def _spread(self, columns: tuple[str, ...]) -> I64:
        wide = np.zeros((len(self.numbers), len(columns)), np.int64)
        wide[:, [columns.index(name) for name in self.columns]] = self.values
        return wide


NOTHING = Review()
"""No sums."""


def read_review(columns: object, numbers: I64, values: I64) -> Review:
    """Return the review of columns and arrays that were read.

    Raises:
        FormatError: they are not what a review writes.
    """
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise FormatError("the columns of the review are no list of texts")
    if numbers.dtype != np.int64 or values.dtype != np.int64:
        raise FormatError("the review is not of whole numbers")
    if numbers.ndim != 1 or values.shape != (len(numbers), len(columns)):
        raise FormatError(f"the review has the shapes {numbers.shape} and {values.shape}")
    ascending = (np.diff(numbers) > 0).all() and (numbers >= 0).all() and sorted(set(columns)) == columns
    if not ascending or not values.any(axis=1).all() or not values.any(axis=0).all():
        raise FormatError("the review is out of order, or holds an empty row or column")
    return Review(tuple(columns), numbers, values)

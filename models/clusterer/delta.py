"""What a worker has learned since its last delta: additive, the same bytes for any order of rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from models.clusterer.frame import FormatError, pack, unpack
from models.clusterer.grid import CLIP, GRID, Scale, ordered
from models.clusterer.references import Sums
from models.clusterer.review import NOTHING, Review, read_review
from models.events import F64, I64
from models.value import ValueFormatError, ValueSample

MAGIC = b"LSDL"
LAYOUT = 2
"""What is written: 2 has the sample of order histories; 1, which says nothing, has not, and is read too."""
NO_MODEL = 0
"""The base version of rows that were learned before a model existed."""


NOBODY = ValueSample.empty()
"""No order histories."""


class DeltaFormatError(FormatError):
    """The bytes are not a delta of this format, or were changed."""


@dataclass(frozen=True, eq=False)
class Points:
    """Sums about some of the reference points of the base version, self-contained.

    The points and the scale travel along, so that a merger that has forgotten the base version can still
    place them.
    """

    index: I64
    """(t,) which reference points, ascending."""
    points: F64
    """(t, d) where they are, on the grid of `scale`."""
    sums: Sums
    """Sums about them: whole counts of at least 1, moments on the grid."""
    scale: Scale


@dataclass(frozen=True, eq=False)
class Delta:
    """Rows learned by one worker against one version of the model."""

    features: tuple[str, ...]
    base_version: int
    """The version of the model, 0 for raw rows."""
    rows: int
    """How many rows were learned."""
    raw: F64 | None = None
    """(rows, d) transformed rows in their own order; None for sums."""
    points: Points | None = None
    """The sums; None for raw rows."""
    review: Review = NOTHING
    """What was counted for each segment meanwhile."""
    sample: ValueSample = NOBODY
    """Order histories of those whom the sample of the population may take in."""

    @classmethod
    def of_rows(cls, features: tuple[str, ...], rows: F64) -> Delta:
        """Return a delta of raw transformed rows (n, d)."""
        return cls(features, NO_MODEL, len(rows), raw=ordered(rows))

    @property
    def kind(self) -> Literal["rows", "cf"]:
        """Return `rows` for raw rows, `cf` for sums."""
        return "cf" if self.raw is None else "rows"

    def to_bytes(self) -> bytes:
        """Return the delta as bytes, checksum included."""
        header = {
            "layout": LAYOUT,
            "base_version": self.base_version,
            "features": list(self.features),
            "rows": self.rows,
        }
        counted: list[NDArray[Any]] = []
        if self.review:
            header["review"] = list(self.review.columns)
            counted = [self.review.numbers, self.review.values]
        if len(self.sample):
            header["sample"] = len(self.sample)
            counted.append(np.frombuffer(self.sample.to_bytes(), np.uint8))
        if self.points is None:
            return pack(MAGIC, header, [self._rows(), *counted])
        part, sums = self.points, self.points.sums
        steps = np.rint(part.points * GRID).astype("<i4")
        counts = sums.count.astype("<i8")
        scale = [part.scale.mean, part.scale.inverse]
        moments = [sums.first, sums.second]
        return pack(MAGIC, header, [part.index.astype("<i4"), steps, counts, *moments, *scale, *counted])

    @classmethod
    def from_bytes(cls, data: bytes) -> Delta:
        """Return the delta of these bytes.

        Raises:
            DeltaFormatError: they are not a delta, or were changed.
        """
        try:
            header, arrays = unpack(MAGIC, data)
            if header.get("layout", 1) not in {1, LAYOUT}:
                _refuse(
                    f"layout {header['layout']!r} is unknown, this program reads up to layout {LAYOUT}"[:200]
                )
            sample = _sample(arrays) if "sample" in header else NOBODY
            review = NOTHING
            if "review" in header:
                review = read_review(header["review"], *_last_two(arrays))
        except FormatError as problem:
            raise DeltaFormatError(f"not a delta: {problem}") from problem
        match header:
            case {"base_version": int(base), "features": [*names], "rows": int(rows)} if all(
                isinstance(name, str) for name in names
            ):
                features = tuple(names)
            case _:
                raise DeltaFormatError("not a delta: the header is incomplete")
        if base == NO_MODEL and len(arrays) == 1:
            return replace(_raw(features, rows, arrays[0]), review=review, sample=sample)
        if base > NO_MODEL and len(arrays) == 7:
            points = _points(len(features), rows, arrays)
            return cls(features, base, rows, points=points, review=review, sample=sample)
        raise DeltaFormatError(f"not a delta: {len(arrays)} arrays at base version {base}")

    def _rows(self) -> F64:
        return np.empty((0, len(self.features))) if self.raw is None else self.raw


def _refuse(problem: str) -> NoReturn:
    raise FormatError(problem)


def _sample(arrays: list[Any]) -> ValueSample:
    """Take the sample off the end."""
    if not arrays or arrays[-1].dtype != np.uint8:
        _refuse("the sample is missing")
    try:
        return ValueSample.from_bytes(arrays.pop().tobytes())
    except ValueFormatError as problem:
        raise FormatError(str(problem)) from problem


def _last_two(arrays: list[Any]) -> tuple[Any, Any]:
    """Take the arrays of the review off the end."""
    if len(arrays) < 2:
        raise FormatError("the arrays of the review are missing")
    values, numbers = arrays.pop(), arrays.pop()
    return numbers, values


def _raw(features: tuple[str, ...], rows: int, array: Any) -> Delta:
    if array.dtype != np.float64 or array.shape != (rows, len(features)):
        raise DeltaFormatError(f"not a delta: rows are {array.dtype}{array.shape}")
    return Delta(features, NO_MODEL, rows, raw=array)


def _points(d: int, rows: int, arrays: list[Any]) -> Points:
    index, steps, counts, first, second, mean, inverse = arrays
    t = len(index)
    shapes = [array.shape for array in arrays]
    kinds = [array.dtype.str for array in arrays]
    if not t or shapes != [(t,), (t, d), (t,), (t, d), (t, d), (d,), (d,)]:
        raise DeltaFormatError(f"not a delta: shapes {shapes}")
    if kinds != ["<i4", "<i4", "<i8", "<f8", "<f8", "<f8", "<f8"]:
        raise DeltaFormatError(f"not a delta: types {kinds}")
    moments = first * GRID, second * GRID**2
    sound = (
        bool((np.diff(index) > 0).all() and (index >= 0).all() and (counts > 0).all() and (second >= 0).all())
        and int(counts.sum()) == rows
        and bool((np.abs(steps.astype(np.int64)) <= CLIP * GRID).all())
        and all(bool(np.isfinite(array).all()) for array in (*moments, mean, inverse))
        and all(bool((np.rint(moment) == moment).all()) for moment in moments)
        and bool((inverse > 0).all())
    )
    if not sound:
        raise DeltaFormatError("not a delta: a count, a moment or the scale is out of range")
    sums = Sums(counts.astype(np.float64), first, second)
    return Points(index.astype(np.int64), steps / GRID, sums, Scale(mean, inverse))

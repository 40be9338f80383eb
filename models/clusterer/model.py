"""A numbered model: what workers decide with, and all that the next model is made from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from models.clusterer import layout
from models.clusterer.grid import Scale, as_rows
from models.clusterer.lineage import LineageEvent
from models.clusterer.references import BLOCK, References, Sums, best, lifted, scoring, squared_distances
from models.clusterer.review import NOTHING, Review
from models.events import F64, I64
from models.value import ValueModel, ValueSample

NO_SEGMENT = 0
"""The number that stands for no segment."""
EARLIER = "an earlier segment"
"""What a segment is called that is no more, and whose name is not known any more."""
NOBODY = ValueSample.empty()


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """One segment of a model."""

    number: int
    """At least 1, never reused."""
    name: str
    """Unique within the model; stays with the number while it fits."""
    description: str
    count: float
    """Rows learned, older ones decayed by the half-life."""
    share: float
    """Share of `count` in all segments, 0 to 1."""
    centre: Mapping[str, float]
    """Feature to value, in transformed units."""

    @property
    def id(self) -> str:
        """Return the public id, `b-<number>`."""
        return f"b-{self.number}"


@dataclass(frozen=True, eq=False)
class Model:
    """A version of the segmentation; equal models have equal bytes.

    Rows are matrices (n, d) of *transformed* features in the order of `features`; NaN means missing and
    counts as the mean, ±inf counts as very far out. Distances are Euclidean, in standard deviations.
    """

    version: int
    """At least 1."""
    features: tuple[str, ...]
    scale: Scale
    points: F64
    """(m, d) reference points, on the grid."""
    sums: Sums
    """Decayed sums about the points."""
    centres: F64
    """(k, d) on the grid, by ascending number."""
    counts: F64
    """(k,) decayed rows of each segment."""
    numbers: I64
    """(k,) segment numbers, ascending, at least 1."""
    names: tuple[str, ...]
    descriptions: tuple[str, ...]
    lineage: tuple[LineageEvent, ...]
    """What became of the segments of the previous version."""
    next_number: int
    """The number of the next segment to be born."""
    rows: int
    """Rows learned since the beginning."""
    error: float
    """Smoothed mean squared distance of a new row to its reference point; 0 when unknown."""
    forgetting: float = 1.0
    """Decay on top of the half-life that drift asked for in this version, above 0; 1 for no drift."""
    positions: Mapping[int, int] = field(default_factory=dict)
    """Partition to offset of the last delta that is part of this model."""
    review: Review = NOTHING
    """What deltas counted since the version before, by segment number."""
    standing: Review = NOTHING
    """What deltas counted since the beginning; never decayed."""
    sample: ValueSample = NOBODY
    """Order histories of some customers, by the smallness of their hash."""
    value: ValueModel | None = None
    """What customers are worth, fitted to the sample; None while it is too small."""

    departed: Mapping[int, str] = field(default_factory=dict)
    """Number to last name of the segments that have gone last, oldest first."""

    def distances(self, rows: F64) -> F64:
        """Return the distances (n, k) of rows to the segment centres, the same bits for any batch size."""
        matrix = as_rows(rows, len(self.features))
        result = np.empty((len(matrix), len(self.numbers)))
        for start in range(0, len(matrix), BLOCK):
            block = self.scale.to_grid(matrix[start : start + BLOCK])
            np.sqrt(squared_distances(block, self.centres), out=result[start : start + BLOCK])
        return result

    def assign(self, rows: F64) -> I64:
        """Return the number (n,) of the nearest segment of each row; the smallest number among equals."""
        matrix = as_rows(rows, len(self.features))
        place = np.empty(len(matrix), np.int64)
        for start in range(0, len(matrix), BLOCK):
            block = self.scale.to_grid(matrix[start : start + BLOCK])
            place[start : start + BLOCK] = best(lifted(block), self._centre_scores)
        return self.numbers[place]

    def decide(self, rows: F64, current: I64, margin: float) -> I64:
        """Return the number (n,) that each row holds after one decision; see `step`."""
        return self.step(self.distances(rows), current, margin)

    def step(self, distances: F64, current: I64, margin: float) -> I64:
        """Return the number (n,) that each row holds after one decision, from its distances (n, k).

        A row that holds the segment `current` (n,) moves only when another centre is nearer by the share
        `margin` (0 to 1) of the distance to the one it holds. A row that holds none (0), or one that this
        model does not have, moves to the nearest.
        """
        row = np.arange(len(distances))
        best = distances.argmin(axis=1)
        place, known = self._places(current)
        moves = ~known | (distances[row, best] < (1.0 - margin) * distances[row, place])
        return np.where(moves, self.numbers[best], current)

    def confidence(self, distances: F64, numbers: I64) -> F64:
        """Return how clearly each row is its number's: 1 - own distance / nearest other one, in [0, 1].

        0 for a row that holds no segment of this model or is nearer to another; 1 when there is no other
        segment.
        """
        row = np.arange(len(distances))
        place, known = self._places(numbers)
        own = distances[row, place]
        others = distances.copy()
        others[row, place] = np.inf
        other = others.min(axis=1)
        share = np.ones(len(distances))
        np.divide(own, other, out=share, where=other > 0)
        return np.where(known, np.clip(1.0 - share, 0.0, 1.0), 0.0)

    def contributions(self, rows: F64, old: I64, new: I64) -> F64:
        """Return the exact parts (n, d), one a feature, of d(old)² - d(new)² for rows that moved.

        d² is a sum over features, so its difference is too: (z - old)² - (z - new)² for each. A number that
        this model does not have, and 0, stand for the average customer.
        """
        standard = self.scale.to_grid(as_rows(rows, len(self.features)))
        before, after = standard - self._centres_of(old), standard - self._centres_of(new)
        return before * before - after * after

    def segment(self, number: int) -> SegmentInfo:
        """Return the segment of this number.

        Raises:
            KeyError: this model does not have it.
        """
        return self._by_number[number]

    def name_of(self, number: int) -> str:
        """Return the name of a segment; of one that is no more, what it was called last.

        `Loyal customers` is `Loyal customers (former)` when another one bears the name now. A name that is
        not kept is `EARLIER`.
        """
        if number in self._by_number:
            return self._by_number[number].name
        name = self.departed.get(number, EARLIER)
        return f"{name} (former)" if name in self.names else name

    @cached_property
    def segments(self) -> tuple[SegmentInfo, ...]:
        """Return the segments by ascending number."""
        total = max(float(self.counts.sum()), 1e-300)
        units = self.scale.to_units(self.centres)
        return tuple(
            SegmentInfo(
                int(number),
                name,
                description,
                float(count),
                float(count) / total,
                dict(zip(self.features, centre.tolist(), strict=True)),
            )
            for number, name, description, count, centre in zip(
                self.numbers, self.names, self.descriptions, self.counts, units, strict=True
            )
        )

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of everything but `positions`: equal for the same rows in any packing."""
        return hashlib.sha256(replace(self, positions={}).to_bytes()).hexdigest()

    @cached_property
    def scores(self) -> F64:
        """Return what finds the nearest reference point; see `scoring`."""
        return scoring(self.points)

    @cached_property
    def _centre_scores(self) -> F64:
        return scoring(self.centres)

    def references(self) -> References:
        """Return a copy of the reference points and their sums, to work on."""
        return References(self.points.copy(), self.sums.decayed(1.0))

    def to_bytes(self) -> bytes:
        """Return the model as bytes, checksum included."""
        return layout.pack_model(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Model:
        """Return the model of these bytes.

        Raises:
            ModelFormatError: they are not a model, or were changed.
        """
        model = cls(**layout.unpack_fields(data))
        layout.check(model)
        return model

    @cached_property
    def _by_number(self) -> dict[int, SegmentInfo]:
        return {segment.number: segment for segment in self.segments}

    def _places(self, numbers: I64) -> tuple[I64, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        """Return the column of each number, and whether this model has it."""
        place = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        return place, self.numbers[place] == numbers

    def _centres_of(self, numbers: I64) -> F64:
        place, known = self._places(numbers)
        return np.where(known[:, None], self.centres[place], 0.0)

"""Reference points and the additive sums about them (cluster features)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.clusterer.grid import quantise_clipped
from models.clusterer.row_kernels import gather
from models.events import F64, I64

SEARCHED = 340
"""Rows searched at a time: their scores against a hundred points stay in the second-level cache."""
BLOCK = 1024
"""Rows handled at a time; keeps the temporary matrices in the cache."""


def squared_distances(rows: F64, points: F64) -> F64:
    """Return squared distances (n, m) of rows (n, d) to points (m, d); exact when both are on the grid."""
    squares: F64 = rows @ points.T
    squares *= -2.0
    squares += np.einsum("ij,ij->i", points, points)
    squares += np.einsum("ij,ij->i", rows, rows)[:, None]
    return np.maximum(squares, 0.0, out=squares)


def lifted(rows: F64) -> F64:
    """Return rows (n, d) with a column of ones, (n, d + 1): what `scoring` is made for."""
    n, d = rows.shape
    with_ones = np.empty((n, d + 1))
    with_ones[:, :d], with_ones[:, d] = rows, 1.0
    return with_ones


def scoring(points: F64) -> F64:
    """Return the matrix (d + 1, m) that turns lifted rows into scores against points (m, d).

    The nearest point has the largest z·p - |p|²/2; the column of ones makes that one product, exact when
    rows and points are on the grid.
    """
    m, d = points.shape
    weights = np.empty((d + 1, m))
    weights[:d], weights[d] = points.T, np.einsum("ij,ij->i", points, points) * -0.5
    return weights


def best(with_ones: F64, scores: F64) -> I64:
    """Return for each lifted row (n, d + 1) the index of the nearest of the points that `scores` is of."""
    n = len(with_ones)
    label = np.empty(n, dtype=np.int64)
    for start in range(0, n, SEARCHED):
        (with_ones[start : start + SEARCHED] @ scores).argmax(axis=1, out=label[start : start + SEARCHED])
    return label


def nearest(rows: F64, points: F64) -> I64:
    """Return for each row (n, d) the index of the nearest of points (m, d), the first among equals."""
    return best(lifted(rows), scoring(points))


def binned(label: I64, weights: F64, size: int) -> F64:
    """Return the sum (size,) of the weights (n,) that carry each label (n,)."""
    return np.asarray(np.bincount(label, weights, size), dtype=np.float64)


@dataclass(slots=True)
class Sums:
    """Rows about m reference points: their number, first and second moments about the point.

    Moments about a fixed point are additive and lose no digits by cancellation (BETULA, arXiv 2006.12881).
    """

    count: F64
    """(m,) rows; decayed in a model, whole numbers in a delta."""
    first: F64
    """(m, d) sum of z - point."""
    second: F64
    """(m, d) sum of (z - point)²."""

    @classmethod
    def zero(cls, shape: tuple[int, ...]) -> Sums:
        """Return empty sums about points of this shape (m, d)."""
        return cls(np.zeros(shape[0]), np.zeros(shape), np.zeros(shape))

    def add_rows(self, points: F64, rows: F64) -> None:
        """Add grid rows (n, d), each to its nearest of `points` (m, d)."""
        about = Sums.zero(self.first.shape)
        about.add_about_origin(scoring(points), rows)
        about.shift(points)
        self.add(about)

    def add_about_origin(self, scores: F64, rows: F64) -> None:
        """Add grid rows (n, d), each to its nearest point (see `scoring`), but moments about 0.

        A `shift` by the points makes them moments about these, exactly: for up to four million rows all
        terms are whole multiples of 2⁻²⁴ that a float holds. Done once for many rows, it saves taking the
        point from each.
        """
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            gather(best(lifted(block), scores), block, self.count, self.first, self.second)

    def add_offsets(self, label: I64, count: F64, offset: F64) -> None:
        """Add `count` (n,) rows that all lie at `offset` (n, d) from the point `label` (n,)."""
        m, d = self.first.shape
        self.count += np.bincount(label, count, m)
        cell = (label[:, None] * d + np.arange(d)).ravel()
        weighted = count[:, None] * offset
        self.first += binned(cell, weighted.ravel(), m * d).reshape(m, d)
        self.second += binned(cell, (weighted * offset).ravel(), m * d).reshape(m, d)

    def add(self, other: Sums) -> None:
        """Add sums about the same points."""
        self.count += other.count
        self.first += other.first
        self.second += other.second

    def decayed(self, factor: float) -> Sums:
        """Return these sums with every row counting `factor`."""
        return Sums(self.count * factor, self.first * factor, self.second * factor)

    def faded(self, factor: F64) -> Sums:
        """Return these sums with every row about point i counting `factor[i]`; (m,)."""
        return Sums(self.count * factor, self.first * factor[:, None], self.second * factor[:, None])

    def shift(self, by: F64) -> None:
        """Restate the sums about points moved by `by` (m, d)."""
        weight = self.count[:, None]
        self.second += by * by * weight - 2.0 * by * self.first
        np.maximum(self.second, 0.0, out=self.second)
        self.first -= by * weight

    def rescale(self, by: F64) -> None:
        """Restate the sums for features multiplied by `by` (d,)."""
        self.first *= by
        self.second *= by * by

    def select(self, index: I64) -> Sums:
        """Return the sums about the points of `index` as a copy."""
        return Sums(self.count[index].copy(), self.first[index].copy(), self.second[index].copy())


@dataclass(slots=True)
class References:
    """Reference points (m, d) on the grid with the sums of the rows that each stands for."""

    points: F64
    sums: Sums

    @property
    def mass(self) -> float:
        """Number of rows that all references stand for."""
        return float(self.sums.count.sum())

    def to_means(self) -> None:
        """Move each point to the mean of its rows (on the grid)."""
        held = self.sums.count > 0
        moved = self.points.copy()
        moved[held] += self.sums.first[held] / self.sums.count[held, None]
        self.move(quantise_clipped(moved))

    def move(self, points: F64) -> None:
        """Restate everything about new points (m, d)."""
        self.sums.shift(points - self.points)
        self.points = points

    def moments(self) -> tuple[F64, F64]:
        """Return mean (d,) and standard deviation (d,) over all rows, in present units."""
        mass = self.mass
        weight = self.sums.count[:, None]
        mean: F64 = (weight * self.points + self.sums.first).sum(0) / mass
        away = self.points - mean
        spread = (self.sums.second + 2.0 * away * self.sums.first + away * away * weight).sum(0) / mass
        deviation: F64 = np.sqrt(np.maximum(spread, 0.0))
        return mean, deviation

    def keep(self, index: I64) -> None:
        """Drop all references but those of `index`."""
        self.points = self.points[index].copy()
        self.sums = self.sums.select(index)

"""RFM: recency, frequency and money as scores from 1 to 5, and the ten segments made of the first two.

Hughes (1994), "Strategic Database Marketing": customers in five equal parts by each of the three. The batch
scores cut by rank, so two customers with one order each may differ by what row they stand in; the live scores
compare with cut points, so customers who are equal score equal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.events import F64, I64

SCORES = 5
"""Scores run from 1 (worst) to 5 (best)."""
SEGMENTS = (
    "champions",
    "loyal",
    "potential loyalists",
    "new",
    "promising",
    "need attention",
    "about to sleep",
    "at risk",
    "can't lose",
    "hibernating",
)
"""The ten segments; the code of a segment is its place, from 1."""

_MAP = (
    #   F 1, 2, 3, 4, 5
    (10, 10, 8, 8, 9),  # R 1: longest ago
    (10, 10, 8, 8, 9),
    (7, 7, 6, 2, 2),
    (5, 3, 3, 2, 2),
    (4, 3, 3, 1, 1),  # R 5: most recent
)
CODES = np.array(_MAP, np.int64)
"""Code of the segment by the scores of recency and frequency, each less 1."""


@dataclass(frozen=True, eq=False)
class RfmCuts:
    """Cut points of a population, four for each dimension, ascending."""

    recency: F64
    """In days since the last order."""
    frequency: F64
    """In orders."""
    money: F64
    """In units of the currency."""


def segments(r: NDArray[np.generic], f: NDArray[np.generic]) -> I64:
    """Return the code (n,) of the segment of each pair of scores, 1 to 10; see `SEGMENTS`.

    The widely used map of 25 pairs; money has no part in it.

    Examples:
        >>> codes = segments(np.array([5, 5, 1]), np.array([5, 1, 5]))
        >>> [SEGMENTS[code - 1] for code in codes]
        ['champions', 'new', "can't lose"]
    """
    return CODES[np.asarray(r, np.int64) - 1, np.asarray(f, np.int64) - 1]


def scores(values: F64, cuts: F64) -> F64:
    """Return 1 to 5 (n,): one more than the number of cut points below the value; NaN for NaN.

    For recency, where less is better, the score is 6 minus this.

    Examples:
        >>> scores(np.array([1.0, 2.0, 2.5, 99.0]), np.array([1.0, 2.0, 4.0, 8.0])).tolist()
        [1.0, 2.0, 3.0, 5.0]
    """
    found = np.searchsorted(cuts, values, side="left") + 1.0
    return np.where(np.isnan(values), np.nan, found)


def cut_points(values: F64) -> F64:
    """Return the four cut points (4,) that split a population in five, equal values together.

    A group of equal values belongs where its middle member stands: the cut point j is the greatest value
    whose middle rank lies in the first j fifths. The order of the values has no influence; NaN and ±inf are
    left out. A cut point below all values (nobody would score that low) is the next number below them.

    Raises:
        ValueError: no value is finite.
    """
    values = values[np.isfinite(values)]
    if not len(values):
        raise ValueError("cut points need at least one value")
    distinct, counts = np.unique(values, return_counts=True)
    twice_middle = 2 * np.cumsum(counts) - counts
    ends = 2 * len(values) * np.arange(1, SCORES)
    below = np.searchsorted(SCORES * twice_middle, ends, side="right")
    return np.concatenate([np.nextafter(distinct[:1], -np.inf), distinct])[below]


def batch_scores(recency: F64, frequency: F64, money: F64) -> tuple[I64, I64, I64]:
    """Return the scores R, F and M (n,) of a whole population at once, the way published tables are made.

    R and M by the quintiles of the values, F by those of its rank, equal values ranked in the order of the
    rows: the same customers in another order score differently in F.
    """
    rank = np.empty(len(frequency))
    rank[np.argsort(frequency, kind="stable")] = np.arange(1, len(frequency) + 1)
    return SCORES + 1 - _quintile(recency), _quintile(rank), _quintile(money)


def _quintile(values: F64) -> I64:
    """Return the fifth, 1 to 5, that each value falls in; a value on the edge belongs to the lower one."""
    edges = np.quantile(values, np.arange(1, SCORES) / SCORES)
    return np.searchsorted(edges, values, side="left") + 1

"""Steps of k-means over a few hundred points, where numpy's calls cost more than their work.

Compiled, see `models.compiled`.
Points (m, d) and centres (k, d) are on the grid: distances are exact. Sums over weights, which are not, run
from the first point to the last.
"""

from __future__ import annotations

import numpy as np

from models.compiled import compiled, kernel
from models.events import F64, I64


@kernel
def nearest(points: F64, centres: F64, labels: I64) -> None:
    """Write into `labels` (m,) the index of each point's nearest centre, the first among equals."""
    for i in range(len(points)):
        best, least = 0, np.inf
        for c in range(len(centres)):
            square = _squared(points[i], centres[c])
            if square < least:
                best, least = c, square
        labels[i] = best


@kernel
def weigh(points: F64, weights: F64, labels: I64, mass: F64, sums: F64) -> None:
    """Add to `mass` (k,) and `sums` (k, d) the weights (m,) of each label's points, and what they weigh."""
    for i in range(len(points)):
        to = labels[i]
        mass[to] += weights[i]
        for j in range(points.shape[1]):
            sums[to, j] += weights[i] * points[i, j]


@kernel
def draw(points: F64, weights: F64, least: F64, draws: F64) -> int:
    """Return which point a greedy k-means++ step chooses, -1 when all of any weight have been chosen.

    Args:
        points: (m, d)
        weights: (m,)
        least: (m,) squared distance of each point to the nearest one chosen before; goes on to include this.
        draws: one number in [0, 1) for each candidate; the one that leaves the least cost is chosen.
    """
    m = len(points)
    reach = np.cumsum(least * weights)
    if reach[-1] <= 0:
        return -1
    chosen, lowest = -1, np.inf
    remaining, kept = np.empty(m), np.empty(m)
    for drawn in draws:
        at = min(np.searchsorted(reach, drawn * reach[-1], side="right"), m - 1)
        cost = 0.0
        for i in range(m):
            remaining[i] = min(least[i], _squared(points[i], points[at]))
            cost += remaining[i] * weights[i]
        if cost < lowest:
            chosen, lowest = at, cost
            kept, remaining = remaining, kept
    if least[chosen] <= 0:
        return -1
    least[:] = kept
    return chosen


@compiled
def _squared(a: F64, b: F64) -> float:
    square = 0.0
    for j in range(len(a)):
        square += (a[j] - b[j]) * (a[j] - b[j])
    return square

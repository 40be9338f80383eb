"""Weighted k-means on a few hundred reference points: k-means++ seeds and Lloyd steps.

Points and centres are on the grid, so distances are exact and labels do not depend on the BLAS kernel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.clusterer.grid import quantise
from models.clusterer.references import binned, nearest, squared_distances
from models.events import F64, I64

TRIALS = 4
"""Candidates of a greedy k-means++ step."""


@dataclass(frozen=True, eq=False)
class Partition:
    """A clustering of m weighted points into k groups, none of them empty."""

    centres: F64
    """(k, d) on the grid."""
    origin: I64
    """(k,) index of the start centre that each centre came from, -1 for none."""
    labels: I64
    """(m,) group of each point."""
    cost: float
    """Weighted sum of squared distances to the centres."""


def seeds(points: F64, weights: F64, k: int, rng: np.random.Generator) -> F64:
    """Return at most k distinct points chosen by greedy k-means++ (Arthur & Vassilvitskii 2007).

    Fewer come back when there are fewer distinct points of positive weight.
    """
    last = len(points) - 1
    mass = np.cumsum(weights)
    chosen = [min(int(np.searchsorted(mass, rng.random() * mass[-1], side="right")), last)]
    to_chosen = squared_distances(points, points[chosen])[:, 0]
    while len(chosen) < k:
        reach = np.cumsum(to_chosen * weights)
        if reach[-1] <= 0:
            break
        drawn = np.minimum(np.searchsorted(reach, rng.random(TRIALS) * reach[-1], side="right"), last)
        remaining = np.minimum(to_chosen[:, None], squared_distances(points, points[drawn]))
        best = int((remaining * weights[:, None]).sum(0).argmin())
        if to_chosen[drawn[best]] <= 0:
            break
        chosen.append(int(drawn[best]))
        to_chosen = remaining[:, best]
    return points[chosen].copy()


def lloyd(points: F64, weights: F64, centres: F64, iterations: int = 20) -> Partition:
    """Return the partition after Lloyd steps from `centres`; a centre that holds nothing is dropped.

    `points` (m, d) and `centres` (k, d) are on the grid; the sum of `weights` (m,) is positive.
    """
    origin = np.arange(len(centres))
    for _ in range(iterations):
        labels = nearest(points, centres)
        mass = binned(labels, weights, len(centres))
        if not (mass > 0).all():
            centres, origin = centres[mass > 0], origin[mass > 0]
            continue
        moved = quantise(_sums(points, weights, labels, len(centres)) / mass[:, None])
        if np.array_equal(moved, centres):
            break
        centres = moved
    return _partition(points, weights, centres, origin)


def filled(points: F64, weights: F64, partition: Partition, k: int) -> Partition:
    """Return the partition topped up to k centres, each new one put where the cost is largest."""
    while len(partition.centres) < k:
        gap = squared_distances(points, partition.centres)[np.arange(len(points)), partition.labels] * weights
        worst = int(gap.argmax())
        if gap[worst] <= 0:
            break
        refined = lloyd(points, weights, np.vstack([partition.centres, points[worst : worst + 1]]))
        if len(refined.centres) <= len(partition.centres):
            break
        origin = np.append(partition.origin, -1)[refined.origin]
        partition = Partition(refined.centres, origin, refined.labels, refined.cost)
    return partition


def best_of(points: F64, weights: F64, k: int, rng: np.random.Generator, runs: int) -> Partition:
    """Return the cheapest of `runs` k-means++ starts, the first among equals; origins are -1."""
    tries = [lloyd(points, weights, seeds(points, weights, k, rng)) for _ in range(runs)]
    best = filled(points, weights, min(tries, key=lambda one: one.cost), k)
    return Partition(best.centres, np.full(len(best.centres), -1), best.labels, best.cost)


def _partition(points: F64, weights: F64, centres: F64, origin: I64) -> Partition:
    labels = nearest(points, centres)
    held = binned(labels, weights, len(centres)) > 0
    if not held.all():
        return _partition(points, weights, centres[held], origin[held])
    gap = points - centres[labels]
    return Partition(centres, origin, labels, math.fsum(weights * np.einsum("ij,ij->i", gap, gap)))


def _sums(points: F64, weights: F64, labels: I64, k: int) -> F64:
    d = points.shape[1]
    cell = (labels[:, None] * d + np.arange(d)).ravel()
    return binned(cell, (weights[:, None] * points).ravel(), k * d).reshape(k, d)

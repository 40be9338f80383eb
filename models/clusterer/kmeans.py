"""Weighted k-means on a few hundred reference points: k-means++ seeds and Lloyd steps.

Points and centres are on the grid, so distances are exact and labels do not depend on the BLAS kernel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.clusterer.grid import quantise
from models.clusterer.references import best, binned, lifted, scoring, squared_distances
from models.events import F64, I64

TRIALS = 4
"""Candidates of a greedy k-means++ step."""
PAIRED = 512
"""Points up to which all distances between them are kept: a start asks for most of them."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """Weighted points, with what every run over them needs again."""

    points: F64
    """(m, d) on the grid."""
    weights: F64
    """(m,) not negative, their sum positive."""

    def squares(self, index: I64) -> F64:
        """Return the squared distances (m, s) of all points to those of `index` (s,)."""
        if len(self.points) > PAIRED:
            return squared_distances(self.points, self.points[index])
        return np.take(self._pairs, index, axis=1)

    def nearest(self, centres: F64) -> I64:
        """Return for each point the index (m,) of the nearest of centres (k, d), the first among equals."""
        return best(self._lifted, scoring(centres))

    def sums(self, labels: I64, k: int) -> F64:
        """Return the weighted sums (k, d) of the points of each label (m,)."""
        d = self.points.shape[1]
        cell = (labels[:, None] * d + np.arange(d)).ravel()
        return binned(cell, self._weighted, k * d).reshape(k, d)

    @cached_property
    def _pairs(self) -> F64:
        return squared_distances(self.points, self.points)

    @cached_property
    def _lifted(self) -> F64:
        return lifted(self.points)

    @cached_property
    def _weighted(self) -> F64:
        return (self.weights[:, None] * self.points).ravel()


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


def seeds(cloud: Cloud, k: int, rng: np.random.Generator) -> F64:
    """Return at most k distinct points chosen by greedy k-means++ (Arthur & Vassilvitskii 2007).

    Fewer come back when there are fewer distinct points of positive weight.
    """
    weights, last = cloud.weights, len(cloud.points) - 1
    mass = np.cumsum(weights)
    chosen = [min(int(np.searchsorted(mass, rng.random() * mass[-1], side="right")), last)]
    to_chosen = cloud.squares(np.array(chosen))[:, 0]
    while len(chosen) < k:
        reach = np.cumsum(to_chosen * weights)
        if reach[-1] <= 0:
            break
        drawn = np.minimum(np.searchsorted(reach, rng.random(TRIALS) * reach[-1], side="right"), last)
        remaining = np.minimum(to_chosen[:, None], cloud.squares(drawn))
        most = int((remaining * weights[:, None]).sum(0).argmin())
        if to_chosen[drawn[most]] <= 0:
            break
        chosen.append(int(drawn[most]))
        to_chosen = remaining[:, most]
    return cloud.points[chosen].copy()


def lloyd(cloud: Cloud, centres: F64, iterations: int = 20) -> Partition:
    """Return the partition after Lloyd steps from `centres` (k, d), on the grid.

    A centre that holds nothing is dropped.
    """
    origin = np.arange(len(centres))
    for _ in range(iterations):
        labels = cloud.nearest(centres)
        mass = binned(labels, cloud.weights, len(centres))
        if not (mass > 0).all():
            centres, origin = centres[mass > 0], origin[mass > 0]
            continue
        moved = quantise(cloud.sums(labels, len(centres)) / mass[:, None])
        if np.array_equal(moved, centres):
            break
        centres = moved
    return _partition(cloud, centres, origin)


def filled(cloud: Cloud, partition: Partition, k: int) -> Partition:
    """Return the partition topped up to k centres, each new one put where the cost is largest."""
    points = cloud.points
    while len(partition.centres) < k:
        squares = squared_distances(points, partition.centres)
        gap = squares[np.arange(len(points)), partition.labels] * cloud.weights
        worst = int(gap.argmax())
        if gap[worst] <= 0:
            break
        refined = lloyd(cloud, np.vstack([partition.centres, points[worst : worst + 1]]))
        if len(refined.centres) <= len(partition.centres):
            break
        origin = np.append(partition.origin, -1)[refined.origin]
        partition = Partition(refined.centres, origin, refined.labels, refined.cost)
    return partition


def best_of(cloud: Cloud, k: int, rng: np.random.Generator, runs: int) -> Partition:
    """Return the cheapest of `runs` k-means++ starts, the first among equals; origins are -1."""
    tries = [lloyd(cloud, seeds(cloud, k, rng)) for _ in range(runs)]
    found = filled(cloud, min(tries, key=lambda one: one.cost), k)
    return Partition(found.centres, np.full(len(found.centres), -1), found.labels, found.cost)


def _partition(cloud: Cloud, centres: F64, origin: I64) -> Partition:
    labels = cloud.nearest(centres)
    held = binned(labels, cloud.weights, len(centres)) > 0
    if not held.all():
        return _partition(cloud, centres[held], origin[held])
    gap = cloud.points - centres[labels]
    cost = math.fsum(cloud.weights * np.einsum("ij,ij->i", gap, gap))
    return Partition(centres, origin, labels, cost)

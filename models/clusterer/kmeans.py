"""Weighted k-means on a few hundred reference points: k-means++ seeds and Lloyd steps.

Points and centres are on the grid, so distances are exact and labels do not depend on the BLAS kernel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.clusterer import kmeans_kernels as kernels
from models.clusterer.grid import quantise
from models.clusterer.references import binned, squared_distances
from models.events import F64, I64

TRIALS = 4
"""Candidates of a greedy k-means++ step."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """Weighted points."""

    points: F64
    """(m, d) on the grid."""
    weights: F64
    """(m,) not negative, their sum positive."""

    def nearest(self, centres: F64) -> I64:
        """Return for each point the index (m,) of the nearest of centres (k, d), the first among equals."""
        labels = np.empty(len(self.points), np.int64)
        kernels.nearest(
            self.points, np.require(centres, requirements="W"), labels
        )  # else another is compiled
        return labels

    def weighed(self, labels: I64, k: int) -> tuple[F64, F64]:
        """Return the mass (k,) and the weighted sums (k, d) of the points of each label (m,)."""
        mass, sums = np.zeros(k), np.zeros((k, self.points.shape[1]))
        kernels.weigh(self.points, self.weights, labels, mass, sums)
        return mass, sums


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
    points, weights = cloud.points, cloud.weights
    mass = np.cumsum(weights)
    start = min(int(np.searchsorted(mass, rng.random() * mass[-1], side="right")), len(points) - 1)
    chosen, least = [start], squared_distances(points, points[start : start + 1])[:, 0]
    while len(chosen) < k:
        found = kernels.draw(points, weights, least, rng.random(TRIALS))
        if found < 0:
            break
        chosen.append(found)
    return points[chosen].copy()


def lloyd(cloud: Cloud, centres: F64, iterations: int = 20) -> Partition:
    """Return the partition after Lloyd steps from `centres` (k, d), on the grid.

    A centre that holds nothing is dropped.
    """
    origin = np.arange(len(centres))
    for _ in range(iterations):
        labels = cloud.nearest(centres)
        mass, sums = cloud.weighed(labels, len(centres))
        if not (mass > 0).all():
            centres, origin = centres[mass > 0], origin[mass > 0]
            continue
        moved = quantise(sums / mass[:, None])
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

"""The macro step: segments out of reference points, with the numbers of the version before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.clusterer import identity
from models.clusterer.kmeans import Cloud, Partition, best_of, filled, lloyd
from models.clusterer.lineage import LineageEvent
from models.clusterer.references import References, binned
from models.events import F64, I64

FIRST_RUNS = 8
"""k-means++ starts of the first model, and of one with fewer segments than the version before."""
RUNS = 3
"""k-means++ starts that each later version is challenged with."""


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Segments by ascending number."""

    centres: F64
    """(k, d) on the grid."""
    counts: F64
    """(k,) decayed rows."""
    numbers: I64
    """(k,)"""
    lineage: tuple[LineageEvent, ...]
    next_number: int


def first(
    references: References, k: int, next_number: int, old: I64, rng: np.random.Generator
) -> Segmentation:
    """Return segments without a version before; the numbers `old`, of other features, died."""
    weights = references.sums.count
    partition = best_of(Cloud(references.points, weights), k, rng, FIRST_RUNS)
    mass = np.zeros((len(old), len(partition.centres)))
    return _identified(partition, weights, mass, old, next_number)


def following(
    references: References, k: int, previous: Segmentation, gain: float, rng: np.random.Generator
) -> Segmentation:
    """Return segments that start from the version before.

    A fresh clustering takes its place only when it lowers the cost by the share `gain`, or when there are
    more segments at hand than the `k` that are asked for.
    """
    weights = references.sums.count
    cloud = Cloud(references.points, weights)
    before = cloud.nearest(previous.centres)
    partition = filled(cloud, lloyd(cloud, previous.centres), k)
    too_many = len(partition.centres) > k
    fresh = best_of(cloud, k, rng, FIRST_RUNS if too_many else RUNS)
    if too_many or fresh.cost < (1.0 - gain) * partition.cost:
        shape = len(previous.centres), len(fresh.centres)
        origin = identity.carried(identity.overlap(before, fresh.labels, weights, shape))
        partition = Partition(fresh.centres, origin, fresh.labels, fresh.cost)
    mass = identity.overlap(
        before, partition.labels, weights, (len(previous.centres), len(partition.centres))
    )
    return _identified(partition, weights, mass, previous.numbers, previous.next_number)


def _identified(partition: Partition, weights: F64, mass: F64, old: I64, next_number: int) -> Segmentation:
    counts = binned(partition.labels, weights, len(partition.centres))
    numbers, next_number = identity.numbered(partition.origin, old, counts, next_number)
    order = np.argsort(numbers)
    events = identity.lineage(mass[:, order], old, numbers[order])
    return Segmentation(partition.centres[order], counts[order], numbers[order], events, next_number)

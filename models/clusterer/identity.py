"""Which new segment is which old one, and what became of the others.

Segments are the same when the same mass lies in them (MONIC, Spiliopoulou et al. 2006): members are
reference points weighted with the rows behind them.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from models.clusterer.lineage import LineageEvent, LineageKind
from models.clusterer.references import binned
from models.events import F64, I64

SAME = 0.3
"""Smallest Jaccard overlap of mass at which a segment keeps its number over a re-clustering."""
MOST = 0.5
"""Share of a segment's mass that makes another segment its parent or its heir."""


def overlap(before: I64, after: I64, weights: F64, shape: tuple[int, int]) -> F64:
    """Return the mass (k_before, k_after) that lies in old segment i and new segment j."""
    return binned(before * shape[1] + after, weights, shape[0] * shape[1]).reshape(shape)


def carried(mass: F64) -> I64:
    """Return for each new segment the old one (index) that it continues, -1 for none; no old one twice."""
    union = mass.sum(1)[:, None] + mass.sum(0) - mass
    jaccard = np.divide(mass, union, out=np.zeros_like(mass), where=union > 0)
    jaccard[jaccard < SAME] = 0.0
    old, new = linear_sum_assignment(-jaccard)
    origin = np.full(mass.shape[1], -1)
    same = jaccard[old, new] > 0
    origin[new[same]] = old[same]
    return origin


def numbered(origin: I64, old: I64, counts: F64, next_number: int) -> tuple[I64, int]:
    """Return the number of each new segment and the next free one; new numbers go by falling size."""
    numbers = np.where(origin >= 0, old[origin] if len(old) else 0, 0)
    for place in np.lexsort((np.arange(len(counts)), -counts)):
        if origin[place] < 0:
            numbers[place] = next_number
            next_number += 1
    return numbers, next_number


def lineage(mass: F64, old: I64, new: I64) -> tuple[LineageEvent, ...]:
    """Return what became of every segment, those of the new version first; `mass` as from `overlap`."""
    events = [_arrival(mass[:, j], old, int(number)) for j, number in enumerate(new)]
    gone = [i for i, number in enumerate(old) if number not in new]
    return (*events, *(_departure(mass[i], int(old[i]), new) for i in gone))


def _arrival(column: F64, old: I64, number: int) -> LineageEvent:
    if number in old:
        place = int(np.flatnonzero(old == number)[0])
        return LineageEvent(LineageKind.SURVIVED, number, number, _share(column, place))
    if len(old):
        parent = int(column.argmax())
        share = _share(column, parent)
        if share >= MOST:
            return LineageEvent(LineageKind.SPLIT, number, int(old[parent]), share)
    return LineageEvent(LineageKind.BORN, number)


def _departure(row: F64, number: int, new: I64) -> LineageEvent:
    heir = int(row.argmax())
    share = _share(row, heir)
    if share >= MOST:
        return LineageEvent(LineageKind.ABSORBED, number, int(new[heir]), share)
    return LineageEvent(LineageKind.DIED, number, share=share)


def _share(mass: F64, place: int) -> float:
    total = float(mass.sum())
    return float(mass[place]) / total if total > 0 else 0.0

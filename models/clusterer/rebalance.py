"""Keeping the reference points where they are worth most: merge the cheapest pair, split the worst."""

from __future__ import annotations

import numpy as np

from models.clusterer.grid import GRID, quantise_clipped
from models.clusterer.references import References, Sums, squared_distances
from models.events import F64

SPLIT_AT = 0.8
"""Two points at ±0.8 standard deviations serve a normal spread best; 0.64 of its variance goes away."""
SPLIT_GAIN = SPLIT_AT**2
SPLIT_FROM = 4.0
"""Fewest (decayed) rows of a reference that is split."""
WORTH = 2.0
"""A split that costs a merge must gain this many times what the merge loses."""
VANISHED = 1e-9
"""Decayed rows below which a reference is dropped."""
DOUBT = 0.5
"""Rows more or less that prove nothing about a point."""
BAND = (0.75, 1.33)
"""Standard deviations (in present units) within which the scale of a feature stays as it is."""
OFF_CENTRE = 0.3
"""Distance of the mean from 0 up to which it stays as it is."""
FLAT = 8 / GRID
"""Standard deviation below which a feature counts as constant and keeps its scale."""


def confirmed(known: Sums, epoch: Sums) -> F64:
    """Return how much (m,) of what is known about each point still stands, by the rows of an epoch.

    Where fewer rows came than the point's share of all lets expect, a drift has emptied the place. Without
    this, what is left of it held a segment of its own for epochs, as it lies far from everything else.
    """
    expected = known.count * (float(epoch.count.sum()) / max(float(known.count.sum()), VANISHED))
    share = (epoch.count + DOUBT) / (expected + DOUBT)
    return np.minimum(share * share, 1.0)


def drop_vanished(references: References) -> None:
    """Drop references that hardly any row stands behind any more; at least one stays."""
    kept = np.flatnonzero(references.sums.count > VANISHED)
    if not len(kept):
        kept = np.array([int(references.sums.count.argmax())])
    if len(kept) < len(references.points):
        references.keep(kept)


def rebalance(references: References, size: int) -> None:
    """Grow to `size` references where a split helps; then move a few to where they help more."""
    squares: F64 | None = None
    for _ in range(max(2, size // 16) + max(size - len(references.points), 0)):
        sums = references.sums
        widest = sums.second.max(axis=1)
        widest[sums.count < SPLIT_FROM] = 0.0
        worst = int(widest.argmax())
        gain = SPLIT_GAIN * float(widest[worst])
        if gain <= SPLIT_FROM * FLAT**2:
            return
        if len(references.points) < size:
            _split(references, worst, _grown(references))
            continue
        if squares is None:
            squares = squared_distances(references.points, references.points)
        pair = _cheapest_pair(references, squares, worst)
        if pair is None or gain < WORTH * pair[2]:
            return
        _merge(references, pair[0], pair[1])
        _split(references, worst, pair[1])
        moved = [worst, *pair[:2]]
        squares[moved] = squared_distances(references.points[moved], references.points)
        squares[:, moved] = squares[moved].T


def follow_scale(references: References) -> tuple[F64, F64] | None:
    """Re-standardise features whose mean or spread has left its band; exact, since the map is affine.

    Returns:
        (offset, factor), each (d,): new = (old - offset) * factor; None when every feature stays as it is.
    """
    mean, deviation = references.moments()
    stretch = ((deviation < BAND[0]) | (deviation > BAND[1])) & (deviation > FLAT)
    move = stretch | (np.abs(mean) > OFF_CENTRE)
    if not move.any():
        return None
    factor = np.where(stretch, 1.0 / np.where(stretch, deviation, 1.0), 1.0)
    offset = np.where(move, mean, 0.0)
    references.sums.rescale(factor)
    references.points = (references.points - offset) * factor
    references.move(quantise_clipped(references.points))
    return offset, factor


def _cheapest_pair(references: References, squares: F64, besides: int) -> tuple[int, int, float] | None:
    """Return the pair that is cheapest to merge (Ward), `besides` excluded, and the error it adds.

    `squares` (m, m) are the squared distances between the points.
    """
    count = references.sums.count
    both = np.maximum(count[:, None] + count, VANISHED)
    cost = squares * (count[:, None] * count / both)
    np.fill_diagonal(cost, np.inf)
    cost[besides] = np.inf
    cost[:, besides] = np.inf
    best = int(cost.argmin())
    first, second = divmod(best, len(count))
    if not np.isfinite(cost[first, second]):
        return None
    return first, second, float(cost[first, second])


def _merge(references: References, into: int, other: int) -> None:
    """Move the rows of `other` to `into`, whose point becomes their common mean; `other` is left empty."""
    pair, sums = np.array([into, other]), references.sums
    part = References(references.points[pair].copy(), sums.select(pair))
    held = part.sums.count
    mean = (held[:, None] * part.points + part.sums.first).sum(0) / max(float(held.sum()), VANISHED)
    part.move(np.tile(quantise_clipped(mean), (2, 1)))
    references.points[pair] = part.points
    sums.count[into], sums.count[other] = held.sum(), 0.0
    for whole, moments in ((sums.first, part.sums.first), (sums.second, part.sums.second)):
        whole[into], whole[other] = moments.sum(0), 0.0


def _split(references: References, index: int, free: int) -> None:
    """Put half the rows of `index` on the slot `free`, the two points apart along the widest feature."""
    points, sums = references.points, references.sums
    feature = int(sums.second[index].argmax())
    away = SPLIT_AT * float(np.sqrt(sums.second[index, feature] / sums.count[index]))
    sums.count[index] /= 2
    sums.second[index] /= 2
    sums.second[index, feature] *= 1.0 - SPLIT_GAIN
    sums.first[index] = 0.0
    points[free] = points[index]
    points[free, feature] += away
    points[index, feature] -= away
    points[[free, index]] = quantise_clipped(points[[free, index]])
    sums.count[free], sums.first[free], sums.second[free] = sums.count[index], 0.0, sums.second[index]


def _grown(references: References) -> int:
    """Add an empty slot and return its index."""
    sums, d = references.sums, references.points.shape[1]
    references.points = np.vstack([references.points, np.zeros((1, d))])
    references.sums = Sums(
        np.append(sums.count, 0.0),
        np.vstack([sums.first, np.zeros((1, d))]),
        np.vstack([sums.second, np.zeros((1, d))]),
    )
    return len(references.points) - 1

"""The first reference points, from raw rows."""

from __future__ import annotations

import math

import numpy as np

from models.clusterer.grid import LIMIT, Scale, ordered
from models.clusterer.kmeans import Cloud, lloyd, seeds
from models.clusterer.references import References, Sums
from models.events import F64

TAIL = 0.02
"""Share of the values on either side that is winsorised before mean and spread are taken."""
FLAT = 1e-9
"""Spread below which a feature counts as constant; its scale is then 1."""
LLOYD_STEPS = 5


def bootstrap(rows: F64, size: int, seed: int) -> tuple[Scale, References]:
    """Return the scale and at most `size` references for transformed rows (n, d) in any order, n >= 1."""
    rows = ordered(rows)
    scale = _scale(rows)
    standard = scale.to_grid(rows)
    cloud = Cloud(standard, np.ones(len(standard)))
    chosen = seeds(cloud, size, np.random.default_rng([seed, 0]))
    points = lloyd(cloud, chosen, LLOYD_STEPS).centres
    references = References(points, Sums.zero(points.shape))
    references.sums.add_rows(points, standard)
    references.to_means()
    return scale, references


def _scale(rows: F64) -> Scale:
    pairs = [_mean_and_spread(column) for column in rows.T]
    mean, spread = np.array(pairs).T
    return Scale(mean, 1.0 / spread)


def _mean_and_spread(column: F64) -> tuple[float, float]:
    """Return the winsorised mean and standard deviation of the usable values; (0, 1) without any."""
    values = np.sort(column[np.abs(column) < LIMIT])
    if not len(values):
        return 0.0, 1.0
    cut = int(TAIL * len(values))
    for inner in (np.clip(values, values[cut], values[-1 - cut]), values):
        mean = math.fsum(inner) / len(inner)
        spread = math.sqrt(math.fsum((inner - mean) ** 2) / len(inner))
        if spread > FLAT:
            return mean, spread
    return mean, 1.0

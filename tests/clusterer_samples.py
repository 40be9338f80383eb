"""Seeded mixtures, and the yardsticks that the clusterer is measured with."""

from __future__ import annotations

import numpy as np

from models.clusterer import Accumulator, Delta, Merger, Model
from models.events import F64, I64

FEATURES = ("average_order", "days_known", "orders_total", "trend", "views_half30d", "weekend_share")
SHARES = (0.24, 0.19, 0.16, 0.13, 0.1, 0.08, 0.06, 0.04)


def mixture(seed: int, rows: int, features: int = len(FEATURES), spread: float = 0.35) -> tuple[F64, I64]:
    """Return rows (n, d) in mixed units and the group (n,) of each; a seed has the same groups always."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(SHARES), features)) * 2.0
    units = 10.0 ** rng.integers(-2, 3, features)
    group = rng.choice(len(SHARES), rows, p=SHARES)
    return (centres[group] + rng.normal(size=(rows, features)) * spread) * units, group


def adjusted_rand(first: I64, second: I64) -> float:
    """Return the adjusted Rand index (Hubert & Arabie 1985, equation 5)."""
    _, a = np.unique(first, return_inverse=True)
    _, b = np.unique(second, return_inverse=True)
    table = np.zeros((int(a.max()) + 1, int(b.max()) + 1))
    np.add.at(table, (a, b), 1)

    def pairs(counts: F64) -> float:
        return float((counts * (counts - 1) / 2).sum())

    rows, columns = pairs(table.sum(1)), pairs(table.sum(0))
    expected = rows * columns / pairs(np.array([float(len(a))]))
    return (pairs(table) - expected) / ((rows + columns) / 2 - expected)


def partition_cost(rows: F64, label: I64) -> float:
    """Return the sum of squared distances of rows to the mean of their group."""
    return sum(
        float(((rows[label == one] - rows[label == one].mean(0)) ** 2).sum()) for one in np.unique(label)
    )


def batch_cost(rows: F64, k: int, seed: int, runs: int = 10) -> float:
    """Return the cost of batch k-means++ on all rows, the best of `runs`."""
    rng = np.random.default_rng(seed)
    best = np.inf
    for _ in range(runs):
        centres = rows[[int(rng.integers(len(rows)))]]
        while len(centres) < k:
            reach = ((rows[:, None] - centres) ** 2).sum(2).min(1)
            centres = np.vstack([centres, rows[int(rng.choice(len(rows), p=reach / reach.sum()))]])
        for _ in range(50):
            label = ((rows[:, None] - centres) ** 2).sum(2).argmin(1)
            centres = np.array(
                [rows[label == j].mean(0) if (label == j).any() else centres[j] for j in range(k)]
            )
        best = min(best, partition_cost(rows, label))
    return best


def deltas_of(
    rows: F64, model: Model | None, batch: int = 1000, features: tuple[str, ...] = FEATURES
) -> list[Delta]:
    """Return what one worker hands out after learning the rows in batches."""
    accumulator = Accumulator(features, model, bootstrap_rows=len(rows))
    for start in range(0, len(rows), batch):
        accumulator.learn(rows[start : start + batch])
    return accumulator.take()


def first_model(
    rows: F64, features: tuple[str, ...] = FEATURES, n_clusters: int = 8, n_micro: int = 128
) -> Model:
    """Return the first model of the rows."""
    merger = Merger(features, n_clusters, n_micro)
    for delta in deltas_of(rows, None, features=features):
        merger.merge(delta, 0, 0)
    return merger.advance()

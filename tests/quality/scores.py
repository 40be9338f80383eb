"""Run a method over a stream and score it."""

from __future__ import annotations

from dataclasses import dataclass
from time import process_time

import numpy as np
from scipy.cluster.vq import kmeans2

from models.events import F64, I64
from tests.clusterer_samples import adjusted_rand, partition_cost
from tests.quality.methods import K, Method

RUNS = 10
"""Starts of batch k-means++; the best one counts."""
PROBE = 1000
STEP = 1000
"""Rows between two looks at the fixed rows, and of an epoch of ours: one version each."""
FAR = 8.0
"""Standard deviations at which rows are cut off before costs are compared."""


@dataclass(frozen=True)
class Score:
    """How a method did; NaN where there is nothing to tell."""

    ssq: float
    """Partition cost relative to batch k-means++ on the same rows."""
    ari: float
    """Adjusted Rand index to the truth."""
    churn: float
    """Share of fixed rows whose label changes over a thousand learned rows."""
    clusters: int
    rate: float
    """Rows learned per second of CPU, the scaler included."""


@dataclass(frozen=True)
class Yardstick:
    """Rows that labels are scored on, and what batch k-means++ makes of them."""

    rows: F64
    standard: F64
    cost: float
    label: I64


def standardised(rows: F64) -> F64:
    """Return rows (n, d) in standard deviations, missing ones as the mean, cut off far out."""
    known = np.isfinite(rows)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, rows, 0.0).sum(0) / count
    away = np.where(known, rows - mean, 0.0)
    deviation = np.sqrt((away * away).sum(0) / count)
    return np.clip(away / np.where(deviation > 1e-9, deviation, 1.0), -FAR, FAR)


def yardstick(rows: F64, standard: F64 | None = None, k: int = K) -> Yardstick:
    """Return the best of several runs of batch k-means++ on rows, in standard deviations by default."""
    scaled = standardised(rows) if standard is None else standard
    labels = [kmeans2(scaled, k, iter=60, minit="++", rng=run, missing="warn")[1] for run in range(RUNS)]
    costs = [partition_cost(scaled, label) for label in labels]
    best = int(np.argmin(costs))
    return Yardstick(rows, scaled, costs[best], labels[best].astype(np.int64))


def score(method: Method, rows: F64, truth: I64 | None, yard: Yardstick) -> Score:
    """Let a method learn rows, and score its labels of the yardstick's rows; truth -1 is left out."""
    spent, probe = 0.0, yard.rows[:PROBE]
    changed: list[float] = []
    before: I64 | None = None
    for start in range(0, len(rows), STEP):
        begin = process_time()
        method.learn(rows[start : start + STEP])
        spent += process_time() - begin
        if start + STEP > len(rows) // 2:
            label = method.predict(probe)
            if before is not None:
                changed.append(float((label != before).mean()))
            before = label
    label = method.predict(yard.rows)
    known = np.ones(len(label), np.bool_) if truth is None else truth >= 0
    ari = float("nan") if truth is None else adjusted_rand(truth[known], label[known])
    return Score(
        partition_cost(yard.standard, label) / yard.cost,
        ari,
        float(np.mean(changed)) if changed else float("nan"),
        len(np.unique(label)),
        len(rows) / spent,
    )

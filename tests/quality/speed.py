"""Rows per second of CPU, beside River's KMeans measured in the same minute."""

from __future__ import annotations

from dataclasses import dataclass
from time import process_time

from river import cluster, preprocessing

from models.clusterer import SegmentClusterer
from tests.quality.scenarios import scenario

ROUNDS = 5
"""Measured this often, the best counts: others use the machine too."""


@dataclass(frozen=True)
class Speed:
    """Rows per second of CPU."""

    name: str
    learn: float
    predict: float
    both: float
    """Predict, then learn."""


def ours(batch: int, rows: int) -> Speed:
    """Return the rates at a batch size, new versions every 20,000 rows included."""
    data = scenario("stationary", 1, 20_000).rows
    clusterer = SegmentClusterer(epoch=20_000, half_life=200_000)
    clusterer.learn_many(data)
    learn, predict = [], []
    for _ in range(ROUNDS):
        start = process_time()
        for at in range(0, rows, batch):
            clusterer.learn_many(data[at % 20_000 : at % 20_000 + batch])
        middle = process_time()
        for at in range(0, rows, batch):
            clusterer.predict_many(data[at % 20_000 : at % 20_000 + batch])
        learn.append(middle - start)
        predict.append(process_time() - middle)
    best = min(a + b for a, b in zip(learn, predict, strict=True))
    return Speed(f"ours, batch {batch}", rows / min(learn), rows / min(predict), rows / best)


def river(rows: int = 3000) -> Speed:
    """Return the rates of River's KMeans behind its scaler."""
    data = [dict(enumerate(row)) for row in scenario("stationary", 1, rows).rows.tolist()]
    learn, predict = [], []
    for _ in range(ROUNDS):
        model = preprocessing.StandardScaler() | cluster.KMeans(n_clusters=8, halflife=0.02, seed=42)
        start = process_time()
        for x in data:
            model.learn_one(x)
        middle = process_time()
        for x in data:
            model.predict_one(x)
        learn.append(middle - start)
        predict.append(process_time() - middle)
    best = min(a + b for a, b in zip(learn, predict, strict=True))
    return Speed("River KMeans", rows / min(learn), rows / min(predict), rows / best)

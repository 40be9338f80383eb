"""The clusterers that are compared, behind one face."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from river import cluster, preprocessing

from models.clusterer import SegmentClusterer
from models.events import F64, I64

K = 8
SEED = 42


class Method(Protocol):
    """Learns rows in their order and labels rows; NaN is missing."""

    def learn(self, rows: F64) -> None:
        """Learn rows (n, d)."""
        ...

    def predict(self, rows: F64) -> I64:
        """Return the label (n,) of each row."""
        ...

    def written(self) -> bytes:
        """Return what the method would publish beside labels; empty where it has no bytes of its own."""
        ...


class Ours:
    """The product's clusterer, in batches of a thousand."""

    def __init__(self, epoch: int, k: int = K) -> None:
        self.clusterer = SegmentClusterer(n_clusters=k, warmup=500, epoch=epoch, seed=SEED)

    def learn(self, rows: F64) -> None:
        """Learn rows (n, d)."""
        for start in range(0, len(rows), 1000):
            self.clusterer.learn_many(rows[start : start + 1000])

    def predict(self, rows: F64) -> I64:
        """Return the number (n,) of each row's segment."""
        return self.clusterer.predict_many(rows)

    def written(self) -> bytes:
        """Return the model."""
        return b"" if self.clusterer.model is None else self.clusterer.model.to_bytes()


class River:
    """One of River's clusterers behind its standard scaler, a row at a time."""

    def __init__(self, model: Any) -> None:
        self.model = preprocessing.StandardScaler() | model
        self._middle: F64 | None = None

    def learn(self, rows: F64) -> None:
        """Learn rows (n, d); what is missing is filled in first, as one NaN spoils these models."""
        for row in self._dicts(rows):
            self.model.learn_one(row)

    def predict(self, rows: F64) -> I64:
        """Return the label (n,) of each row."""
        return np.array([self.model.predict_one(row) for row in self._dicts(rows)], dtype=np.int64)

    def written(self) -> bytes:
        """Return nothing: River's models have no bytes of their own."""
        return b""

    def _dicts(self, rows: F64) -> list[dict[str, float]]:
        if self._middle is None:
            known = np.isfinite(rows)
            self._middle = np.where(known, rows, 0.0).sum(0) / np.maximum(known.sum(0), 1)
        filled = np.where(np.isfinite(rows), rows, self._middle)
        names = [f"f{column:02}" for column in range(rows.shape[1])]
        return [dict(zip(names, row, strict=True)) for row in filled.tolist()]


METHODS: dict[str, Callable[[int], Method]] = {
    "ours": Ours,
    "River KMeans": lambda _: River(cluster.KMeans(n_clusters=K, halflife=0.02, seed=SEED)),
    "River STREAMKMeans": lambda _: River(
        cluster.STREAMKMeans(chunk_size=100, n_clusters=K, halflife=0.5, seed=SEED)
    ),
    "River CluStream": lambda _: River(
        cluster.CluStream(n_macro_clusters=K, max_micro_clusters=100, time_gap=500, seed=SEED, halflife=0.4)
    ),
    "River DBSTREAM": lambda _: River(
        cluster.DBSTREAM(
            clustering_threshold=2.0,
            fading_factor=0.001,
            cleanup_interval=1000,
            intersection_factor=0.1,
            minimum_weight=2.0,
        )
    ),
    "River DenStream": lambda _: River(
        cluster.DenStream(decaying_factor=0.001, beta=0.5, mu=2.5, epsilon=1.5, n_samples_init=500)
    ),
}
"""Name to a maker, which is told the rows of an epoch. Thresholds of the last two suit the mixtures, so do
chunk and half-life of STREAMKMeans: the best of nine pairs."""

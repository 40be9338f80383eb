"""How many segments the reference points speak for: advice to people, never acted upon."""

from __future__ import annotations

import numpy as np

from models.clusterer.kmeans import best_of
from models.clusterer.model import Model
from models.clusterer.references import squared_distances
from models.events import F64, I64

RUNS = 3
"""k-means++ starts for each number of clusters."""


def silhouettes(model: Model, most: int = 14, seed: int = 42) -> dict[int, float]:
    """Return the silhouette of the references, weighted with their rows, for 2 to `most` clusters.

    The silhouette (Rousseeuw 1987) is in [-1, 1], higher is clearer. Customers are a continuum more often
    than not: then it says 2, or differs little, and the choice is a matter of use.
    """
    weights = model.sums.count
    distances = np.sqrt(squared_distances(model.points, model.points))
    result = {}
    for k in range(2, min(most, len(model.points)) + 1):
        labels = best_of(model.points, weights, k, np.random.default_rng([seed, k]), RUNS).labels
        if len(np.unique(labels)) == k:
            result[k] = _silhouette(distances, weights, labels, k)
    return result


def _silhouette(distances: F64, weights: F64, labels: I64, k: int) -> float:
    row = np.arange(len(labels))
    member = np.zeros((len(labels), k))
    member[row, labels] = weights
    mean = (distances @ member) / member.sum(0)
    own = mean[row, labels]
    mean[row, labels] = np.inf
    other = mean.min(axis=1)
    larger = np.maximum(own, other)
    score = np.divide(other - own, larger, out=np.zeros(len(own)), where=larger > 0)
    return float((score * weights).sum() / weights.sum())

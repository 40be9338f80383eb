"""How many segments the reference points speak for: advice to people, never acted upon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.clusterer.kmeans import Cloud, best_of
from models.clusterer.model import Model
from models.clusterer.references import nearest, squared_distances
from models.events import F64, I64

RUNS = 3
"""k-means++ starts for each number of clusters."""


@dataclass(frozen=True, slots=True)
class Advice:
    """How clear a model's segments are, and which number of them would be clearest."""

    segments: int
    silhouette: float
    """That of the model's own segments."""
    clearest: int
    clearest_silhouette: float
    """The highest of 2 to 14 clusters."""


def advise(model: Model) -> Advice | None:
    """Return advice on the number of segments, None where there is nothing to compare."""
    scores = silhouettes(model)
    held = model.sums.count > 0
    points = model.points[held]
    found, labels = np.unique(nearest(points, model.centres), return_inverse=True)
    if not scores or len(found) < 2:
        return None
    distances = np.sqrt(squared_distances(points, points))
    own = _silhouette(distances, model.sums.count[held], labels, len(found))
    number = len(model.centres)
    scores[number] = max(own, scores.get(number, own))
    clearest = max(scores, key=scores.__getitem__)
    return Advice(number, own, clearest, scores[clearest])


def silhouettes(model: Model, most: int = 14, seed: int = 42) -> dict[int, float]:
    """Return the silhouette of the references, weighted with their rows, for 2 to `most` clusters.

    The silhouette (Rousseeuw 1987) is in [-1, 1], higher is clearer. Customers are a continuum more often
    than not: then it says 2, or differs little, and the choice is a matter of use.
    """
    held = model.sums.count > 0
    points, weights = model.points[held], model.sums.count[held]
    distances = np.sqrt(squared_distances(points, points))
    cloud, result = Cloud(points, weights), {}
    for k in range(2, min(most, len(points)) + 1):
        labels = best_of(cloud, k, np.random.default_rng([seed, k]), RUNS).labels
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

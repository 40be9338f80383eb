"""The feature registry: what is known of a customer, by name.

A feature is a function of a customer's row and of the time it is asked for. README and console tables are
made from this registry, and the names are what `segments.toml`, records and Parquet files use.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models import value as value_models
from models.calendar import Calendar
from models.events import F64
from models.features.browsing import browsing, engagement, visits
from models.features.interests import attributes, funnel, interests
from models.features.purchases import purchases
from models.features.value import value
from models.features.view import Feature, View, order_history
from models.profiles.layout import ROW

__all__ = [
    "BY_NAME",
    "CLUSTERED",
    "FEATURES",
    "Feature",
    "View",
    "evaluate",
    "order_history",
    "prepare",
    "vectors",
    "vectors_later",
]

FEATURES: tuple[Feature, ...] = (
    *purchases(),
    *browsing(),
    *visits(),
    *engagement(),
    *funnel(),
    *interests(),
    *value(),
    *attributes(),
)
"""All features, in the order of tables."""

BY_NAME: dict[str, Feature] = {f.name: f for f in FEATURES}
CLUSTERED: tuple[Feature, ...] = tuple(f for f in FEATURES if f.clustered)
"""The features that customers are clustered on."""
_MOVING = [j for j, feature in enumerate(CLUSTERED) if feature.course != "still"]


def prepare() -> None:
    """Have the kernel compiled, or loaded if it was compiled before: no event shall wait for it."""
    value_models.prepare()
    View(np.empty(0, ROW), np.empty(0, np.int64), Calendar.utc()).read(FEATURES)


def evaluate(view: View, features: Sequence[Feature] = FEATURES) -> dict[str, F64]:
    """Return the value of each feature; (n,) float64 each, NaN for unknown, codes for names."""
    view.read(features)
    return {f.name: f.value(view) for f in features}


def vectors(view: View, features: Sequence[Feature] = CLUSTERED) -> F64:
    """Return (n, d) transformed features for the clusterer; NaN for unknown."""
    view.read(features)
    out = np.empty((len(view.now), len(features)))
    for j, feature in enumerate(features):
        out[:, j] = _transformed(feature, view)
    return out


def vectors_later(view: View, seen: F64) -> F64:
    """Return the vectors (n, d) of customers without events since, on the day on which `seen` (n, d) was."""
    view.read([CLUSTERED[j] for j in _MOVING])
    out = seen.copy()
    for j in _MOVING:
        out[:, j] = _transformed(CLUSTERED[j], view)
    return out


def _transformed(feature: Feature, view: View) -> F64:
    column = view.column(feature)
    return np.log1p(np.maximum(column, 0.0)) if feature.transform == "log1p" else column

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
from models.features.arithmetic import lay_out
from models.features.browsing import browsing, engagement, visits
from models.features.interests import attributes, funnel, interests
from models.features.purchases import purchases
from models.features.reading import LINE
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
    """Have the kernels compiled, or loaded if they were compiled before: no event shall wait for them."""
    value_models.prepare()
    nobody = View(np.empty(0, ROW), np.empty(0, np.int64), Calendar.utc())
    nobody.read(FEATURES)
    vectors(nobody)


def evaluate(view: View, features: Sequence[Feature] = FEATURES) -> dict[str, F64]:
    """Return the value of each feature; (n,) float64 each, NaN for unknown, codes for names."""
    view.read(features)
    return {f.name: f.value(view) for f in features}


def vectors(view: View, features: Sequence[Feature] = CLUSTERED) -> F64:
    """Return (n, d) transformed features for the clusterer; NaN for unknown."""
    view.read(features)
    return _laid_out(view, features, range(len(features)), np.empty((len(view.now), len(features))))


def vectors_later(view: View, seen: F64) -> F64:
    """Return the vectors (n, d) of customers without events since, on the day on which `seen` (n, d) was."""
    moving = [CLUSTERED[j] for j in _MOVING]
    view.read(moving)
    return _laid_out(view, moving, _MOVING, seen.copy())


def _laid_out(view: View, features: Sequence[Feature], places: Sequence[int], rows: F64) -> F64:
    """Write transformed features to their places in rows (n, d), and return these."""
    n = len(rows)
    columns = np.empty((len(features), n // LINE * LINE + 3 * LINE))  # no two columns 4 KiB apart
    for feature, column in zip(features, columns[:, :n], strict=True):
        value = view.column(feature)
        if feature.transform == "log1p":
            np.log1p(np.maximum(value, 0.0, out=column), out=column)
        else:
            column[:] = value
    lay_out(columns, np.array(places, np.int64), rows)
    return rows

"""What would have to change for a customer to move: single features, in their units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.clusterer import Model, crossings
from models.events import F64
from models.features import BY_NAME, Feature

DECIMALS = 2
"""Of a value that is not a whole number; it is rounded away from what it is now, so that it is enough."""


@dataclass(frozen=True, slots=True)
class Enough:
    """One feature which, changed alone, would move a customer."""

    feature: str
    value: float
    """In the feature's unit; the customer moves at this value, rounded to what people read."""
    number: int
    """The segment that the customer would move to."""
    away: float
    """Standard deviations from what it is now."""


def outlook(model: Model, row: F64, current: int, margin: float) -> list[Enough]:
    """Return which single features would move a customer to another segment, the least change first.

    Left out are unknown features, and values that cannot be: below 0, shares above 1, a total that falls.

    Args:
        model: decides; its features are in the registry.
        row: (d,) transformed features of the customer.
        current: number of the segment held.
        margin: share by which another segment must be nearer, 0 to 1.
    """
    found = []
    for side, values in enumerate(crossings(model, row, current, margin)):
        for j in np.flatnonzero(~np.isnan(values) & np.isfinite(row)).tolist():
            feature = BY_NAME[model.features[j]]
            value = _rounded(feature, _in_units(feature, float(values[j])), up=bool(side))
            if not _possible(feature, value, up=bool(side)):
                continue
            there = row.copy()
            there[j] = np.log1p(value) if feature.transform == "log1p" else value
            number = int(model.decide(there[None], np.array([current]), margin)[0])
            if number != current:  # the rounding may have gone beyond the place where the customer moves
                away = abs(float(there[j] - row[j])) * float(model.scale.inverse[j])
                found.append(Enough(feature.name, value, number, away))
    return sorted(found, key=lambda one: one.away)


def _in_units(feature: Feature, transformed: float) -> float:
    return float(np.expm1(transformed)) if feature.transform == "log1p" else transformed


def _rounded(feature: Feature, value: float, *, up: bool) -> float:
    """Return a value that people read, further away from what it is now."""
    parts = 1.0 if feature.unit == "count" and feature.exact == "exact" else 10.0**DECIMALS
    return float((np.ceil if up else np.floor)(value * parts) / parts)


def _possible(feature: Feature, value: float, *, up: bool) -> bool:
    falls = feature.name.endswith("_total") and not up
    return value >= 0 and not falls and not (feature.unit == "share" and value > 1)

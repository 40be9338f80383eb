"""Whom a model leaves where they are while time passes."""

from __future__ import annotations

import numpy as np

from models.clusterer import Model
from models.clusterer.grid import GRID
from models.clusterer.references import squared_distances
from models.events import F64, I64, Bool

ROUNDING = 1e-9
"""More than distances, a few standard deviations, can be wrong by."""


def stays(model: Model, first: F64, last: F64, current: I64, margin: float) -> Bool:
    """Return who (n,) holds their segment at any time between two, as far as can be told.

    Where each feature only rises or only falls, a row stays in the box between its two ends: nowhere is it
    farther from the middle than half the diagonal, so no distance differs by more from the middle's.

    Args:
        model: decides.
        first: (n, d) what the model sees at the one time; NaN for unknown.
        last: (n, d) at the other; the same features are unknown.
        current: (n,) number held, 0 for none.
        margin: share by which another segment must be nearer.
    """
    start, end = model.scale.to_grid(first), model.scale.to_grid(last)
    reach = np.abs(end - start) / 2 + (first != last) / GRID  # a last digit may round to the next step
    away = np.sqrt(np.einsum("ij,ij->i", reach, reach)) + ROUNDING
    distances = np.sqrt(squared_distances((start + end) / 2, model.centres))
    held = model.numbers == current[:, None]
    own = distances.min(axis=1, initial=np.inf, where=held)
    other = distances.min(axis=1, initial=np.inf, where=~held)
    known = held.any(axis=1) & (np.isnan(first) == np.isnan(last)).all(axis=1)
    return known & (other - away > (1.0 - margin) * (own + away))

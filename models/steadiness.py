"""Whom a model leaves where they are while time passes."""

from __future__ import annotations

import numpy as np

from models.clusterer import Model
from models.clusterer.grid import CLIP, GRID
from models.events import F64, I64, Bool
from models.steadiness_kernel import BLOCK, SCRATCH, stay

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
    held = np.empty(len(first), np.bool_)
    mean, steps = model.scale.line
    centres, numbers = model.centres.copy(), model.numbers.copy()  # a model that was read is not writable
    rows = np.ascontiguousarray(first), np.ascontiguousarray(last)
    edges = CLIP * GRID, 1 / GRID
    stay(
        *rows,
        mean,
        steps,
        *edges,
        centres,
        numbers,
        np.ascontiguousarray(current),
        float(margin),
        ROUNDING,
        _scratch(first.shape[1]),
        held,
    )
    return held


def prepare() -> None:
    """Have the kernel compiled, or loaded if it was compiled before: no customer shall wait for it."""
    rows, line, nobody = np.empty((0, 1)), np.empty(0), np.empty(0, np.int64)
    edges = CLIP * GRID, 1 / GRID
    held = np.empty(0, np.bool_)
    stay(rows, rows, line, line, *edges, rows, nobody, nobody, 0.0, ROUNDING, _scratch(0), held)


def _scratch(features: int) -> F64:
    return np.zeros((features + SCRATCH, BLOCK))

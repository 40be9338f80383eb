"""How far one feature must go, all others left as they are, for a row to move to another segment."""

from __future__ import annotations

import numpy as np

from models.clusterer.grid import CLIP, GRID
from models.clusterer.model import Model
from models.events import F64, Bool


def crossings(model: Model, row: F64, current: int, margin: float) -> F64:
    """Return where a row that holds a segment would move: (2, d), the nearest below and above each value.

    Put one of them in the place of the feature's value, and `Model.decide` moves the row; a step of the grid
    less, and it does not. NaN where no value within `CLIP` standard deviations of the mean would do, and
    everywhere for a row that moves as it is, or holds nothing that this model has.

    A move to a segment `o` from the one held `c` happens when d(o)² < (1 - margin)² d(c)². In one feature
    that is a quadratic; the nearest of its roots for any `o` is where the first move happens.

    Args:
        model: decides.
        row: (d,) transformed features.
        current: number of the segment held.
        margin: share by which another segment must be nearer, 0 to 1.
    """
    found = np.full((2, len(row)), np.nan)
    place = np.flatnonzero(model.numbers == current)
    if not len(place) or _moves(model, row[None], current, margin)[0]:
        return found
    standard = model.scale.to_grid(row[None])[0]
    below, above = _roots(standard, model.centres, int(place[0]), (1.0 - margin) ** 2)
    for side, root, step in ((0, below, -1), (1, above, 1)):
        first = np.floor(root * step * GRID) * step + step  # the first step of the grid that lies behind it
        near = first + step * np.array([[-1], [0], [1]])  # where rounding may have put it
        units = model.scale.to_units(near / GRID)
        for j in np.flatnonzero((np.abs(first) <= CLIP * GRID) & (near[1] * step > standard * GRID * step)):
            tried = np.repeat(row[None], len(near), axis=0)
            tried[:, j] = units[:, j]
            moved = _moves(model, tried, current, margin)
            if moved.any():
                found[side, j] = units[moved.argmax(), j]
    return found


def _moves(model: Model, rows: F64, current: int, margin: float) -> Bool:
    return model.decide(rows, np.full(len(rows), current), margin) != current


def _roots(z: F64, centres: F64, own: int, share: float) -> tuple[F64, F64]:
    """Return (d,) the nearest roots below and above z (d,), NaN for none.

    With x in the place of z_j: (1 - share) x² - 2 h x + g = 0 with h = o - share c and
    g = d(o)² - (z - o)² + o² - share (d(c)² - (z - c)² + c²). The roots are q / (1 - share) and g / q with
    q = h ± √(h² - (1 - share) g), the sign being that of h; without a margin there is one, g / q.
    """
    c, others = centres[own], np.delete(centres, own, axis=0)
    if not len(others):
        nothing = np.full(len(z), np.nan)
        return nothing, nothing
    apart, apart_c = (z - others) ** 2, (z - c) ** 2
    h = others - share * c
    g = apart.sum(axis=1)[:, None] - apart + others**2 - share * (apart_c.sum() - apart_c + c**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        q = h + np.copysign(np.sqrt(h * h - (1.0 - share) * g), h)
        roots = np.sort([q / (1.0 - share), g / q], axis=0)
    low = np.where(roots[1] <= z, roots[1], -np.inf).max(axis=0)  # a move happens between the two roots
    high = np.where(roots[0] >= z, roots[0], np.inf).min(axis=0)
    return np.where(np.isfinite(low), low, np.nan), np.where(np.isfinite(high), high, np.nan)

"""What is done with every row that is assigned or learned: compiled, see `models.compiled`.

All arrays are contiguous. Numbers are on the grid or get there (`models.clusterer.grid`), so sums are exact
and their order is free.
"""

from __future__ import annotations

import numpy as np

from models.compiled import kernel
from models.events import F64, I64


@kernel
def standardise(rows: F64, mean: F64, steps: F64, most: float, step: float, standard: F64) -> None:
    """Bring rows (n, d) onto the grid; NaN becomes the mean.

    Args:
        rows: (n, d) in transformed units.
        mean: (d,)
        steps: (d,) grid steps in a unit.
        most: clips, in grid steps.
        step: size of a grid step.
        standard: (n, d) receives standard deviations.
    """
    n, d = rows.shape
    for i in range(n):
        for j in range(d):
            away = (rows[i, j] - mean[j]) * steps[j]
            away = away if away == away else 0.0  # noqa: PLR0124 - NaN is unequal to itself
            away = max(away, -most)
            away = min(away, most)
            standard[i, j] = np.rint(away) * step + 0.0  # never -0.0


@kernel
def gather(label: I64, rows: F64, count: F64, first: F64, second: F64) -> None:
    """Add rows to the sums of their points.

    Args:
        label: (n,) the point of each row.
        rows: (n, d)
        count: (m,) rows of each point.
        first: (m, d) sums of the rows.
        second: (m, d) sums of their squares.
    """
    n, d = rows.shape
    for i in range(n):
        to = label[i]
        count[to] += 1.0
        for j in range(d):
            value = rows[i, j]
            first[to, j] += value
            second[to, j] += value * value

"""How far customers may come from their segment between two times: compiled, see `models.compiled`."""

from __future__ import annotations

import numpy as np

from models.compiled import compiled, kernel
from models.events import F64, I64, Bool


@kernel
def stay(
    first: F64,
    last: F64,
    mean: F64,
    steps: F64,
    most: float,
    step: float,
    centres: F64,
    numbers: I64,
    current: I64,
    margin: float,
    rounding: float,
    held: Bool,
) -> None:
    """Say of rows whether they hold their segments all the way, see `models.steadiness.stays`.

    Args:
        first: (n, d) rows at the one time.
        last: (n, d) at the other.
        mean: (d,) as `most`, `steps` and `step` of `models.clusterer.row_kernels.standardise`.
        steps: (d,)
        most: clips.
        step: size of a grid step.
        centres: (k, d)
        numbers: (k,)
        current: (n,) number held.
        margin: share by which another segment must be nearer.
        rounding: more than distances can be wrong by.
        held: (n,) receives the answer.
    """
    n, d = first.shape
    middle = np.empty(d)
    for i in range(n):
        held[i] = False
        own, known, reach = np.inf, True, 0.0
        for k in range(len(numbers)):
            own = 0.0 if numbers[k] == current[i] else own
        if own > 0.0:
            continue
        for j in range(d):
            a, b = first[i, j], last[i, j]
            start = _on_grid(a, mean[j], steps[j], most, step)
            end = start if a == b else _on_grid(b, mean[j], steps[j], most, step)
            away = abs(end - start) / 2 + (0.0 if a == b else step)  # a last digit may round to the next step
            reach += away * away
            middle[j] = (start + end) / 2
            known &= np.isnan(a) == np.isnan(b)
        other, far = np.inf, np.sqrt(reach) + rounding
        for k in range(len(numbers)):
            squares = 0.0
            for j in range(d):
                apart = middle[j] - centres[k, j]
                squares += apart * apart
            if numbers[k] == current[i]:
                own = np.sqrt(squares)
            else:
                other = min(other, np.sqrt(squares))
        held[i] = known and other - far > (1.0 - margin) * (own + far)


@compiled
def _on_grid(value: float, mean: float, steps: float, most: float, step: float) -> float:
    """Return a value in standard deviations on the grid."""
    away = (value - mean) * steps
    away = away if away == away else 0.0  # noqa: PLR0124 - NaN is unequal to itself
    return float(np.rint(min(max(away, -most), most)) * step)

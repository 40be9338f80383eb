"""The search for the likeliest parameters: bounded, from fixed starts, the same result each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize

from models.events import F64

DIGITS = 6
"""Parameters are rounded to so many significant digits: far finer than any sample can tell, coarser than what
another build of the mathematical library changes."""
STEPS = 500
"""Iterations from a start that nothing is known about."""
WARM_STEPS = 60
"""Iterations where parameters of nearly the same customers are known."""


def log_maximum(
    objective: Callable[[F64], tuple[float, F64]],
    starts: Sequence[F64],
    bounds: Sequence[tuple[float, float]],
    steps: int = STEPS,
) -> F64:
    """Return the parameters (p,) at which a function of their logarithms is greatest, within bounds.

    L-BFGS-B from each start, the best of the ends; a start that ends nowhere better is no reason to fail.

    Args:
        objective: Logarithms of the parameters (p,) to value and slopes by the logarithms.
        starts: Parameters (p,) to start from; those out of bounds start at the bound.
        bounds: Lowest and highest value of each parameter, greater than 0.
        steps: Most iterations from each start.
    """
    limits = np.log(np.array(bounds))

    def cost(logs: F64) -> tuple[float, F64]:
        value, slopes = objective(logs)
        return -value, -slopes

    best, least = np.clip(np.log(starts[0]), *limits.T), np.inf
    for start in starts:
        begin = np.clip(np.log(start), *limits.T)
        found = minimize(
            cost,
            begin,
            jac=True,
            method="L-BFGS-B",
            bounds=list(map(tuple, limits)),
            options={"maxiter": steps, "ftol": 1e-13, "gtol": 1e-9},
        )
        if found.fun < least and np.isfinite(found.x).all():
            best, least = found.x, float(found.fun)
    return np.exp(best)


def significant(value: float, bounds: tuple[float, float]) -> float:
    """Return a parameter to `DIGITS` significant digits, within its bounds."""
    return min(max(float(f"{value:.{DIGITS - 1}e}"), bounds[0]), bounds[1])

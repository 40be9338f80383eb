"""What features calculate of columns, in one pass each: compiled, see `models.compiled`."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from models.compiled import kernel
from models.events import F64, I64

Numbers = TypeVar("Numbers", F64, I64)


def one_type(column: Numbers) -> Numbers:
    """Return a column as the kernels take it: they are compiled once."""
    return np.require(column, None, ["C", "W"])


@kernel
def quotients(part: F64, whole: F64, found: F64) -> None:
    """Write part / whole (n,), NaN where whole is not above 0."""
    for i in range(len(part)):
        found[i] = part[i] / whole[i] if whole[i] > 0.0 else np.nan


@kernel
def elapsed(then: I64, now: I64, unit: int, found: F64) -> None:
    """Write the units of time from then to now (n,), NaN where then is not above 0."""
    for i in range(len(then)):
        found[i] = (now[i] - then[i]) / unit if then[i] > 0 else np.nan

"""What features calculate of columns, in one pass each: compiled, see `models.compiled`."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from models.compiled import bare_kernel
from models.events import F64, I64

Numbers = TypeVar("Numbers", F64, I64)


def one_type(column: Numbers) -> Numbers:
    """Return a column as the kernels take it: they are compiled once."""
    return column if column.flags.carray else np.require(column, None, ["C", "W"])


@bare_kernel
def quotients(part: F64, whole: F64, found: F64) -> None:
    """Write part / whole (n,), NaN where whole is not above 0."""
    for i in range(np.uintp(len(part))):
        found[i] = part[i] / whole[i] if whole[i] > 0.0 else np.nan


@bare_kernel
def elapsed(then: I64, now: I64, unit: int, found: F64) -> None:
    """Write the units of time from then to now (n,), NaN where then is not above 0."""
    for i in range(np.uintp(len(then))):
        found[i] = (now[i] - then[i]) / unit if then[i] > 0 else np.nan


@bare_kernel
def fading(then: I64, now: I64, unit: int, found: F64) -> None:
    """Write how often what was there then has been halved by now (n,), as a number below 0."""
    for i in range(np.uintp(len(then))):
        found[i] = -((now[i] - then[i]) / unit)


@bare_kernel
def faded(value: F64, left: F64, then: I64, found: F64) -> None:
    """Write what is left of values (n,), not more than they are; 0 where then is not above 0."""
    for i in range(np.uintp(len(value))):
        found[i] = value[i] * min(left[i], 1.0) if then[i] > 0 else 0.0


@bare_kernel
def lay_out(columns: F64, places: I64, rows: F64) -> None:
    """Write columns (c, n or more) to their places (c,) in rows (n, d)."""
    for i in range(np.uintp(len(rows))):
        for j in range(np.uintp(len(places))):
            rows[i, np.uintp(places[j])] = columns[j, i]

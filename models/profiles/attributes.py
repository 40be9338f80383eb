"""When attributes of customers were set: each is overwritten by a newer occurred_at only."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.compiled import bare_kernel
from models.events import I64
from models.profiles.layout import ROW

Row: TypeAlias = Any


def newest_time(r: NDArray[np.void], at: NDArray[np.intp] | None = None) -> I64:
    """Return the time of each customer's newest record, event or attributes, 0 for none; (n,) epoch ms.

    A decision is as of this time at least: what an attribute says is not known before it was told.

    Args:
        r: rows of customers.
        at: (n,) which of them; None for all.
    """
    rows = np.require(r, None, ["C", "W"])  # one type of array: the kernel is compiled once
    index = np.arange(len(rows)) if at is None else np.ascontiguousarray(at)
    found = np.empty(len(index), np.int64)
    _newest(rows, index, found)
    return found


def prepare() -> None:
    """Have the kernel compiled, or loaded if it was compiled before: no event shall wait for it."""
    newest_time(np.empty(0, ROW))


@bare_kernel
def _newest(rows: Row, index: I64, found: I64) -> None:
    """Write the newest time of each row of `index` (n,)."""
    for i in range(len(index)):
        r = rows[index[i]]
        newest: Any = np.int64(r.last_seen)
        for which in range(len(r.attribute_low)):
            told: Any = (np.int64(r.attribute_high[which]) << 32) | np.int64(r.attribute_low[which])
            newest = max(newest, told)
        found[i] = newest

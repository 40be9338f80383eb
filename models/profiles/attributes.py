"""When attributes of customers were set: each is overwritten by a newer occurred_at only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.events import I64


def newest_time(r: NDArray[np.void], at: slice | NDArray[np.intp] = slice(None)) -> I64:
    """Return the time of each customer's newest record, event or attributes, 0 for none; (n,) epoch ms.

    A decision is as of this time at least: what an attribute says is not known before it was told.

    Args:
        r: rows of customers.
        at: (n,) which of them; all unless told.
    """
    told: I64 = ((r["attribute_high"][at].astype(np.int64) << 32) | r["attribute_low"][at]).max(axis=1)
    return np.maximum(r["last_seen"][at], told)

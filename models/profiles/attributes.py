"""When attributes of customers were set: each is overwritten by a newer occurred_at only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.events import I64


def attribute_time(r: NDArray[np.void], which: int) -> I64:
    """Return when attribute number `which` was last set, 0 for never; (n,) epoch milliseconds."""
    high = r["attribute_high"][:, which].astype(np.int64)
    return (high << 32) | r["attribute_low"][:, which].astype(np.int64)

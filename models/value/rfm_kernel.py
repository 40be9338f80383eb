"""RFM scores of many customers in one pass: compiled, see `models.compiled`."""

from __future__ import annotations

import numpy as np

from models.compiled import compiled, kernel
from models.events import F64, I64

SCORES = 5


@kernel
def score(
    orders: I64,
    first_order: I64,
    last_order: I64,
    money: I64,
    as_of: I64,
    units: tuple[int, int],
    cuts: F64,
    codes: I64,
    found: F64,
) -> None:
    """Score customers by cut points, see `models.value.rfm`; NaN for who has never ordered.

    Args:
        orders: (n,) as this and the next four in `models.value.history.OrderHistory`.
        first_order: (n,)
        last_order: (n,)
        money: (n,)
        as_of: (n,)
        units: milliseconds of a day; parts of a unit of money.
        cuts: (3, 4) cut points of recency in days, of orders, and of money in its unit.
        codes: (5, 5) code of the segment by the scores of recency and frequency.
        found: (4, n) receives the scores of recency, frequency and money, and the code.
    """
    for i in range(len(orders)):
        if orders[i] <= 0 or first_order[i] <= 0 or last_order[i] <= 0:
            found[:, i] = np.nan
            continue
        recency = SCORES + 1 - _score(max(as_of[i] - last_order[i], 0) / units[0], cuts[0])
        frequency = _score(float(orders[i]), cuts[1])
        found[0, i] = recency
        found[1, i] = frequency
        found[2, i] = _score(money[i] / units[1], cuts[2])
        found[3, i] = codes[recency - 1, frequency - 1]


@compiled
def _score(value: float, cuts: F64) -> int:
    """Return one more than the number of cut points below the value."""
    found = 1
    for cut in cuts:
        found += cut < value
    return found

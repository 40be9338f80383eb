"""RFM scores of many customers in one pass: compiled, see `models.compiled`."""

from __future__ import annotations

import numpy as np

from models.compiled import bare, bare_kernel
from models.events import F64, I64

SCORES = 5


@bare_kernel
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
    for i in range(np.uintp(len(orders))):
        found[0, i] = SCORES + 1 - _score(max(as_of[i] - last_order[i], 0) / units[0], cuts, 0)
        found[1, i] = _score(float(orders[i]), cuts, 1)
        found[2, i] = _score(money[i] / units[1], cuts, 2)
    for i in range(np.uintp(len(orders))):
        found[3, i] = codes[np.intp(found[0, i]) - 1, np.intp(found[1, i]) - 1]
    for column in range(len(found)):
        _forget(orders, first_order, last_order, found, column)


@bare
def _score(value: float, cuts: F64, row: int) -> int:
    """Return one more than the number of cut points below the value."""
    return (
        1 + (cuts[row, 0] < value) + (cuts[row, 1] < value) + (cuts[row, 2] < value) + (cuts[row, 3] < value)
    )


@bare
def _forget(orders: I64, first_order: I64, last_order: I64, found: F64, column: int) -> None:
    """Write NaN for who has never ordered."""
    to = np.uintp(column)
    for i in range(np.uintp(len(orders))):
        known = (orders[i] > 0) & (first_order[i] > 0) & (last_order[i] > 0)
        found[to, i] = found[to, i] if known else np.nan

"""What the purchases of a chunk amount to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from models.events import F64, I64, MONEY_SCALE
from streams.codec.money import convert, to_money
from streams.codec.parse import Refusal
from streams.codec.reason_codes import ReasonCode
from streams.codec.schemas import MAX_AMOUNT, Line, Purchase

_MAX_MONEY = int(MAX_AMOUNT) * MONEY_SCALE
_NAN = float("nan")
_CODE = re.compile("[A-Z]{3}")


@dataclass(slots=True)
class Orders:
    """n purchases and refunds and their m lines, as columns; money in 1/10,000 of the reporting currency."""

    money: I64
    discount: I64
    items: I64
    line_order: I64
    """(m,) index of the order that the line belongs to, ascending."""
    lines: list[Line]


def total_orders(
    purchases: Sequence[Purchase], currency: str, rates: Mapping[str, Fraction]
) -> tuple[Orders, dict[int, Refusal]]:
    """Return the orders' amounts, and why some of them cannot be used, by index.

    Prices, discounts and totals are rounded to 1/10,000 one by one, half to even; what follows is exact. A
    total that is absent is the sum over the priced lines of quantity * unit_price - discount (a line without
    unit_price adds nothing), 0 without such lines. Amounts in another currency are multiplied by its rate and
    rounded at the end. The discount of an order is the sum over its lines, priced or not.
    """
    n = len(purchases)
    lines = [line for purchase in purchases if purchase.items for line in purchase.items]
    counts = np.fromiter([len(p.items) if p.items else 0 for p in purchases], np.int64, n)
    line_order = np.repeat(np.arange(n), counts)
    quantity = np.fromiter([line.quantity or 1 for line in lines], np.int64, len(lines))
    price = _amounts([line.unit_price for line in lines])
    priced = ~np.isnan(price)
    price = np.where(priced, price, 0.0)
    huge = price * quantity > MAX_AMOUNT
    line_discount = to_money(np.fromiter([line.discount or 0.0 for line in lines], np.float64, len(lines)))
    amount = np.where(priced & ~huge, to_money(price) * quantity - line_discount, 0)
    stated = _amounts([p.total for p in purchases])
    absent = np.isnan(stated)
    money = np.where(absent, _sums(amount, counts), to_money(np.where(absent, 0.0, stated)))
    orders = Orders(money, _sums(line_discount, counts), _sums(quantity, counts), line_order, lines)
    refused: dict[int, Refusal] = {}
    for i in set(line_order[huge].tolist()):
        refused[i] = (ReasonCode.OUT_OF_RANGE, "items", f"quantity times unit_price is over {MAX_AMOUNT:.0f}")
    for i in np.flatnonzero(orders.money < 0).tolist():
        refused.setdefault(i, (ReasonCode.OUT_OF_RANGE, "items", "the discounts are larger than the prices"))
    for i, purchase in enumerate(purchases):
        if purchase.currency and purchase.currency != currency and i not in refused:
            rate = rates.get(purchase.currency)
            if rate is None:
                refused[i] = ReasonCode.UNKNOWN_CURRENCY, "currency", _no_rate(purchase.currency, currency)
            else:
                _convert(orders, i, rate)
    for i in np.flatnonzero(np.maximum(orders.money, orders.discount) > _MAX_MONEY).tolist():
        refused.setdefault(i, (ReasonCode.OUT_OF_RANGE, "total", f"more than {MAX_AMOUNT:.0f}"))
    return orders, refused


def _no_rate(met: str, reporting: str) -> str:
    """Say what was met; anything but a code may be of a customer, and is not quoted."""
    named = met if _CODE.fullmatch(met) else "no code of three capitals"
    return f"it is {named}, the reporting currency is {reporting}"


def _convert(orders: Orders, i: int, rate: Fraction) -> None:
    """Bring order i into the reporting currency."""
    money, discount = convert(int(orders.money[i]), rate), convert(int(orders.discount[i]), rate)
    orders.money[i] = min(money, _MAX_MONEY + 1)
    orders.discount[i] = min(discount, _MAX_MONEY + 1)


def _amounts(values: Sequence[float | None]) -> F64:
    """Return the values with NaN for None."""
    return np.fromiter([_NAN if value is None else value for value in values], np.float64, len(values))


def _sums(values: I64, counts: I64) -> I64:
    """Return the sums of consecutive groups of values, exact even where the running sums wrap."""
    running = np.concatenate([np.zeros(1, np.int64), np.cumsum(values)])
    ends = np.cumsum(counts)
    sums: I64 = running[ends] - running[ends - counts]
    return sums

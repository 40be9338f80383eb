"""What the purchases of a chunk amount to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from models.events import F64, I64, MONEY_SCALE, Bool
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


class Amounts(NamedTuple):
    """What n orders of m lines amount to, in the currency that they are in."""

    money: I64
    discount: I64
    items: I64
    huge: Bool
    """(m,) the line's quantity times its price is out of bounds; it counts nothing."""

    def refused(self, line_order: I64) -> Bool:
        """Return which orders cannot be used; line_order is (m,) the order that each line belongs to."""
        wrong = (self.money < 0) | (np.maximum(self.money, self.discount) > _MAX_MONEY)
        wrong[line_order[self.huge]] = True
        return wrong


def add_up(counts: I64, quantity: I64, price: F64, discount: F64, stated: F64) -> Amounts:
    """Return what orders amount to, see `total_orders`.

    Args:
        counts: (n,) number of lines; the lines of an order lie together, in the order of the orders.
        quantity: (m,) of the lines.
        price: (m,) NaN when absent.
        discount: (m,)
        stated: (n,) totals, NaN when absent.
    """
    priced = ~np.isnan(price)
    price = np.where(priced, price, 0.0)
    huge = price * quantity > MAX_AMOUNT
    line_discount = to_money(discount)
    amount = np.where(priced & ~huge, to_money(price) * quantity - line_discount, 0)
    absent = np.isnan(stated)
    money = np.where(absent, _sums(amount, counts), to_money(np.where(absent, 0.0, stated)))
    return Amounts(money, _sums(line_discount, counts), _sums(quantity, counts), huge)


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
    amounts = add_up(
        counts,
        np.fromiter([line.quantity or 1 for line in lines], np.int64, len(lines)),
        _amounts([line.unit_price for line in lines]),
        np.fromiter([line.discount or 0.0 for line in lines], np.float64, len(lines)),
        _amounts([p.total for p in purchases]),
    )
    line_order = np.repeat(np.arange(n), counts)
    orders = Orders(amounts.money, amounts.discount, amounts.items, line_order, lines)
    huge = amounts.huge
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

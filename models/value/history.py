"""What the value of a customer is computed from: five columns of the row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.calendar import DAY_MS
from models.events import F64, I64, MONEY_SCALE, Bool


@dataclass(frozen=True)
class OrderHistory:
    """Order histories of n customers, (n,) int64 each, as the rows keep them.

    Attributes:
        orders: Orders ever, refunds not deducted.
        first_order: Epoch milliseconds of the first, 0 for never.
        last_order: Epoch milliseconds of the last, 0 for never.
        money: Money of all orders net of refunds, in 1/10,000.
        as_of: Epoch milliseconds at which the customer is looked at; a time before the last order counts as
            the last order's.

    The quantities of the models follow from them, in days as real numbers. `x` counts repeat *orders*, not
    days with orders: that is what a row keeps exactly for ever. Two orders on one day are two.
    """

    orders: I64
    first_order: I64
    last_order: I64
    money: I64
    as_of: I64

    def __len__(self) -> int:
        """Return the number of customers."""
        return len(self.orders)

    def take(self, index: NDArray[np.intp]) -> OrderHistory:
        """Return the customers at `index`, in that order."""
        columns = (self.orders, self.first_order, self.last_order, self.money, self.as_of)
        return OrderHistory(*(column[index] for column in columns))

    def later(self, as_of: I64) -> OrderHistory:
        """Return the same histories as of another time (n,); what does not depend on it is known."""
        other = OrderHistory(self.orders, self.first_order, self.last_order, self.money, as_of)
        other.__dict__.update({name: self.__dict__[name] for name in _TIMELESS if name in self.__dict__})
        return other

    @cached_property
    def known(self) -> Bool:
        """Return who has ordered at all; for others all values are unknown."""
        return (self.orders > 0) & (self.first_order > 0) & (self.last_order > 0)

    @cached_property
    def count(self) -> F64:
        """Return the orders, at least 1."""
        return np.maximum(self.orders, 1).astype(np.float64)

    @cached_property
    def x(self) -> F64:
        """Return the repeat orders: all but the first, at least 0."""
        return self.count - 1.0

    @cached_property
    def t_x(self) -> F64:
        """Return the days from the first order to the last, at least 0; 0 for a single order."""
        span = np.maximum(self.last_order - self.first_order, 0) / DAY_MS
        return np.where(self.orders > 1, span, 0.0)

    @cached_property
    def age(self) -> F64:
        """Return the days from the first order to `as_of` (T in the papers), at least `t_x`."""
        return np.maximum(np.maximum(self.as_of - self.first_order, 0) / DAY_MS, self.t_x)

    @cached_property
    def recency(self) -> F64:
        """Return the days since the last order, at least 0."""
        return np.maximum(self.as_of - self.last_order, 0) / DAY_MS

    @cached_property
    def spent(self) -> F64:
        """Return the money net of refunds, in units of the currency."""
        return self.money / MONEY_SCALE

    @cached_property
    def average(self) -> F64:
        """Return the net money per order, in units of the currency."""
        return self.spent / self.count


_TIMELESS = ("known", "count", "x", "t_x", "spent", "average")

"""The value features of customers, by the names they have in the registry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.events import F64
from models.value.history import OrderHistory
from models.value.model import ValueModel
from models.value.rfm import SCORES, scores, segments

HORIZON_DAYS = 90.0
"""How far `expected_orders_90d` and `expected_value_90d` look."""


@dataclass(frozen=True)
class Valuation:
    """n customers in the light of a value model: each feature (n,) float64, computed when first asked for.

    NaN stands for unknown: for all without a model, for customers who have never ordered, and where the model
    has no prediction (see `models.value.fit`). Every other value is finite. A value depends on the customer's
    own history alone, not on who else is in the batch.
    """

    history: OrderHistory
    model: ValueModel | None

    @cached_property
    def rfm_r(self) -> F64:
        """Return the recency score, 1 (longest ago) to 5."""
        if self.model is None:
            return self._unknown
        return self._known(SCORES + 1 - scores(self.history.recency, self.model.cuts.recency))

    @cached_property
    def rfm_f(self) -> F64:
        """Return the frequency score, 1 to 5 (most orders)."""
        if self.model is None:
            return self._unknown
        return self._known(scores(self.history.count, self.model.cuts.frequency))

    @cached_property
    def rfm_m(self) -> F64:
        """Return the money score, 1 to 5 (most money, net of refunds)."""
        if self.model is None:
            return self._unknown
        return self._known(scores(self.history.spent, self.model.cuts.money))

    @cached_property
    def rfm_segment(self) -> F64:
        """Return the code of the RFM segment: 1 + its place in `models.value.SEGMENTS`."""
        found = self._unknown
        known = ~np.isnan(self.rfm_r)
        found[known] = segments(self.rfm_r[known], self.rfm_f[known])
        return found

    @cached_property
    def p_alive(self) -> F64:
        """Return the probability that the customer still orders, 0 to 1; 1 for a single order (BG/NBD)."""
        if self.model is None or self.model.orders is None:
            return self._unknown
        h = self.history
        return self._known(self.model.orders.p_alive(h.x, h.t_x, h.age))

    @cached_property
    def expected_orders_90d(self) -> F64:
        """Return the expected number of orders in the next 90 days, at least 0."""
        if self.model is None or self.model.orders is None:
            return self._unknown
        h = self.history
        return self.p_alive * self.model.orders.expected_if_alive(h.x, h.age, HORIZON_DAYS)

    @cached_property
    def expected_value_90d(self) -> F64:
        """Return the expected money of the next 90 days, net of refunds, in units of the currency."""
        if self.model is None or self.model.money is None:
            return self._unknown
        return self.expected_orders_90d * self.model.money.expected_order(
            self.history.count, self.history.average
        )

    @property
    def _unknown(self) -> F64:
        return np.full(len(self.history), np.nan)

    def _known(self, values: F64) -> F64:
        return np.where(self.history.known, values, np.nan)

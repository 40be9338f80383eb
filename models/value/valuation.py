"""The value features of customers, by the names they have in the registry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.calendar import DAY_MS
from models.events import F64, I64, MONEY_SCALE
from models.value.bgnbd import Rhythm
from models.value.history import OrderHistory
from models.value.model import ValueModel
from models.value.rfm import CODES, RfmCuts
from models.value.rfm_kernel import score

HORIZON_DAYS = 90.0
"""How far `expected_orders_90d` and `expected_value_90d` look."""


def scored(history: OrderHistory, cuts: RfmCuts) -> F64:
    """Return RFM scores and segments (4, n), see `models.value.rfm_kernel.score`."""
    found = np.empty((4, len(history)))
    orders, first, last, money, as_of = (
        np.require(column, np.int64, ["C", "W"])  # one type of array: the kernel is compiled once
        for column in (history.orders, history.first_order, history.last_order, history.money, history.as_of)
    )
    points = np.stack([cuts.recency, cuts.frequency, cuts.money])
    score(orders, first, last, money, as_of, (DAY_MS, MONEY_SCALE), points, CODES, found)
    return found


def prepare() -> None:
    """Have the kernel compiled, or loaded if it was compiled before: no customer shall wait for it."""
    nobody, cuts = np.empty(0, np.int64), np.empty(4)
    scored(OrderHistory(nobody, nobody, nobody, nobody, nobody), RfmCuts(cuts, cuts, cuts))


@dataclass(frozen=True)
class Valuation:
    """n customers in the light of a value model: each feature (n,) float64, computed when first asked for.

    NaN stands for unknown: for all without a model, for customers who have never ordered, and where the model
    has no prediction (see `models.value.fit`). Every other value is finite. A value depends on the customer's
    own history alone, not on who else is in the batch.
    """

    history: OrderHistory
    model: ValueModel | None

    def later(self, as_of: I64) -> Valuation:
        """Return the same customers at another time (n,); what does not depend on it is known."""
        other = Valuation(self.history.later(as_of), self.model)
        if "_rhythm" in self.__dict__:
            other.__dict__["_rhythm"] = self._rhythm
        return other

    @property
    def rfm_r(self) -> F64:
        """Return the recency score, 1 (longest ago) to 5."""
        return self._scores[0]

    @property
    def rfm_f(self) -> F64:
        """Return the frequency score, 1 to 5 (most orders)."""
        return self._scores[1]

    @property
    def rfm_m(self) -> F64:
        """Return the money score, 1 to 5 (most money, net of refunds)."""
        return self._scores[2]

    @property
    def rfm_segment(self) -> F64:
        """Return the code of the RFM segment: 1 + its place in `models.value.SEGMENTS`."""
        return self._scores[3]

    @cached_property
    def p_alive(self) -> F64:
        """Return the probability that the customer still orders, 0 to 1; 1 for a single order (BG/NBD)."""
        rhythm = self._rhythm
        return self._unknown if rhythm is None else self._known(rhythm.p_alive(self.history.age))

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

    @cached_property
    def _rhythm(self) -> Rhythm | None:
        if self.model is None or self.model.orders is None:
            return None
        return self.model.orders.rhythm(self.history.x, self.history.t_x)

    @cached_property
    def _scores(self) -> F64:
        """Return the scores of recency, frequency and money, and the code of the segment; (4, n)."""
        if self.model is None:
            return np.full((4, len(self.history)), np.nan)
        return scored(self.history, self.model.cuts)

    @property
    def _unknown(self) -> F64:
        return np.full(len(self.history), np.nan)

    def _known(self, values: F64) -> F64:
        return np.where(self.history.known, values, np.nan)

"""A feature, and the view of the rows that it is computed from."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.calendar import DAY_MS, Calendar
from models.events import I32, I64, MONEY_SCALE
from models.profiles.attributes import attribute_time
from models.profiles.layout import (
    ATTRIBUTE_FIELDS,
    BROWSE_HALF_LIVES_D,
    ORDER_HALF_LIVES_D,
    RING_DAYS,
    gather,
)
from models.value import OrderHistory, Valuation, ValueModel

_CELL_AGE = ((np.arange(RING_DAYS)[:, None] - np.arange(RING_DAYS)) % RING_DAYS).astype(np.int16)
"""By the newest day's cell: how many days before it each cell lies. A division costs 20 times more."""

Column = NDArray[np.float64]
Value = Callable[["View"], Column]
Course: TypeAlias = Literal["still", "one way", "any"]
"""How a feature goes from one midnight of the calendar to the next while no event comes: not at all, up only
or down only, or in any way. Where it is unknown it stays so, and the other way round, but for `any`."""


@dataclass
class View:
    """Rows seen at a time: the argument of every feature.

    Attributes:
        r: (n,) rows of dtype `models.profiles.ROW`.
        now: (n,) epoch milliseconds, not before the row's last_seen.
        calendar: local days.
        value: judges what customers are worth; without it the features of value are unknown.
    """

    r: NDArray[np.void]
    now: I64
    calendar: Calendar
    value: ValueModel | None = None

    def at(self, index: NDArray[np.intp]) -> View:
        """Return a view of the rows at `index`, in that order."""
        return View(gather(self.r, index), self.now[index], self.calendar, self.value)

    @cached_property
    def _columns(self) -> dict[str, Column]:
        return {}

    def column(self, feature: Feature) -> Column:
        """Return (n,) a feature, computed when it is first asked for; not to be changed."""
        known = self._columns
        if feature.name not in known:
            known[feature.name] = feature.value(self)
        return known[feature.name]

    def valued(self, value: ValueModel | None) -> View:
        """Return the same rows at the same time, judged by a model of value; what is known so far is kept."""
        if value is self.value:
            return self
        other = copy(self)
        other.value, other.__dict__["_columns"] = value, dict(self._columns)
        other.__dict__.pop("valuation", None)
        return other

    @cached_property
    def valuation(self) -> Valuation:
        """Return the features of value, each computed when it is asked for."""
        return Valuation(order_history(self.r, self.now), self.value)

    @cached_property
    def today(self) -> I64:
        """Return the local day of `now`."""
        return self.calendar.day(self.now)

    @cached_property
    def cell_age(self) -> NDArray[np.int16]:
        """Return (n, 30) how many days before the newest day of its ring each cell lies."""
        return _CELL_AGE[self.r["ring_day"] % np.uint16(RING_DAYS)]

    def days(self, ring: str, window: int) -> Column:
        """Return the sum of a day ring over the last `window` local days, today included."""
        oldest = window - (self.today - self.r["ring_day"])
        inside = self.cell_age < np.clip(oldest, 0, RING_DAYS).astype(np.int16)[:, None]
        kept = self.r[ring] * inside
        return np.einsum("ij->i", kept, dtype=np.int64, casting="unsafe").astype(np.float64)

    @cached_property
    def _order_day(self) -> I32:
        return self.r["order_day"].astype(np.int32)

    @cached_property
    def _order_windows(self) -> dict[int, I64]:
        return {}

    def order_days(self, column: str, window: int) -> Column:
        """Return the sum of a column of the order ring over the last `window` local days, today included."""
        inside = self._order_windows.get(window)
        if inside is None:
            before = np.maximum(self.today - window, 0).astype(np.int32)  # a free entry has day 0
            inside = self._order_windows[window] = (self._order_day > before[:, None]).astype(np.int64)
        values = self.r[column].astype(np.int64, copy=False)
        return np.einsum("ij,ij->i", values, inside).astype(np.float64)

    def since(self, field: str) -> Column:
        """Return days since a time field, NaN for never."""
        then = self.r[field]
        return np.where(then > 0, (self.now - then) / DAY_MS, np.nan)

    def browse_decay(self, field: str, half_life_d: int) -> Column:
        """Return a browsing sum as of `now`."""
        age = (self.now - self.r["last_seen"]) / (half_life_d * DAY_MS)
        return self.r[field][:, BROWSE_HALF_LIVES_D.index(half_life_d)] * np.exp2(-age)

    def order_decay(self, field: str, half_life_d: int) -> Column:
        """Return an order sum as of `now`."""
        age = (self.now - self.r["order_decay_at"]) / (half_life_d * DAY_MS)
        value = self.r[field][:, ORDER_HALF_LIVES_D.index(half_life_d)]
        return np.where(self.r["order_decay_at"] > 0, value * np.exp2(-np.maximum(age, 0)), 0.0)

    def number(self, field: str) -> Column:
        """Return a field as it is."""
        return self.r[field].astype(np.float64)

    def attribute(self, field: str) -> Column:
        """Return an attribute's number or code, NaN when never set."""
        known = attribute_time(self.r, ATTRIBUTE_FIELDS.index(field)) > 0
        return np.where(known, self.r[field].astype(np.float64), np.nan)

    def top(self, slots: str, weights: str) -> Column:
        """Return the code in the heaviest slot, NaN when there is none."""
        best = self.r[weights].argmax(axis=1)
        code = self.r[slots][np.arange(len(self.r)), best]
        return np.where(code > 0, code.astype(np.float64), np.nan)


def order_history(r: NDArray[np.void], now: I64) -> OrderHistory:
    """Return the order histories (n,) of rows (n,) of dtype `models.profiles.ROW`, as of `now` (n,)."""
    return OrderHistory(
        orders=r["orders"].astype(np.int64),
        first_order=r["first_order"],
        last_order=r["last_order"],
        money=r["money_gross"] - r["money_refunded"],
        as_of=now,
    )


def share(part: Column, whole: Column) -> Column:
    """Return part / whole, NaN where whole is 0."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


@dataclass(frozen=True)
class Feature:
    """One feature of a customer.

    Attributes:
        name: as in DESIGN's naming pattern `<what>_<window or qualifier>`.
        label: for people.
        meaning: one sentence.
        unit: `count`, `money`, `days`, `minutes`, `share`, `number`, `flag`, `name`, ...
        family: heading in tables.
        value: the function; (n,) float64, NaN for unknown; for `name` features the code of the name.
        transform: how it enters the clustering, `log1p` or `identity`.
        clustered: whether it is clustered on by default.
        exact: `exact`, `decayed` (within 1e-9), `bounded` (exact while the customer's slots suffice) or
            `model` (by the model in force, unknown before it can say).
        order_sensitive: depends on the order in which the topics' records are delivered.
        namespace: for `name` features, the dictionary of their codes.
        course: how it goes between two midnights while no event comes; of names, their codes.
    """

    name: str
    label: str
    meaning: str
    unit: str
    family: str
    value: Value
    transform: str = "log1p"
    clustered: bool = False
    exact: str = "exact"
    order_sensitive: bool = False
    namespace: str | None = None
    course: Course = "still"


def money(column: Column) -> Column:
    """Return 1/10,000 as units of the reporting currency."""
    return column / MONEY_SCALE


def days_text(days: int) -> str:
    """Return a number of days in words."""
    return "1 day" if days == 1 else f"{days} days"


def total(field: str, label: str, meaning: str, family: str, *, clustered: bool = False) -> Feature:
    """Return the feature `<field>_total` of a counter."""
    name = f"{field}_total"
    return Feature(name, label, meaning, "count", family, lambda v: v.number(field), clustered=clustered)


def window(name: str, ring: str, days: int, label: str, family: str) -> Feature:
    """Return the feature of a day ring over the last `days` local days."""
    meaning = f"{label.capitalize()}, today included."
    return Feature(name, label, meaning, "count", family, lambda v: v.days(ring, days))


def since(name: str, field: str, label: str, family: str) -> Feature:
    """Return the feature of the days since a time."""
    meaning = f"{label.capitalize()}, a real number."
    return Feature(name, label, meaning, "days", family, lambda v: v.since(field), course="one way")

"""A feature, and the view of the rows that it is computed from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.calendar import DAY_MS, Calendar
from models.events import F64, I64, MONEY_SCALE
from models.features.arithmetic import elapsed, faded, fading, one_type, quotients
from models.features.reading import (
    CELL,
    DAYS,
    HEAVIEST,
    ORDER_DAYS,
    SQUARES,
    TOP,
    TOTAL,
    USED,
    Column,
    Reading,
    cell_of,
    read,
)
from models.profiles.layout import ATTRIBUTE_FIELDS, BROWSE_HALF_LIVES_D, ORDER_HALF_LIVES_D, ROW, gather
from models.value import OrderHistory, Valuation, ValueModel

Value = Callable[["View"], Column]
Course: TypeAlias = Literal["still", "one way", "any"]
"""How a feature goes from one midnight of the calendar to the next while no event comes: not at all, up only
or down only, or in any way. Where it is unknown it stays so, and the other way round, but for `any`."""


@dataclass
class View:
    """Rows seen at a time: the argument of every feature.

    Attributes:
        r: (n,) rows of dtype `models.profiles.ROW`, or with `index` any number of them.
        now: (n,) epoch milliseconds, not before the row's last_seen.
        calendar: local days.
        value: judges what customers are worth; without it the features of value are unknown.
        index: (n,) which of the rows are seen, in that order; None for all of them. Nothing is copied, so
            they must not change before all that is asked for has been read, or not in what features read.
        earlier: the same rows at an earlier time.
    """

    r: NDArray[np.void]
    now: I64
    calendar: Calendar
    value: ValueModel | None = None
    index: NDArray[np.intp] | None = None
    earlier: View | None = None

    def at(self, place: NDArray[np.intp]) -> View:
        """Return a view of the rows at these places, in that order."""
        if self.index is None:
            return View(gather(self.r, place), self.now[place], self.calendar, self.value)
        return View(self.r, self.now[place], self.calendar, self.value, self.index[place])

    def on(self, r: NDArray[np.void]) -> View:
        """Return the same view, with copies (n,) of its rows; what is known so far is kept."""
        other = copy(self)
        other.r, other.index = r, None
        return other

    def later(self, now: I64) -> View:
        """Return the same rows later (n,) on the same local day; what was read of them is known."""
        other = View(self.r, now, self.calendar, self.value, self.index)
        other.__dict__["_known"], other.__dict__["today"] = self._known, self.today
        other.earlier = self
        return other

    @cached_property
    def _columns(self) -> dict[str, Column]:
        return {}

    def column(self, feature: Feature) -> Column:
        """Return (n,) a feature, computed when it is first asked for; not to be changed."""
        known = self._columns
        if feature.name not in known:
            known[feature.name] = feature.value(self)
        return known[feature.name]

    @cached_property
    def _known(self) -> dict[Reading, Any]:
        return {}

    def _read(self, what: int, field: str, which: int = 0) -> Any:
        reading, known = (what, field, which), self._known
        if reading not in known:
            known.update({reading: self._cell(field, which)} if what == CELL else self._pass([reading]))
        return known[reading]

    def _pass(self, readings: Sequence[Reading]) -> dict[Reading, Any]:
        return read(self.r, self.today, readings, self.index)

    def _cell(self, field: str, which: int) -> Any:
        return cell_of(self.r, field, which, self.index)

    def _field(self, field: str) -> NDArray[Any]:
        values: NDArray[Any] = self.r[field]
        return values if self.index is None else values[self.index]

    def read(
        self, features: Iterable[Feature], fields: Iterable[str] = (), readings: Iterable[Reading] = ()
    ) -> None:
        """Read all that features need from the rows, fields and more, in one pass: worth it for many."""
        known, wanted = self._known, _readings(tuple(features), tuple(fields), tuple(readings))
        missing = [reading for reading in wanted if reading not in known]
        if missing:
            known.update(self._pass(missing))

    def anew(self, fields: Iterable[str], place: NDArray[np.intp]) -> View:
        """Return what is known so far, with fields of the rows at these places as they are by now."""
        other, known = View(self.r, self.now, self.calendar, self.value, self.index), dict(self._known)
        there = place if self.index is None else self.index[place]
        for field in fields:
            column = self.whole(field).copy()
            column[place] = cell_of(self.r, field, 0, there)
            known[CELL, field, 0] = column
        other.__dict__["_known"] = known
        return other

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
        if self.earlier is not None and self.earlier.value is self.value:
            return self.earlier.valuation.later(self.now)
        return Valuation(self.history(), self.value)

    def history(self) -> OrderHistory:
        """Return the order histories."""
        return OrderHistory(
            orders=self.whole("orders"),
            first_order=self.whole("first_order"),
            last_order=self.whole("last_order"),
            money=self.whole("money_gross") - self.whole("money_refunded"),
            as_of=self.now,
        )

    def oldest_order_day(self) -> I64:
        """Return the oldest day of the order ring, the greatest number for an empty one."""
        days = self._field("order_day")
        oldest: I64 = np.where(days > 0, days, 0xFFFF).min(axis=1).astype(np.int64)
        return oldest

    @cached_property
    def today(self) -> I64:
        """Return the local day of `now`."""
        return self.calendar.day(self.now)

    def whole(self, field: str, cell: int = 0) -> I64:
        """Return a cell of a field of whole numbers."""
        found: I64 = self._read(CELL, field, cell)
        return found

    def real(self, field: str, cell: int = 0) -> F64:
        """Return a cell of a field of real numbers."""
        found: F64 = self._read(CELL, field, cell)
        return found

    def days(self, ring: str, window: int) -> Column:
        """Return the sum of a day ring over the last `window` local days, today included."""
        found: Column = self._read(DAYS, ring, window)
        return found

    def order_days(self, column: str, window: int) -> Column:
        """Return the sum of a column of the order ring over the last `window` local days, today included."""
        found: Column = self._read(ORDER_DAYS, column, window)
        return found

    def weights(self, slots: str) -> tuple[Column, Column]:
        """Return the sum of the weights of slots, and the sum of their squares."""
        return self._read(TOTAL, slots), self._read(SQUARES, slots)

    def heaviest(self, slots: str) -> Column:
        """Return the greatest weight of slots."""
        found: Column = self._read(HEAVIEST, slots)
        return found

    def used(self, slots: str) -> Column:
        """Return the number of slots in use."""
        found: Column = self._read(USED, slots)
        return found

    def favourite(self, slots: str) -> Column:
        """Return the code in the heaviest slot, 0 when there is none."""
        found: Column = self._read(TOP, slots)
        return found

    def since(self, field: str) -> Column:
        """Return days since a time field, NaN for never."""
        found = np.empty(len(self.now))
        elapsed(one_type(self.whole(field)), one_type(self.now), DAY_MS, found)
        return found

    @cached_property
    def _numbers(self) -> dict[str, Column]:
        return {}

    @cached_property
    def _halved(self) -> dict[tuple[str, int], Column]:
        return {}

    def _left(self, field: str, half_life_d: int) -> Column:
        """Return what is left by `now` of a unit as of a time field: several sums share it."""
        known, key = self._halved, (field, half_life_d)
        if key not in known:
            halvings = np.empty(len(self.now))
            fading(one_type(self.whole(field)), one_type(self.now), half_life_d * DAY_MS, halvings)
            known[key] = np.exp2(halvings, out=halvings)
        return known[key]

    def browse_decay(self, field: str, half_life_d: int) -> Column:
        """Return a browsing sum as of `now`."""
        value = self.real(field, BROWSE_HALF_LIVES_D.index(half_life_d))
        return value * self._left("last_seen", half_life_d)

    def order_decay(self, field: str, half_life_d: int) -> Column:
        """Return an order sum as of `now`."""
        value = self.real(field, ORDER_HALF_LIVES_D.index(half_life_d))
        found, left = np.empty(len(self.now)), self._left("order_decay_at", half_life_d)
        faded(one_type(value), left, one_type(self.whole("order_decay_at")), found)
        return found

    def number(self, field: str) -> Column:
        """Return a field as it is."""
        known = self._numbers
        if field not in known:
            known[field] = self._read(CELL, field).astype(np.float64)
        return known[field]

    def attribute(self, field: str) -> Column:
        """Return an attribute's number or code, NaN when never set."""
        which = ATTRIBUTE_FIELDS.index(field)
        known = (self.whole("attribute_low", which) > 0) | (self.whole("attribute_high", which) > 0)
        return np.where(known, self.number(field), np.nan)

    def top(self, slots: str, weights: str) -> Column:
        """Return the code in the heaviest slot, NaN when there is none."""
        best = self._field(weights).argmax(axis=1)
        code = self._field(slots)[np.arange(len(best)), best]
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


@cache
def readings_of(feature: Feature) -> tuple[Reading, ...]:
    """Return what a feature reads of rows: found by computing it for an empty one."""
    view = View(np.zeros(1, ROW), np.zeros(1, np.int64), Calendar.utc())
    feature.value(view)
    return tuple(view._known)  # noqa: SLF001 - its own


@lru_cache(maxsize=256)
def _readings(
    features: tuple[Feature, ...], fields: tuple[str, ...], readings: tuple[Reading, ...]
) -> tuple[Reading, ...]:
    """Return what features read of rows, fields and readings, each once."""
    found = dict.fromkeys(reading for feature in features for reading in readings_of(feature))
    found.update(((CELL, field, 0), None) for field in fields)
    found.update(dict.fromkeys(readings))
    return tuple(found)


def share(part: Column, whole: Column) -> Column:
    """Return part / whole, NaN where whole is 0."""
    found = np.empty(len(part))
    quotients(one_type(part), one_type(whole), found)
    return found


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

    def __hash__(self) -> int:
        """Return the hash of the name: features are looked up often, and have many attributes."""
        return hash(self.name)


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

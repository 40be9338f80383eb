"""The simulated customers: of which kind each is, which real orders it repeats and when."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from streams.shop.catalogue import Catalogue, History, Order
from streams.shop.customers import KINDS, Anchor, Kind

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
PAUSE_MS = 8 * WEEK_MS
"""Least silence between the last order of a history and its first one when it is repeated."""
YEAR_MS = 52 * WEEK_MS
"""A history is repeated no sooner than after this."""
CHANNELS = ("web", "app", "store")
DEVICES = ("mobile", "desktop", "tablet")
TOWNS = {
    "United Kingdom": (
        "London",
        "Birmingham",
        "Leeds",
        "Glasgow",
        "Manchester",
        "Bristol",
        "Cardiff",
        "Belfast",
    ),
    "France": ("Paris", "Lyon", "Marseille"),
    "Germany": ("Berlin", "Hamburg", "München", "Köln"),
    "Spain": ("Madrid", "Barcelona"),
    "Switzerland": ("Zürich", "Genève"),
}
BROWSER_COUNTRIES = ("United Kingdom",) * 14 + ("Germany", "France", "Spain", "Switzerland")
"""Countries of customers without orders, each as often as it is named; the others' are real."""


@dataclass(slots=True)
class Customer:
    """One simulated customer and how far it has come."""

    customer_id: str
    kind: Kind
    country: str
    device: str
    """The main one."""
    favourite: str
    """The favourite category."""
    joined_ms: int
    """Not seen before; 0 for always there."""
    quiet_ms: int | None
    """From when on it comes less and less, if at all."""
    history: History | None = None
    shift_ms: int = 0
    """Added to the recorded times of the orders; whole weeks, so that weekday and hour stay."""
    period_ms: int = YEAR_MS
    """After this the history is repeated; whole weeks."""
    begin_ms: int = 0
    hurry: float = 1.0
    """From the former on orders follow each other so many times as quickly; see `hasten`."""
    turn: int = 0
    """Position of the next order, counted on over the repetitions."""
    visits: int = 0
    purchases: int = 0
    introduced: bool = False
    """The first visit has begun."""
    known: bool = False
    """The shop has the customer's attributes."""
    cart: list[int] = field(default_factory=list)
    """Positions of products put into the cart and not bought."""

    def next_order(self) -> tuple[int, Order] | None:
        """Return (time, order) of the next order, or None for a customer who never orders."""
        if self.history is None:
            return None
        repetition, position = divmod(self.turn, len(self.history.orders))
        order = self.history.orders[position]
        return self._hastened(order.time_ms + self.shift_ms + repetition * self.period_ms), order

    def hasten(self, begin_ms: int, hurry: float) -> None:
        """Let the customer live faster from a time on; to be called once, before the first order."""
        self.begin_ms, self.hurry = begin_ms, hurry
        self.joined_ms = self._hastened(self.joined_ms)
        if self.quiet_ms is not None:
            self.quiet_ms = self._hastened(self.quiet_ms)

    def _hastened(self, time_ms: int) -> int:
        return self.begin_ms + round((time_ms - self.begin_ms) / self.hurry)


def kinds_of(customers: int, rng: random.Random) -> list[Kind]:
    """Return the kind of each customer: shares as in the table up to rounding, in drawn order."""
    bounds = [round(customers * share) for share in accumulate(kind.share for kind in KINDS)]
    bounds[-1] = customers
    kinds = [
        kind
        for kind, start, stop in zip(KINDS, [0, *bounds], bounds, strict=False)
        for _ in range(start, stop)
    ]
    rng.shuffle(kinds)
    return kinds


def populate(
    customers: int,
    rng: random.Random,
    catalogue: Catalogue,
    histories: Sequence[History],
    start_ms: int,
    end_ms: int,
) -> list[Customer]:
    """Return the customers of a simulation of a span; histories are reused as often as needed."""
    fitting = {kind.name: _fitting(kind, histories) for kind in KINDS}
    categories = list(catalogue.categories)
    weights = list(accumulate(len(catalogue.categories[name]) for name in categories))
    people = []
    for number, kind in enumerate(kinds_of(customers, rng)):
        pool = fitting[kind.name]
        person = Customer(
            customer_id=f"c-{number:05d}",
            kind=kind,
            country=rng.choice(BROWSER_COUNTRIES),
            device=rng.choices(DEVICES, kind.devices)[0],
            favourite=categories[bisect(weights, rng.random() * weights[-1])],
            joined_ms=0,
            quiet_ms=None,
        )
        if pool:
            _give_history(person, rng.choice(pool), rng, start_ms, end_ms)
        people.append(person)
    return people


def _fitting(kind: Kind, histories: Sequence[History]) -> list[History]:
    if kind.anchor is Anchor.NONE:
        return []
    least, most = kind.orders
    return [
        history
        for history in histories
        if least <= history.purchases <= most and history.average >= kind.average
    ]


def _give_history(person: Customer, history: History, rng: random.Random, start_ms: int, end_ms: int) -> None:
    """Put a history on the span as the kind says, and go to its first order inside."""
    span_ms = end_ms - start_ms
    times = [order.time_ms for order in history.orders]
    anchor = person.kind.anchor
    if anchor is Anchor.EARLY_END:
        pinned, wanted = times[-1], start_ms + span_ms * rng.uniform(0.05, 0.35)
    elif anchor is Anchor.LATE_START:
        pinned, wanted = times[0], start_ms + span_ms * rng.uniform(0.35, 0.9)
    elif anchor is Anchor.DENSE:
        pinned, wanted = _busiest(times, span_ms * 3 // 4), start_ms + span_ms * rng.uniform(0.0, 0.25)
    else:
        pinned, wanted = times[0], start_ms + span_ms * rng.uniform(0.0, 0.9)
    weeks = -((pinned - int(wanted)) // WEEK_MS)
    person.history = history
    person.country = history.country
    person.shift_ms = weeks * WEEK_MS
    person.period_ms = -(-max(YEAR_MS, times[-1] - times[0] + PAUSE_MS) // WEEK_MS) * WEEK_MS
    if anchor is Anchor.EARLY_END:
        person.quiet_ms = times[-1] + person.shift_ms
    if anchor is Anchor.LATE_START:
        person.joined_ms = max(start_ms, int(times[0] + person.shift_ms - span_ms * rng.uniform(0.02, 0.2)))
    person.turn = sum(time + person.shift_ms < start_ms for time in times)


def _busiest(times: list[int], width_ms: int) -> int:
    """Return the order time from which on the most orders lie within a width; the first of equals."""
    return max(times, key=lambda start: (sum(start <= time <= start + width_ms for time in times), -start))

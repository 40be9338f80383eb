"""The simulated shop: real orders out of the extract, with generated visits around them.

Real are the orders and cancellations: products, quantities, prices, country, weekday, hour, and what the same
customer ordered when. Generated are ids, visits (clicks, views, sessions, channels, devices), campaigns,
coupons and the discounts that lower an order's total, ratings, survey answers and attributes. How customers
differ stands in `customers.KINDS`. Same arguments, same bytes.
"""

from __future__ import annotations

import heapq
import random
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streams.errors import UsageError
from streams.shop.catalogue import load
from streams.shop.customers import Rhythm
from streams.shop.population import DAY_MS, Customer, populate
from streams.shop.record import ShopRecord
from streams.shop.visits import LONGEST_MS, Visits

HOUR_MS = 3_600_000
EVENTS_PER_CUSTOMER_DAY = 0.45
"""What customers do when no number of events is given: 600 customers make 20,000 events in 75 days."""
SLOT_EVENTS = 20_000
"""A slot of simulated time is at most an hour and holds about so many events; bounds the memory."""
QUIET_HALF_LIFE_MS = 5 * DAY_MS
"""Half-life of the visits of a customer who has ordered for the last time, where orders come as recorded."""
ANSWERS = 0.3
"""Share of orders that are followed by a rating or a survey answer, within 12 days."""
LAST_TRIES = 200
"""Rounds of further visits in the last slot until the asked number of events is there."""

_HOURS = {
    Rhythm.DAY: ([1] * 7 + [3, 7, 10, 11, 11, 9, 9, 10, 9, 8, 6, 5, 5, 5, 4, 2, 1], 0.4),
    Rhythm.EVENING: ([2] + [1] * 6 + [2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 7, 10, 14, 16, 14, 9, 4], 1.0),
    Rhythm.WEEKEND: ([1] * 7 + [2, 4, 6, 8, 9, 9, 9, 9, 9, 8, 7, 7, 8, 8, 6, 3, 2], 4.0),
}
"""Weights of the 24 hours of a day, and what a day at the weekend counts beside a working day."""
_RHYTHMS = tuple(_HOURS)


def _shape() -> NDArray[np.float64]:
    """Return (rhythm, weekday, hour) weights whose mean is 1 for each rhythm."""
    shape = np.array(
        [
            [np.array(hours) * (weekend if day >= 5 else 1.0) for day in range(7)]
            for hours, weekend in _HOURS.values()
        ]
    )
    return shape / shape.mean(axis=(1, 2), keepdims=True)


SHAPE = _shape()
_NEVER_MS = 1 << 62
_MONDAY = 3
"""1970-01-01 was a Thursday: days since then plus this, modulo 7, is the weekday from Monday."""

Due = tuple[int, int, bool]
"""(time, number of the customer, is it an order or an answer); an order is due with its visit's start."""


def live_shop(customers: int, seed: int, rate: float, start_ms: int) -> Iterator[ShopRecord]:
    """Yield the events of a simulated shop by time, from a time on, about `rate` a second, without end.

    Orders follow each other as much more quickly than in their histories as events are denser than natural,
    so that there are some whatever the rate.
    """
    events = max(1, round(rate * HOUR_MS / 1000))
    hurry = events / (customers * EVENTS_PER_CUSTOMER_DAY * HOUR_MS / DAY_MS)
    while True:
        end_ms = start_ms + HOUR_MS
        yield from _Simulation(events, customers, seed, start_ms, end_ms, hurry).run()
        start_ms = end_ms


def simulate(
    events: int | None, customers: int, seed: int, start_ms: int, end_ms: int
) -> Iterator[ShopRecord]:
    """Yield the records of a simulated shop by event time, from `start_ms` on and before `end_ms`.

    With `events` the visits are as dense as it takes to spread just this many records over the span; real
    orders come first, so that fewer than four events for each customer end the simulation early. Without,
    customers come at a natural rate until the end. Memory grows with the customers and the events of an hour.

    Raises:
        UsageError: a number is out of range.
    """
    if customers < 1 or (events is not None and events < 1):
        raise UsageError("a simulation needs at least 1 customer and 1 event")
    if end_ms <= start_ms:
        raise UsageError("a simulation must end after its start")
    return _Simulation(events, customers, seed, start_ms, end_ms).run()


class _Simulation:
    """The state of one simulation.

    Args:
        events: how many; None: as many as are natural.
        customers: how many.
        seed: of all draws.
        start_ms: of the span.
        end_ms: of the span.
        hurry: how many times as quickly as in the histories orders and what follows from them come.
    """

    def __init__(
        self,
        events: int | None,
        customers: int,
        seed: int,
        start_ms: int,
        end_ms: int,
        hurry: float = 1.0,
    ) -> None:
        self._rng = random.Random(seed)
        self._hurry = hurry
        catalogue, histories = load()
        lasting_ms = round((end_ms - start_ms) * hurry)
        self._people = populate(customers, self._rng, catalogue, histories, start_ms, start_ms + lasting_ms)
        for person in self._people:
            person.hasten(start_ms, hurry)
        self._visits = Visits(self._rng, catalogue, f"sim{seed}-{start_ms // 1000:x}")
        self._start_ms, self._end_ms = start_ms, end_ms
        self._events = events
        natural = round(customers * EVENTS_PER_CUSTOMER_DAY * (end_ms - start_ms) / DAY_MS)
        self._wanted = events or max(1, natural)
        self._crowd = _Crowd(self._people, QUIET_HALF_LIFE_MS / hurry)
        self._pending: list[ShopRecord] = []
        self._made = 0
        self._visit_events = 8.0
        """Running mean of the records of a visit without an order."""
        self._due: list[Due] = []
        for number in range(customers):
            self._plan_order(number)

    def run(self) -> Iterator[ShopRecord]:
        """Yield the records by time."""
        given = 0
        for start, stop, wanted in self._slots():
            self._act(stop, wanted)
            self._browse(start, stop, wanted)
            if stop == self._end_ms and self._events is not None:
                self._fill(start, stop, self._events)
            self._pending.sort(key=_time)
            ready = bisect_left(self._pending, stop, key=_time)
            for record in self._pending[:ready]:
                if given == self._events:
                    return
                given += 1
                yield record
            del self._pending[:ready]

    def _slots(self) -> Iterator[tuple[int, int, float]]:
        """Yield (start, stop, records wanted until stop), following the hours of the week."""
        weights = self._crowd.week()
        total = sum(weight for _, _, weight in _hours(self._start_ms, self._end_ms, weights))
        done = 0.0
        for start, stop, weight in _hours(self._start_ms, self._end_ms, weights):
            parts = min(1 + int(self._wanted * weight / total / SLOT_EVENTS), stop - start)
            edges = [start + (stop - start) * part // parts for part in range(parts + 1)]
            for part, (left, right) in enumerate(pairwise(edges), start=1):
                yield left, right, self._wanted * (done + weight * part / parts) / total
            done += weight

    def _plan_order(self, number: int) -> None:
        following = self._people[number].next_order()
        if following is not None and following[0] < self._end_ms:
            heapq.heappush(self._due, (following[0] - LONGEST_MS, number, True))

    def _act(self, stop: int, wanted: float) -> None:
        """Write the orders and answers whose visits start before a time."""
        while self._due and self._due[0][0] < stop:
            due_ms, number, is_order = heapq.heappop(self._due)
            person = self._people[number]
            if not is_order:
                self._add(self._visits.answer(person, due_ms))
                continue
            following = person.next_order()
            if following is None:
                continue
            time_ms, order = following
            lean = due_ms < self._start_ms or self._made > 1.2 * wanted + 100
            records = self._visits.order(person, order, time_ms, lean=lean)
            self._add(self._visits.introduce(person, records[0].time_ms) + records)
            if not order.refund and self._rng.random() < ANSWERS:
                later_ms = time_ms + int(self._rng.uniform(1, 12) * DAY_MS / self._hurry)
                heapq.heappush(self._due, (later_ms, number, False))
            person.turn += 1
            self._plan_order(number)

    def _browse(self, start: int, stop: int, wanted: float) -> None:
        """Write as many visits without order, starting in a slot, as records are missing at its end."""
        visits = int((wanted - self._made) / self._visit_events)
        for number in self._crowd.draw(visits, start, self._rng):
            person = self._people[number]
            at_ms = start + int(self._rng.random() * (stop - start))
            introduction = self._visits.introduce(person, at_ms)
            records = self._visits.browse(person, at_ms)
            self._visit_events += 0.01 * (len(records) - self._visit_events)
            self._add(introduction + records)

    def _fill(self, start: int, stop: int, events: int) -> None:
        """Write further visits in the last slot until the asked number of records is there."""
        for _ in range(LAST_TRIES):
            if self._made >= events:
                return
            self._browse(start, stop, max(events, self._made + self._visit_events) + self._visit_events)

    def _add(self, records: list[ShopRecord]) -> None:
        self._pending += records
        self._made += sum(record.time_ms < self._end_ms for record in records)


class _Crowd:
    """Draws who comes in next, all customers at once."""

    def __init__(self, people: list[Customer], half_life_ms: float) -> None:
        self._half_life_ms = half_life_ms
        self._rates = np.array([person.kind.visits for person in people])
        self._joined = np.array([person.joined_ms for person in people], np.int64)
        quiet = [_NEVER_MS if person.quiet_ms is None else person.quiet_ms for person in people]
        self._quiet = np.array(quiet, np.int64)
        self._rhythm = np.array([_RHYTHMS.index(person.kind.rhythm) for person in people])

    def week(self) -> NDArray[np.float64]:
        """Return (weekday, hour) weights of all customers together."""
        shares = np.bincount(self._rhythm, weights=self._rates, minlength=len(_RHYTHMS))
        week: NDArray[np.float64] = np.tensordot(shares / shares.sum(), SHAPE, axes=1)
        return week

    def draw(self, visits: int, now_ms: int, rng: random.Random) -> list[int]:
        """Return the numbers of the customers of so many visits, by how likely each comes at a time."""
        if visits <= 0:
            return []
        weights = self._rates * SHAPE[self._rhythm, _weekday(now_ms), _hour(now_ms)]
        weights *= self._joined <= now_ms
        silent_ms = np.maximum(now_ms - self._quiet, 0)
        sums = np.cumsum(weights * np.exp2(-silent_ms / self._half_life_ms))
        if sums[-1] <= 0:
            return []
        drawn = np.array([rng.random() for _ in range(visits)]) * sums[-1]
        picked: list[int] = np.searchsorted(sums, drawn, side="right").tolist()
        return picked


def _time(record: ShopRecord) -> int:
    return record.time_ms


def _weekday(time_ms: int) -> int:
    return (time_ms // DAY_MS + _MONDAY) % 7


def _hour(time_ms: int) -> int:
    return time_ms // HOUR_MS % 24


def _hours(start_ms: int, end_ms: int, week: NDArray[np.float64]) -> Iterator[tuple[int, int, float]]:
    """Yield (start, stop, weight) of the hours of a span, cut at its ends."""
    table = week.tolist()
    while start_ms < end_ms:
        stop_ms = min((start_ms // HOUR_MS + 1) * HOUR_MS, end_ms)
        yield start_ms, stop_ms, table[_weekday(start_ms)][_hour(start_ms)] * (stop_ms - start_ms)
        start_ms = stop_ms

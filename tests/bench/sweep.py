"""Sweeps over all customers with the shipped audiences: CPU, and the longest time the loop is blocked.

Two kinds: at noon, when nearly all customers are known not to be due, and the first one of a day, when
everyone is decided (the windows of days move on, something is learned of everyone, segments are counted).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

from models.calendar import DAY_MS
from streams.clock import ManualClock
from streams.engine import Engine
from streams.observer import SilentObserver
from streams.settings import Settings
from tests.bench.common import out
from tests.bench.population import shop
from tests.bench.report import Figure, Report, Spread


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--shop", type=int, default=2_000, help="different customers among them")
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--k", type=int, default=3, help="days, with one sweep of each kind")


NOON_MS = DAY_MS // 2
TICK_MS = 30_000


@dataclass(slots=True)
class Swept:
    """What one sweep took."""

    decided: int
    cpu_s: float
    longest_s: float
    """CPU of the longest call that the worker's loop makes: nothing else turns meanwhile."""
    changes: int
    taken_s: float
    """CPU for the records of what the sweep changes, until they are handed to the producer."""
    longest_taken_s: float
    """The same of the dearest commit."""


class Counting(SilentObserver):
    """Counts whom sweeps decide."""

    def __init__(self) -> None:
        self.decided = 0

    def sweep(self, partition: int, customers: int, decided: int) -> None:  # noqa: ARG002 - the protocol's
        """Count."""
        self.decided += decided


def run(options: argparse.Namespace, report: Report) -> None:
    """Measure and write the table."""
    settings = Settings(
        partitions=options.partitions, currency="GBP", n_clusters=8, sweep_interval_s=TICK_MS // 1000
    )
    made = shop(settings, options.shop)
    engine, clock = made.engine()
    made.restore(engine, options.customers)
    noon_ms = (clock.now_ms() // DAY_MS + 1) * DAY_MS + NOON_MS
    settle(engine, clock, noon_ms)
    audiences = len(next(iter(engine.parts.values())).rules.definitions.by_slot)  # type: ignore[union-attr] # the shop has them
    out(f"{options.customers:,} customers, {audiences} audiences")
    noon, first = [], []
    for day in range(options.k):
        now_ms = noon_ms + day * DAY_MS
        sweep(engine, clock, now_ms + TICK_MS)
        noon.append(told("at noon", sweep(engine, clock, now_ms + 2 * TICK_MS)))
        sweep(engine, clock, now_ms + NOON_MS - TICK_MS)  # half a day later: changes are found by bisection
        first.append(told("first of a day", sweep(engine, clock, now_ms + NOON_MS)))
        sweep(engine, clock, now_ms + NOON_MS + TICK_MS)
        sweep(engine, clock, now_ms + DAY_MS)
    report.figures(
        [
            *figures("at noon", noon),
            *figures("first of a day", first),
            Figure("changes made by it", "", Spread([float(one.changes) for one in first])),
            Figure("CPU of the records of its commits", "s", Spread([one.taken_s for one in first]), ".2f"),
            Figure("of the dearest commit", "ms", Spread([one.longest_taken_s * 1000 for one in first])),
        ],
        f"{options.customers:,} customers without events (a year of a shop of {options.shop:,}, repeated), "
        f"{audiences} audiences, {options.partitions} partitions, a sweep every {TICK_MS // 1000} s.",
    )


def figures(name: str, swept: list[Swept]) -> list[Figure]:
    """Return the rows of one kind of sweep."""
    return [
        Figure(f"{name}: customers decided", "", Spread([float(one.decided) for one in swept])),
        Figure(f"{name}: CPU of a sweep", "s", Spread([one.cpu_s for one in swept]), ".3f"),
        Figure(f"{name}: longest block of the loop", "ms", Spread([one.longest_s * 1000 for one in swept])),
    ]


def told(name: str, one: Swept) -> Swept:
    """Say what a sweep took."""
    out(
        f"{name}: {one.decided:,} decided, {one.cpu_s:.3f} s CPU, longest {one.longest_s * 1000:.0f} ms, "
        f"{one.changes:,} changes"
    )
    return one


def settle(engine: Engine, clock: ManualClock, now_ms: int) -> None:
    """Carry out the first sweeps: partitions adopt what is in force, then one looks ahead.

    A partition of which no event has come for minutes is behind by them: here all cross midnight at once.
    """
    engine.advance_to(engine.parts, now_ms - 3 * TICK_MS, now_ms - 3 * TICK_MS)
    for later_ms in (-2, -1, 0):
        sweep(engine, clock, now_ms + later_ms * TICK_MS)


def sweep(engine: Engine, clock: ManualClock, now_ms: int) -> Swept:
    """Let time pass and sweep all customers as the worker's loop does."""
    clock.set(now_ms)
    engine.sweeper.observer = counting = Counting()
    longest_s, used = 0.0, time.process_time()

    def timed(call: Callable[[], bool | None]) -> bool:
        nonlocal longest_s
        began = time.thread_time()
        more = call()
        longest_s = max(longest_s, time.thread_time() - began)
        return bool(more)

    def advance() -> None:
        for partition in engine.parts:
            engine.advance(partition, clock.now_ms())

    timed(advance)
    changes, taken_s = 0, [0.0]

    def take(*numbers: int) -> None:
        nonlocal changes
        for number in numbers:
            changes += sum(map(len, engine.parts[number].drafts))
            began = time.thread_time()
            engine.take(number, clock.now_ms())
            taken_s.append(time.thread_time() - began)

    while timed(lambda: engine.sweep(engine.parts)):
        take(*(number for number in engine.parts if engine.full(number)))
    cpu_s = time.process_time() - used - sum(taken_s)
    take(*engine.parts)
    return Swept(counting.decided, cpu_s, longest_s, changes, sum(taken_s), max(taken_s))

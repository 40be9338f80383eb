"""A sweep over all customers with the shipped audiences: CPU, and the longest time the loop is blocked."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

from streams.clock import ManualClock
from streams.engine import Engine
from streams.settings import Settings
from tests.bench.common import out
from tests.bench.population import shop
from tests.bench.report import Figure, Report, Spread


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--shop", type=int, default=2_000, help="different customers among them")
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--k", type=int, default=3, help="sweeps")


@dataclass(slots=True)
class Swept:
    """What one sweep took."""

    cpu_s: float
    longest_s: float
    """CPU of the longest call that the worker's loop makes: nothing else turns meanwhile."""
    changes: int
    taken_s: float
    """CPU for the records that the sweep's changes make, until they are handed to the producer."""


def run(options: argparse.Namespace, report: Report) -> None:
    """Measure and write the table."""
    settings = Settings(partitions=options.partitions, currency="GBP", n_clusters=8)
    made = shop(settings, options.shop)
    engine, clock = made.engine()
    made.restore(engine, options.customers)
    settle(engine, clock)
    audiences = len(next(iter(engine.parts.values())).rules.definitions.by_slot)  # type: ignore[union-attr] # the shop has them
    out(f"{options.customers:,} customers, {audiences} audiences")
    swept = [sweep(engine, clock, settings.sweep_interval_s * 1000) for _ in range(options.k)]
    for one in swept:
        out(f"{one.cpu_s:.2f} s CPU, longest call {one.longest_s * 1000:.0f} ms, {one.changes:,} changes")
    report.figures(
        [
            Figure("CPU of a sweep", "s", Spread([one.cpu_s for one in swept]), ".2f"),
            Figure("longest block of the loop", "ms", Spread([one.longest_s * 1000 for one in swept])),
            Figure("changes made by it", "", Spread([float(one.changes) for one in swept])),
            Figure("CPU of their records", "s", Spread([one.taken_s for one in swept]), ".2f"),
        ],
        f"{options.customers:,} customers (a year of a shop of {options.shop:,}, repeated), "
        f"{audiences} audiences, {options.partitions} partitions.",
    )


def settle(engine: Engine, clock: ManualClock) -> None:
    """Carry out a first sweep, by which partitions come to the newest model and audiences."""
    sweep(engine, clock, 60_000)


def sweep(engine: Engine, clock: ManualClock, later_ms: int) -> Swept:
    """Let time pass and sweep all customers as the worker's loop does."""
    clock.set(clock.now_ms() + later_ms)
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
    changes, taken_s = 0, 0.0
    while timed(lambda: engine.sweep(engine.parts)):
        for number, part in engine.parts.items():
            if len(part.changes) >= 1_000:
                changes += len(part.changes)
                began = time.process_time()
                engine.take(number, clock.now_ms())
                taken_s += time.process_time() - began
    cpu_s = time.process_time() - used - taken_s
    began = time.process_time()
    for number, part in engine.parts.items():
        changes += len(part.changes)
        engine.take(number, clock.now_ms())
    return Swept(cpu_s, longest_s, changes, taken_s + time.process_time() - began)

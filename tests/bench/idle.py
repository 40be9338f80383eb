"""CPU of a worker that has nothing to do, and at 100 events/s."""

from __future__ import annotations

import argparse
import time

from tests.bench.arena import arena
from tests.bench.common import Worker, cpu_s, out, rss_mb
from tests.bench.deployed import feeder, wait_until_done, workers
from tests.bench.events import fill
from tests.bench.report import Figure, Report, Spread

APP = "idle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--rate", type=float, default=100.0, help="events per second")
    parser.add_argument("--seconds", type=float, default=30.0, help="a sweep interval, of each measurement")
    parser.add_argument(
        "--calm",
        type=float,
        default=65.0,
        help="seconds before: two sweeps, which decide all who were just met",
    )
    parser.add_argument("--k", type=int, default=3)
    parser.add_argument("--events", type=int, default=300_000, help="before: models and customers are there")
    parser.add_argument("--customers", type=int, default=50_000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)


def run(options: argparse.Namespace, report: Report) -> None:
    """Measure and write the table."""
    idle: list[float] = []
    busy: list[float] = []
    with arena(options) as place:
        fill(place.settings(APP), options.events, options.customers, options.seed)
        with workers(place, APP) as (worker,):
            wait_until_done(place, APP, options.events, 120)
            time.sleep(options.calm)
            for repetition in range(options.k):
                idle.append(share(worker, options.seconds))
                with feeder(place, options.rate, options.seconds + 5, options.customers, repetition):
                    busy.append(share(worker, options.seconds))
                out(f"idle {idle[-1]:.2f} %, at {options.rate:g} events/s {busy[-1]:.2f} % of a core")
            memory = rss_mb(worker.pid)
    report.figures(
        [
            Figure("idle", "% of a core", Spread(idle), ".2f"),
            Figure(f"at {options.rate:g} events/s", "% of a core", Spread(busy), ".2f"),
            Figure(f"memory with {options.customers:,} customers", "MB", Spread([memory])),
        ]
    )


def share(worker: Worker, seconds: float) -> float:
    """Return the CPU that a worker uses, in percent of a core."""
    began, used = time.monotonic(), cpu_s(worker.pid)
    time.sleep(seconds)
    return (cpu_s(worker.pid) - used) / (time.monotonic() - began) * 100

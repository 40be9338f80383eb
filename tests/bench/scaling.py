"""One and two workers on the same events: CPU per event of all together."""

from __future__ import annotations

import argparse

from tests.bench.arena import arena
from tests.bench.common import out
from tests.bench.deployed import offsets, workers
from tests.bench.events import fill
from tests.bench.measuring import Figures, Span, measure
from tests.bench.report import Figure, Report, Spread


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--customers", type=int, default=50_000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--counts", type=int, nargs="*", default=[1, 2], help="workers")
    parser.add_argument("--k", type=int, default=3)
    parser.add_argument("--warm-share", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=300.0)


def run(options: argparse.Namespace, report: Report) -> None:
    """Measure and write the table."""
    found: dict[int, list[Figures]] = {count: [] for count in options.counts}
    span = Span(options.events, options.warm_share, options.limit, options.limit, options.limit)
    with arena(options) as place:
        fill(place.settings(), options.events, options.customers, options.seed)
        for repetition in range(options.k):
            for count in options.counts if repetition % 2 == 0 else reversed(options.counts):
                place.reset()
                app = f"scaling-{count}-{repetition}"
                with offsets(place, app) as committed, workers(place, app, count) as started:
                    figures = measure(started, committed, span)
                found[count].append(figures)
                rate, cpu = figures.events_per_second, figures.cpu_us_per_event
                out(f"{count} workers: {cpu:.2f} us CPU/event, {rate:,.0f} events/s")
    figures_of = [
        Figure(f"{count} {'worker' if count == 1 else 'workers'}", *rest)
        for count, runs in found.items()
        for rest in (
            ("CPU µs per event", Spread([f.cpu_us_per_event for f in runs]), ".2f"),
            ("events/s", Spread([f.events_per_second for f in runs]), ",.0f"),
            ("MB, peak RSS together", Spread([f.rss_mb for f in runs]), ",.0f"),
        )
    ]
    report.figures(figures_of)

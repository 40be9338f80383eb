"""The same events per second on ever more customers: CPU per event, events/s, memory."""

from __future__ import annotations

import argparse

from tests.bench.arena import arena
from tests.bench.common import out
from tests.bench.deployed import offsets, workers
from tests.bench.events import each, uniform, write
from tests.bench.measuring import Figures, Span, measure
from tests.bench.report import Figure, Report, Spread


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000], help="customers"
    )
    parser.add_argument("--events", type=int, default=500_000, help="measured, after each customer's first")
    parser.add_argument("--warm-share", type=float, help="of all events; default: those first ones")
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=600.0)


def run(options: argparse.Namespace, report: Report) -> None:
    """Measure and write the table."""
    found: dict[int, Figures] = {}
    for customers in options.sizes:
        total, app = customers + options.events, f"growth-{customers}"
        with arena(options) as place:
            who = [*each(customers, 1), *uniform(options.events, customers, options.seed)]
            write(place.settings(), who, options.seed)
            warm = customers / total if options.warm_share is None else options.warm_share
            span = Span(total, warm, options.limit, options.limit, options.limit)
            with offsets(place, app) as committed, workers(place, app) as started:
                found[customers] = figures = measure(started, committed, span)
        rate, cpu = figures.events_per_second, figures.cpu_us_per_event
        out(
            f"{customers:,} customers: {cpu:.2f} us CPU/event, {rate:,.0f} events/s, {figures.rss_mb:,.0f} MB"
        )
    figures_of = [
        Figure(f"{customers:,} customers", *rest)
        for customers, f in found.items()
        for rest in (
            ("CPU µs per event", Spread([f.cpu_us_per_event]), ".2f"),
            ("events/s", Spread([f.events_per_second]), ",.0f"),
            ("MB, peak RSS", Spread([f.rss_mb]), ",.0f"),
        )
    ]
    report.figures(figures_of)

"""Measure what transactions cost: `python -m tests.bench.transactions`.

The same events on the same Kafka, with transactions and without, in turn: each run gets topics of its own
and a worker of its own, and is measured over the second half of its events. Without transactions a worker
writes the same records, waits until they are stored, and then commits the offsets: at least once.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from streams.broker import start_broker
from streams.records import INPUT_TOPICS
from streams.settings import load_settings
from streams.topics import create_topics, topic_name
from tests.bench.arena import Offsets
from tests.bench.common import Worker, end_on_sigterm, load_average, out
from tests.bench.events import fill
from tests.bench.measuring import Figures, Span, measure
from tests.bench.worker import MODES

TARGET = 0.8
"""Least share of the throughput without transactions that is left with them."""


def order(pairs: int) -> Iterator[str]:
    """Yield the modes in turn, the first of a pair last in the next: a drift of the machine cancels out."""
    modes = tuple(MODES)
    for pair in range(pairs):
        yield from modes if pair % 2 == 0 else reversed(modes)


def run(bootstrap: str, number: int, mode: str, options: argparse.Namespace) -> Figures:
    """Measure one worker on topics of its own and print the run's line."""
    environ = {
        "KAFKA_BOOTSTRAP": bootstrap,
        "LIVE_SEGMENTS_APP_ID": f"run-{number}",
        "LIVE_SEGMENTS_TOPIC_PREFIX": f"run-{number}.",
    }
    settings = load_settings(environ)
    create_topics(settings)
    fill(settings, options.events, options.customers, options.seed)
    command = (sys.executable, "-m", "tests.bench.worker", mode)
    inputs = [topic_name(settings, name) for name in INPUT_TOPICS]
    span = Span(options.events, warm_s=options.limit, span_s=options.limit, limit_s=options.limit)
    with (
        Offsets(bootstrap, settings.app_id, inputs, settings.partitions) as offsets,
        Worker(environ, command=command) as worker,
    ):
        figures = measure([worker], offsets, span)
    out(
        f"{mode:8} {figures.events_per_second:10,.0f} events/s {figures.cpu_us_per_event:8.1f} us CPU"
        f" per event   load {load_average():.1f}"
    )
    return figures


def report(found: dict[str, list[Figures]]) -> None:
    """Print the table: medians with their spread, and the ratios."""
    rates = {mode: [figures.events_per_second for figures in runs] for mode, runs in found.items()}
    costs = {mode: [figures.cpu_us_per_event for figures in runs] for mode, runs in found.items()}
    out(f"{'transactions':14} {'events/s':>28} {'us CPU per event':>24}")
    for mode in MODES:
        out(f"{mode:14} {_spread(rates[mode], ',.0f'):>28} {_spread(costs[mode], '.1f'):>24}")
    rate, cost = (_ratios(values) for values in (rates, costs))
    verdict = "held" if statistics.median(rate) >= TARGET else "missed"
    out(f"{'with / without':14} {_spread(rate, '.2f'):>28} {_spread(cost, '.2f'):>24}")
    out(f"target: at least {TARGET:g} of the events/s: {verdict}")


def _ratios(values: dict[str, list[float]]) -> list[float]:
    return [ours / theirs for ours, theirs in zip(values["with"], values["without"], strict=True)]


def _spread(values: list[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=600_000, help="in each run")
    parser.add_argument("--customers", type=int, default=50_000)
    parser.add_argument("--pairs", type=int, default=3, help="runs with and without")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=180.0, help="seconds after which to give up a run")
    options = parser.parse_args()
    end_on_sigterm()
    found: dict[str, list[Figures]] = {mode: [] for mode in MODES}
    with tempfile.TemporaryDirectory() as folder, start_broker("kafka", Path(folder)) as broker:
        bootstrap = str(broker.bootstrap)
        out("a run to warm the broker up, not counted:")
        run(bootstrap, 0, "with", options)
        for number, mode in enumerate(order(options.pairs), 1):
            found[mode].append(run(bootstrap, number, mode, options))
    report(found)


if __name__ == "__main__":
    main()

"""Latency from produce to the change record that a `read_committed` subscriber sees, at steady rates."""

from __future__ import annotations

import argparse
import threading
import time
from typing import Self

import numpy as np
from confluent_kafka import Consumer, TopicPartition

from streams.clock import SystemClock
from tests.bench.arena import Arena, arena
from tests.bench.common import out
from tests.bench.deployed import feeder, wait_until_done, workers
from tests.bench.events import fill
from tests.bench.feeder import at_ms
from tests.bench.report import Figure, Report, Spread

QUANTILES = (50.0, 99.0, 99.9)
APP = "latency"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--rates", type=int, nargs="*", default=[1_000, 10_000, 50_000], help="events per second"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="at each rate")
    parser.add_argument("--settle", type=float, default=3.0, help="seconds of each rate that do not count")
    parser.add_argument(
        "--calm",
        type=float,
        default=65.0,
        help="seconds before: two sweeps, which decide all who were just met",
    )
    parser.add_argument(
        "--warm-up",
        type=int,
        default=1,
        help="repetitions before, which do not count: the broker's JVM is cold",
    )
    parser.add_argument("--k", type=int, default=3, help="repetitions of each rate")
    parser.add_argument("--events", type=int, default=300_000, help="before: models and customers are there")
    parser.add_argument("--customers", type=int, default=50_000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)


def run(options: argparse.Namespace, report: Report) -> None:
    """Measure and write the table."""
    found: dict[int, list[list[float]]] = {rate: [] for rate in options.rates}
    with arena(options) as place:
        written = options.events
        fill(place.settings(APP), options.events, options.customers, options.seed)
        with workers(place, APP):
            wait_until_done(place, APP, written, 120)
            time.sleep(options.calm)
            for repetition in range(-options.warm_up, options.k):
                for rate in options.rates:
                    figures, sent = once(place, rate, options, options.warm_up + repetition)
                    written += sent
                    wait_until_done(place, APP, written, 120)
                    if repetition >= 0:
                        found[rate].append(figures)
    names = [f"p{quantile:g}" for quantile in QUANTILES]
    lines = [
        Figure(f"{rate:,} events/s, {name}", unit, Spread([run[i] for run in runs]))
        for rate, runs in found.items()
        for i, (name, unit) in enumerate([*((name, "ms") for name in names), ("achieved", "events/s")])
    ]
    report.figures(lines)


def once(place: Arena, rate: int, options: argparse.Namespace, repetition: int) -> tuple[list[float], int]:
    """Return the quantiles in ms and the rate that was achieved, and how many events were sent."""
    with Subscriber(place) as subscriber:
        with feeder(place, rate, options.seconds, options.customers, options.seed + repetition) as feeding:
            time.sleep(options.settle)
            subscriber.begin()
            told, _ = feeding.communicate(timeout=options.seconds + 60)
        latencies = subscriber.latencies()
    sent, seconds = told.split()
    quantiles = (
        np.percentile(latencies, QUANTILES).tolist() if len(latencies) else [float("nan")] * len(QUANTILES)
    )
    achieved = int(sent) / float(seconds)
    shown = ", ".join(f"{value:,.0f}" for value in quantiles)
    out(f"{rate:7,} events/s: {shown} ms; {len(latencies):,} changes, {achieved:,.0f} events/s achieved")
    return [*quantiles, achieved], int(sent)


class Subscriber:
    """Reads change records as they become visible and notes how old their event is; use it with `with`."""

    def __init__(self, place: Arena) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": place.bootstrap,
                "group.id": "latency-subscriber",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 10,
                "log_level": 0,
            }
        )
        places = [TopicPartition("segment-changes", number) for number in range(place.partitions)]
        for at in places:
            at.offset = self._consumer.get_watermark_offsets(at, timeout=10)[1]
        self._consumer.assign(places)
        self._found: list[int] = []
        self._from_ms = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def begin(self) -> None:
        """Count what is produced from now on."""
        self._from_ms = SystemClock().now_ms()
        self._found.clear()

    def latencies(self) -> list[int]:
        """Return the latencies in ms so far."""
        return list(self._found)

    def _run(self) -> None:
        clock = SystemClock()
        while not self._stop.is_set():
            messages = self._consumer.consume(1_000, 0.01)
            now_ms = clock.now_ms()
            for message in messages:
                produced = at_ms(message.value() or b"") if message.error() is None else None
                if produced is not None and produced >= self._from_ms:
                    self._found.append(now_ms - produced)

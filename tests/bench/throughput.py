"""Measure one worker on a real Kafka: events/s, CPU per event, memory. `make bench` runs this.

Writes a seeded stream of events to the input topics, starts a worker, and measures while it works on the
second half of them: in the first half it meets every customer and makes its first models. The
worker does the full job: all features, behaviour segments, change records, exactly once. The broker runs on
the same machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from streams.broker import start_broker
from streams.lag import Lag
from streams.settings import Settings, load_settings
from streams.topics import create_topics
from tests.bench.common import PRODUCT, Worker, cpu_s, end_on_sigterm, load_average, out, rss_mb
from tests.bench.events import fill


@dataclass(frozen=True, slots=True)
class Figures:
    """What a worker did in the second half of the stream."""

    events_per_second: float
    cpu_us_per_event: float
    rss_mb: float


def measure(
    environ: Mapping[str, str], events: int, limit_s: float, command: Sequence[str] = PRODUCT
) -> Figures:
    """Run a worker until everything is committed and return the figures of the second half.

    Args:
        environ: the deployment's settings by their names in the environment.
        events: how many were written.
        limit_s: when to give up.
        command: the worker to run.
    """
    began = time.monotonic()
    with Lag(load_settings(environ)) as lag, Worker(environ, command=command) as worker:
        first: tuple[float, float, int] | None = None
        while time.monotonic() - began < limit_s:
            done = events - lag.left()
            now, cpu = time.monotonic(), cpu_s(worker.pid)
            if first is None and done >= events // 2:
                first = (now, cpu, done)
            if first is not None and done >= events and done > first[2]:
                share = done - first[2]
                return Figures(share / (now - first[0]), (cpu - first[1]) / share * 1e6, rss_mb(worker.pid))
            time.sleep(0.1)
        sys.exit(f"not done after {limit_s:g} s: {events - lag.left()} of {events} events")


def changes(settings: Settings) -> int:
    """Return how many change records a read_committed consumer sees."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka_bootstrap,
            "group.id": "bench-reader",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    topic = settings.topic_prefix + "segment-changes"
    consumer.assign([TopicPartition(topic, p, 0) for p in range(settings.partitions)])
    ended = count = 0
    while ended < settings.partitions:
        for message in consumer.consume(10_000, 1.0):
            if message.error():
                ended += 1
            else:
                count += 1
    consumer.close()
    return count


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=600_000)
    parser.add_argument("--customers", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=180.0, help="seconds after which to give up")
    options = parser.parse_args()
    end_on_sigterm()
    with tempfile.TemporaryDirectory() as folder, start_broker("kafka", Path(folder)) as broker:
        environ = {"KAFKA_BOOTSTRAP": str(broker.bootstrap)}
        settings = load_settings(environ)
        create_topics(settings)
        size = fill(settings, options.events, options.customers, options.seed)
        figures = measure(environ, options.events, options.limit)
        out(f"{options.events:,} events of {size:.0f} bytes, {options.customers:,} customers, one worker")
        out(f"{figures.events_per_second:12,.0f} events/s")
        out(f"{figures.cpu_us_per_event:12.1f} us CPU per event in the worker")
        out(f"{figures.rss_mb:12,.0f} MB resident")
        out(f"{changes(settings):12,} change records")
        out(f"{load_average():12.1f} load average of the machine")


if __name__ == "__main__":
    main()

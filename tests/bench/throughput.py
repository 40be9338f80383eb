"""Measure one worker on a real Kafka: events/s, CPU per event, memory. `make bench` runs this.

Writes a seeded stream of events to the input topics, starts a worker, and measures while it works on the
second half of them: in the first half it meets every customer and makes its first models. The
worker does the full job: all features, behaviour segments, change records, exactly once. The broker runs on
the same machine.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson
from confluent_kafka import Consumer, Producer, TopicPartition

from streams.broker import start_broker
from streams.codec.hashing import partition_for
from streams.lag import Lag
from streams.records import INPUT_TOPICS
from streams.settings import Settings, load_settings
from streams.topics import create_topics

KINDS = (0, 0, 0, 1, 1, 1, 1, 1, 1, 2)
"""Three clicks and six views to one purchase of one or two lines."""
CATEGORIES = ("shoes", "phones", "books", "garden", "toys", "audio", "food", "sport")
SPAN_MS = 120_000
"""Event time that the stream spans, with a sweep every 30 s of it."""


def event(number: int, customer: str, kind: int, at_ms: int, rng: random.Random) -> dict[str, object]:
    """Return one event of the stream."""
    found: dict[str, object] = {
        "event_id": f"e{number:09d}",
        "customer_id": customer,
        "occurred_at": at_ms,
        "session_id": f"s{customer}",
        "channel": "web",
        "device": rng.choice(("mobile", "desktop")),
        "country": "DE",
    }
    if kind == 0:
        found["action"] = rng.choice(("link", "search", "add_to_cart", "campaign"))
    product = {"product_id": f"p{rng.randrange(5000)}", "category": rng.choice(CATEGORIES)}
    if kind == 1:
        found |= product | {"price": 19.9, "dwell_seconds": 12}
    if kind == 2:
        line = product | {"quantity": 1, "unit_price": 19.9}
        found |= {"order_id": f"o{number}", "items": [line] * rng.choice((1, 2))}
    return found


def fill(settings: Settings, events: int, customers: int, seed: int) -> float:
    """Write the events and return their mean size in bytes."""
    rng = random.Random(seed)
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap, "linger.ms": 20, "acks": "all"})
    now_ms = time.time_ns() // 1_000_000
    size = 0
    for number in range(events):
        customer = f"c{int(customers * rng.random() ** 2):07d}"
        kind = rng.choice(KINDS)
        value = orjson.dumps(
            event(number, customer, kind, now_ms - SPAN_MS + number * SPAN_MS // events, rng)
        )
        size += len(value)
        key = customer.encode()
        place = partition_for(key, settings.partitions, settings.partitioner)
        while True:
            try:
                producer.produce(settings.topic_prefix + INPUT_TOPICS[kind], value, key, place)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()
    return size / events


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process and its children, as far as they live."""
    total = 0.0
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        total += cpu_s(int(child))
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return total + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process and its children."""
    total = sum(rss_mb(int(c)) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return total + (int(found[1]) / 1024 if found else 0.0)


def measure(settings: Settings, events: int, limit_s: float) -> dict[str, float]:
    """Run a worker until everything is committed and return the figures of the second half."""
    environ = dict(os.environ, KAFKA_BOOTSTRAP=str(settings.kafka_bootstrap), LIVE_SEGMENTS_WEB_PORT="0")
    command = [str(Path(sys.executable).with_name("live-segments")), "worker"]
    began = time.monotonic()
    with (
        Lag(settings) as lag,
        subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as worker,
    ):
        try:
            first: tuple[float, float, int] | None = None
            while time.monotonic() - began < limit_s:
                done = events - lag.left()
                now, cpu = time.monotonic(), cpu_s(worker.pid)
                if first is None and done >= events // 2:
                    first = (now, cpu, done)
                if first is not None and done >= events and done > first[2]:
                    share = done - first[2]
                    return {
                        "events_per_second": share / (now - first[0]),
                        "cpu_us_per_event": (cpu - first[1]) / share * 1e6,
                        "rss_mb": rss_mb(worker.pid),
                    }
                time.sleep(0.1)
            sys.exit(f"not done after {limit_s:g} s: {events - lag.left()} of {events} events")
        finally:
            worker.terminate()


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
    with tempfile.TemporaryDirectory() as folder, start_broker("kafka", Path(folder)) as broker:
        settings = load_settings({"KAFKA_BOOTSTRAP": broker.bootstrap})
        create_topics(settings)
        size = fill(settings, options.events, options.customers, options.seed)
        figures = measure(settings, options.events, options.limit)
        print(f"{options.events:,} events of {size:.0f} bytes, {options.customers:,} customers, one worker")  # noqa: T201
        print(f"{figures['events_per_second']:12,.0f} events/s")  # noqa: T201
        print(f"{figures['cpu_us_per_event']:12.1f} us CPU per event in the worker")  # noqa: T201
        print(f"{figures['rss_mb']:12,.0f} MB resident")  # noqa: T201
        print(f"{changes(settings):12,} change records")  # noqa: T201


if __name__ == "__main__":
    main()

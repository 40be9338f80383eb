"""Seeded events for the benchmarks: written at once, or at a steady rate."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Self

import orjson
from confluent_kafka import Producer

from streams.clock import SystemClock
from streams.codec.hashing import partition_for
from streams.records import INPUT_TOPICS
from streams.settings import Settings

KINDS = (0, 0, 0, 1, 1, 1, 1, 1, 1, 2)
"""Three clicks and six views to one purchase of one or two lines."""
CATEGORIES = ("shoes", "phones", "books", "garden", "toys", "audio", "food", "sport")
WARM_SPAN_MS = 120_000
"""Event time that the first half of a written stream spans, with a sweep every 30 s: models come in force."""
DATED_AT = 100_000
"""Events per second of event time in the second half: as many sweeps among them as such a shop has."""
TICK_S = 0.01
"""A steady feed sends what is due this often."""


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


def skewed(events: int, customers: int, rng: random.Random) -> Iterator[int]:
    """Yield customers of whom a few have most of the events."""
    return (int(customers * rng.random() ** 2) for _ in range(events))


def each(customers: int, times: int) -> Iterator[int]:
    """Yield every customer, several times over."""
    return (customer for _ in range(times) for customer in range(customers))


class Writer:
    """Numbers events and writes them to the input topics; used from one thread.

    Args:
        settings: the deployment's.
        seed: of what happens.
        first: number of the first event.
        also: topic that gets all events once more.
    """

    def __init__(self, settings: Settings, seed: int, first: int = 0, also: str | None = None) -> None:
        self._also = also
        self._settings = settings
        self._producer = Producer(
            {"bootstrap.servers": settings.kafka_bootstrap, "linger.ms": 20, "acks": "all"}
        )
        self._rng = random.Random(seed)
        self.number = first
        """Of the next event."""

    def write(self, customer: int, at_ms: int) -> int:
        """Write one event and return its size in bytes; waits while the producer's buffer is full."""
        name = f"c{customer:07d}"
        kind = self._rng.choice(KINDS)
        value = orjson.dumps(event(self.number, name, kind, at_ms, self._rng))
        self.number += 1
        key = name.encode()
        place = partition_for(key, self._settings.partitions, self._settings.partitioner)
        self._produce(self._settings.topic_prefix + INPUT_TOPICS[kind], value, key, place)
        if self._also is not None:
            self._produce(self._also, value, key, place)
        return len(value)

    def _produce(self, topic: str, value: bytes, key: bytes, place: int) -> None:
        while True:
            try:
                return self._producer.produce(topic, value, key, place)
            except BufferError:
                self._producer.poll(0.1)

    def poll(self) -> None:
        """Let the producer forget what is stored."""
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until everything is stored."""
        self._producer.flush()


def uniform(events: int, customers: int, seed: int) -> Iterator[int]:
    """Yield customers who all have about the same number of events."""
    rng = random.Random(seed)
    return (rng.randrange(customers) for _ in range(events))


def fill(settings: Settings, events: int, customers: int, seed: int, also: str | None = None) -> float:
    """Write a skewed stream and return the mean size of its events in bytes."""
    return write(settings, list(skewed(events, customers, random.Random(seed + 1))), seed, also)


def introduce(settings: Settings, customers: int, times: int, seed: int) -> int:
    """Write the same number of events for every customer and return how many events that are."""
    write(settings, list(each(customers, times)), seed)
    return customers * times


def write(settings: Settings, customers: Sequence[int], seed: int, also: str | None = None) -> float:
    """Write an event of each customer named and return the mean size of the events in bytes.

    Args:
        settings: the deployment's.
        customers: in order.
        seed: of what happens.
        also: topic that gets all events once more.
    """
    writer = Writer(settings, seed, also=also)
    size = 0
    for customer, at_ms in zip(customers, dates(len(customers), SystemClock().now_ms()), strict=True):
        size += writer.write(customer, at_ms)
    writer.flush()
    return size / len(customers)


def dates(count: int, end_ms: int) -> Iterator[int]:
    """Yield the times of a written stream."""
    half = count // 2
    turn_ms = end_ms - (count - half) * 1000 // DATED_AT
    for number in range(count):
        if number < half:
            yield turn_ms - WARM_SPAN_MS + number * WARM_SPAN_MS // half
        else:
            yield turn_ms + (number - half) * 1000 // DATED_AT


class Feed:
    """Writes events of random customers at a steady rate until it is left; use it with `with`.

    Args:
        settings: the deployment's.
        customers: how many take part.
        rate: events per second.
        seed: of what happens.
        first: number of the first event, so that no id comes twice.
    """

    def __init__(self, settings: Settings, customers: int, rate: float, seed: int, first: int) -> None:
        self._writer = Writer(settings, seed, first)
        self._rng = random.Random(seed + 1)
        self._customers, self._rate = customers, rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._writer.flush()

    def _run(self) -> None:
        clock, started = SystemClock(), time.monotonic()
        while not self._stop.wait(TICK_S):
            due = int((time.monotonic() - started) * self._rate)
            now_ms = clock.now_ms()
            for _ in range(due - self.sent):
                self._writer.write(self._rng.randrange(self._customers), now_ms)
            self.sent = due
            self._writer.poll()

"""Publish shop records to the input topics: keyed by customer, in the order given, none lost or doubled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from streams.admin import Admin
from streams.clock import Clock
from streams.codec.hashing import partition_for
from streams.errors import BrokerUnreachableError, InterlockError, UsageError
from streams.records import INPUT_TOPICS
from streams.security import librdkafka_security
from streams.settings import Settings
from streams.shop.pace import Pace
from streams.shop.record import ShopRecord
from streams.topics import topic_name
from streams.words import counted

CONFIRM_S = 60.0
"""A record that no broker has confirmed by then is given up, and the run with it."""
POLL_EVERY = 2_000
"""Records between two looks at what the broker has refused."""
_KNOWN_KEYS = 1 << 18


@dataclass(slots=True)
class Published:
    """What was sent."""

    sent: dict[str, int] = field(default_factory=lambda: dict.fromkeys(INPUT_TOPICS, 0))
    """Records by topic, without the deployment's prefix."""
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """Return the number of records."""
        return sum(self.sent.values())


class Publisher:
    """Writes records to the input topics; idempotent, confirmed by all copies.

    Kafka's timestamp of a record is the time it is sent, never less than that of the record before it: a
    worker merges the topics by it, so it sees the records in the order in which they were sent (where the
    topic has broker times, up to the few milliseconds that a batch waits).

    Args:
        settings: the deployment's.
        clock: the wall clock.
        linger_ms: how long a record waits for others to travel with.

    Raises:
        BrokerUnreachableError: no broker answers.
        UsageError: an input topic is missing.
        InterlockError: an input topic has another number of partitions than the settings say.
    """

    def __init__(self, settings: Settings, clock: Clock, linger_ms: int = 5) -> None:
        check_inputs(settings)
        self.published = Published()
        self._names = [topic_name(settings, name) for name in INPUT_TOPICS]
        self._bootstrap = settings.kafka_bootstrap
        self._now_ms = clock.now_ms
        self._last_ms = 0
        self._counts = [0] * len(INPUT_TOPICS)
        self._failed: list[KafkaError] = []
        self._producer = Producer(_configuration(settings, linger_ms))

        @lru_cache(maxsize=_KNOWN_KEYS)
        def place(key: bytes) -> int:
            return partition_for(key, settings.partitions, settings.partitioner)

        self._place: Callable[[bytes], int] = place

    def _remember(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed.append(error)

    def send(self, record: ShopRecord) -> None:
        """Take a record; waits while too many are unconfirmed.

        Raises:
            BrokerUnreachableError: an earlier record was not confirmed in time.
        """
        topic, key = record.topic, record.key
        self._last_ms = max(self._last_ms, self._now_ms())
        while True:
            try:
                self._producer.produce(
                    self._names[topic],
                    record.value,
                    key=key or None,
                    partition=self._place(key),
                    timestamp=self._last_ms,
                    on_delivery=self._remember,
                )
            except BufferError:
                self.poll(0.1)
            else:
                break
        self._counts[topic] += 1
        if self._counts[topic] % POLL_EVERY == 0:
            self.poll(0)

    def poll(self, timeout_s: float) -> None:
        """Hear from the broker, waiting at most so long.

        Raises:
            BrokerUnreachableError: a record was not confirmed in time.
        """
        self._producer.poll(timeout_s)
        if self._failed:
            raise BrokerUnreachableError(
                f"Kafka at {self._bootstrap} did not take a record ({self._failed[0].str()}); what was sent "
                "before it is there"
            )

    def flush(self, timeout_s: float = CONFIRM_S) -> Published:
        """Wait until everything is confirmed and return what was sent.

        Raises:
            BrokerUnreachableError: not in time.
        """
        left = self._producer.flush(timeout_s)
        self.poll(0)
        if left:
            raise BrokerUnreachableError(
                f"{counted(left, 'record')} without confirmation after {timeout_s:g} s; is Kafka up?"
            )
        self.published.sent = dict(zip(INPUT_TOPICS, self._counts, strict=True))
        return self.published


def publish(
    records: Iterable[ShopRecord], publisher: Publisher, pace: Pace, stop: threading.Event | None = None
) -> Published:
    """Send records at a pace, in order, until there are no more or `stop` is set; return what was sent.

    When it is interrupted (KeyboardInterrupt), what was taken so far is still sent.

    Raises:
        BrokerUnreachableError: the broker is lost.
    """
    started = time.monotonic()
    try:
        for record in _paced(records, publisher, pace, stop or threading.Event()):
            publisher.send(record)
    except KeyboardInterrupt:
        publisher.flush(5.0)
        raise
    published = publisher.flush()
    published.seconds = time.monotonic() - started
    return published


def _paced(
    records: Iterable[ShopRecord], publisher: Publisher, pace: Pace, stop: threading.Event
) -> Iterator[ShopRecord]:
    """Yield each record when it is due."""
    waits = pace.rate is not None or pace.speed is not None
    started = time.monotonic()
    first_ms = 0
    for sent, record in enumerate(records):
        if stop.is_set():
            return
        if waits:
            first_ms = first_ms or record.time_ms
            due_s = pace.due_s(sent, record.time_ms - first_ms)
            while (left_s := due_s - (time.monotonic() - started)) > 0 and not stop.wait(min(left_s, 0.1)):
                publisher.poll(0)
        yield record


def check_inputs(settings: Settings) -> None:
    """Make sure that the input topics are there and have the partitions that the settings say.

    Raises:
        BrokerUnreachableError: no broker answers.
        UsageError: a topic is missing.
        InterlockError: a topic has another number of partitions.
    """
    found = Admin(settings).metadata().copies
    for name in (topic_name(settings, topic) for topic in INPUT_TOPICS):
        if name not in found:
            raise UsageError(f"topic {name} is missing; run `live-segments topics create`")
        if len(found[name]) != settings.partitions:
            raise InterlockError(
                f"topic {name} has {counted(len(found[name]), 'partition')}, LIVE_SEGMENTS_PARTITIONS is "
                f"{settings.partitions}: keys would lie on wrong ones; correct the setting"
            )


def _configuration(settings: Settings, linger_ms: int) -> dict[str, Any]:
    return {
        "bootstrap.servers": settings.kafka_bootstrap,
        "client.id": "live-segments-produce",
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": linger_ms,
        "batch.num.messages": 10_000,
        "compression.type": "lz4",
        "queue.buffering.max.messages": 50_000,
        "message.timeout.ms": int(CONFIRM_S * 1000),
        "delivery.report.only.error": True,
        "log_level": 0,
        **librdkafka_security(settings),
    }

"""The topics of a worker, seen from outside: what a test sends and reads back."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from operator import itemgetter
from typing import Any

from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from streams.bounds import bounds_of
from streams.records import INPUT_TOPICS
from streams.settings import Settings
from streams.topics import topic_name
from tests.kafka.processes import PATIENCE_S, ROOT, Supervised, Worker, runs, until

STRAY = 20
"""Records that a load's producer may store twice or not at all when a machine is very busy."""


class Load:
    """Sends numbered events of some keys to the three event topics, and counts what it sent.

    Its producer waits for a broker that is away, and stores nothing twice.
    """

    def __init__(self, settings: Settings, keys: int = 200) -> None:
        self._settings = settings
        self._keys = keys
        self._producer = Producer(
            {
                "bootstrap.servers": settings.kafka_bootstrap,
                "linger.ms": 5,
                "enable.idempotence": True,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )
        self._failed: list[KafkaError] = []
        self.sent: dict[str, int] = {}
        self._next = 0

    def send(self, count: int) -> None:
        """Send events and wait until all are stored."""
        self.begin_to_send(count)
        self.flush()

    def begin_to_send(self, count: int) -> None:
        """Hand events to the producer."""
        for number in range(self._next, self._next + count):
            key = f"c{number * 7 % self._keys}"
            topic = topic_name(self._settings, INPUT_TOPICS[number % 3])
            partition = number * 7 % self._keys % self.partitions
            self._producer.produce(topic, b"%d" % number, key, partition=partition, on_delivery=self._stored)
            self.sent[key] = self.sent.get(key, 0) + 1
            self._producer.poll(0)
        self._next += count

    def _stored(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed.append(error)

    def flush(self) -> None:
        """Wait until all events are stored."""
        assert self._producer.flush(60) == 0
        assert self._failed == []

    @contextmanager
    def steadily(self, per_second: int = 1000) -> Iterator[None]:
        """Send events all the time until the block ends, then wait until all are stored."""
        over = threading.Event()

        def run() -> None:
            while not over.wait(0.02):
                self.begin_to_send(per_second // 50)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        self.flush()

    def wait_until_counted(self, timeout_s: float = PATIENCE_S) -> float:
        """Wait until the group has committed all that is in the topics; return how long that took.

        They are what counts: the load's own producer has been seen to store a record twice, or one too few.
        """
        try:
            return until(
                lambda: committed(self._settings) == stored(self._settings), "all committed", timeout_s
            )
        except AssertionError as error:
            error.add_note(f"sent {self.total}; committed, end: {standing(self._settings)}")
            raise

    @property
    def partitions(self) -> int:
        """Return the number of partitions of each topic."""
        return self._settings.partitions

    @property
    def total(self) -> int:
        """Return how many events were sent."""
        return self._next


def send(
    settings: Settings, name: str, values: Iterable[bytes], key: bytes = b"k", partition: int = 0
) -> None:
    """Send records to one partition of a topic."""
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap})
    for value in values:
        producer.produce(topic_name(settings, name), value, key, partition=partition)
    assert producer.flush(30) == 0


def group_admin(settings: Settings) -> Consumer:
    """Return a client to ask for a group's offsets with: making one costs more than asking it."""
    return _group_client(settings.kafka_bootstrap or "", settings.app_id)


@cache
def _group_client(bootstrap: str, group: str) -> Consumer:
    """Return a consumer that never joins; the admin client's request for offsets can crash the process."""
    return Consumer({"bootstrap.servers": bootstrap, "group.id": group, "log_level": 0})


def committed(settings: Settings, client: Consumer | None = None) -> int:
    """Return the sum of the offsets that the group has committed for the event topics, -1 if unknown."""
    try:
        found = (client or group_admin(settings)).committed(_inputs(settings), 10)
    except KafkaException:  # the group's coordinator is still loading
        return -1
    return sum(max(0, partition.offset) for partition in found)


def stored(settings: Settings) -> int:
    """Return how many events the event topics hold."""
    client = group_admin(settings)
    return sum(bounds_of(client, place, 10)[1] for place in _inputs(settings))


def standing(settings: Settings) -> dict[str, str]:
    """Return for each partition of the event topics what is committed of it and where it ends, as text."""
    client = group_admin(settings)
    try:
        found = client.committed(_inputs(settings), 10)
    except KafkaException as error:
        return {"all": str(error)}
    return {
        f"{place.topic} {place.partition}": f"{place.offset} {place.error or ''}, "
        f"{bounds_of(client, place, 10)[1]}"
        for place in found
    }


def _inputs(settings: Settings) -> list[TopicPartition]:
    """Return the partitions of the event topics."""
    return [
        TopicPartition(topic_name(settings, name), partition)
        for name in INPUT_TOPICS[:3]
        for partition in range(settings.partitions)
    ]


def read(settings: Settings, name: str, isolation: str = "read_committed") -> list[tuple[int, bytes, bytes]]:
    """Return all records of a topic as (partition, key, value), partition by partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka_bootstrap,
            "group.id": "reader",
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    topic = topic_name(settings, name)
    partitions = sorted(consumer.list_topics(topic, 10).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    found: list[tuple[int, bytes, bytes]] = []
    at_end: set[int] = set()
    while len(at_end) < len(partitions):
        message = consumer.poll(30)
        assert message is not None, f"{topic}: no end within 30 s"
        if message.error() is not None:
            at_end.add(message.partition())
        else:
            found.append((message.partition(), message.key(), message.value()))
    consumer.close()
    return sorted(found, key=itemgetter(0))  # stable: the order in a partition stays


def counts(settings: Settings) -> dict[str, int]:
    """Return the counting engine's state as the changelog has it."""
    return {key.decode(): int(value) for _, key, value in read(settings, "profiles-changelog")}


def changes(settings: Settings, isolation: str = "read_committed") -> list[dict[str, Any]]:
    """Return the counting engine's changes."""
    return [json.loads(value) for *_, value in read(settings, "segment-changes", isolation)]


def sequences(settings: Settings) -> dict[str, list[int]]:
    """Return for each key the numbers of its changes, in the order in which a subscriber sees them."""
    found: dict[str, list[int]] = {}
    for change in changes(settings):
        found.setdefault(change["key"], []).append(change["n"])
    return found


def assert_exactly_once(settings: Settings, load: Load) -> None:
    """Check that each event in the topics was counted once, and each change seen once and in order."""
    held = Counter(key.decode() for name in INPUT_TOPICS[:3] for _, key, _ in read(settings, name))
    assert abs(held.total() - load.total) <= STRAY, "the load is not in the topics"
    assert counts(settings) == held
    assert sequences(settings) == {key: list(range(1, n + 1)) for key, n in held.items()}


def ends(settings: Settings, name: str, partition: int, isolation: str) -> int:
    """Return where a partition ends for a reader of that isolation level."""
    consumer = Consumer(
        {"bootstrap.servers": settings.kafka_bootstrap, "group.id": "reader", "isolation.level": isolation}
    )
    _, end = bounds_of(consumer, TopicPartition(topic_name(settings, name), partition), 20)
    consumer.close()
    return end


def group_size(settings: Settings) -> int:
    """Return how many members with partitions the consumer group has, -1 while it is rebalancing."""
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap})
    (future,) = admin.describe_consumer_groups([settings.app_id]).values()
    found = future.result(20)
    settled = found.state in (ConsumerGroupState.STABLE, ConsumerGroupState.EMPTY)
    return len(found.members) if settled else -1


def limit_records(settings: Settings, name: str, size: int | None) -> None:
    """Set how large the records of a topic may be, in bytes; None: as by default."""
    kind = AlterConfigOpType.DELETE if size is None else AlterConfigOpType.SET
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=kind)
    topic = ConfigResource(ResourceType.TOPIC, topic_name(settings, name), incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap})
    for done in admin.incremental_alter_configs([topic]).values():
        done.result(20)


__all__ = [
    "ROOT",
    "Load",
    "Supervised",
    "Worker",
    "assert_exactly_once",
    "changes",
    "committed",
    "counts",
    "ends",
    "group_admin",
    "group_size",
    "limit_records",
    "read",
    "runs",
    "send",
    "sequences",
    "until",
]

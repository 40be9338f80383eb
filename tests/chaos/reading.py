"""Read whole topics with a consumer of one's own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition

from streams.bounds import bounds_of
from tests.chaos.expected import Message
from tests.chaos.rows import transaction_mark
from tests.chaos.shop import EXPECT

PATIENCE_S = 60.0
"""A read that brings nothing for so long has failed."""
BATCH = 10_000


def read(bootstrap: str, topic: str, *, committed: bool = True) -> Iterator[Message]:
    """Yield all records of a topic up to its ends, each partition's in order.

    Args:
        bootstrap: the cluster.
        topic: what to read.
        committed: without the records of aborted transactions.

    Raises:
        TimeoutError: no record and no end for a minute.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "chaos-checker",
            "isolation.level": "read_committed" if committed else "read_uncommitted",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "fetch.message.max.bytes": 4 * 2**20,
        }
    )
    try:
        partitions = sorted(consumer.list_topics(topic, 30).topics[topic].partitions)
        begin = [
            TopicPartition(topic, p, bounds_of(consumer, TopicPartition(topic, p), 30)[0]) for p in partitions
        ]
        consumer.assign(begin)
        yield from _until_ends(consumer, topic, len(partitions))
    finally:
        consumer.close()


def _until_ends(consumer: Any, topic: str, partitions: int) -> Iterator[Message]:
    ended: set[int] = set()
    last = time.monotonic()
    while len(ended) < partitions:
        messages = consumer.consume(BATCH, 1.0)
        if messages:
            last = time.monotonic()
        elif time.monotonic() - last > PATIENCE_S:
            raise TimeoutError(f"{topic}: {PATIENCE_S:g} s without a record or an end")
        for message in messages:
            error = message.error()
            if error is None:
                headers = message.headers()
                expect = dict(headers).get(EXPECT) if headers else None
                yield Message(
                    topic, message.partition(), message.offset(), message.key(), message.value(), expect
                )
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
            elif error.fatal() or not error.retriable():
                raise RuntimeError(f"{topic}: {error}")


def read_all(bootstrap: str, topics: tuple[str, ...], add: Callable[[Message], None]) -> None:
    """Hand all committed records of the topics on."""
    for topic in topics:
        for message in read(bootstrap, topic):
            add(message)


def count_aborted(bootstrap: str, topic: str) -> int:
    """Return how many records of a topic only a reader sees who does not ask for committed ones."""
    seen = sum(1 for _ in read(bootstrap, topic, committed=False))
    return seen - sum(1 for _ in read(bootstrap, topic))


def count_transactions(bootstrap: str) -> Counter[str]:
    """Return how many transactions Kafka has committed and aborted, by its own log of them."""
    found: Counter[str] = Counter()
    for message in read(bootstrap, "__transaction_state", committed=False):
        mark = transaction_mark(message.key or b"", message.value) if message.value else None
        if mark is not None and mark.status in {2, 3}:
            found["committed" if mark.status == 2 else "aborted"] += 1
    return found

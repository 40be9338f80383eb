"""A Kafka of the benchmark's own, its topics, and how far a group is on them."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from streams.broker import start_broker
from streams.records import INPUT_TOPICS
from streams.settings import Settings, load_settings
from streams.topics import create_topics
from tests.bench.common import until
from tests.bench.peers.candidate import EVENTS, OUT

TOPICS_S = 60.0
"""Bounds the wait until topics are there, or gone."""
ANSWER_S = 15.0
_KEPT = {*INPUT_TOPICS, EVENTS}


class Arena:
    """A single-node Kafka on this machine with fresh topics; use `arena` to get one.

    Args:
        bootstrap: its address.
        folder: where its data lies.
    """

    def __init__(self, bootstrap: str, folder: Path, partitions: int) -> None:
        self.bootstrap = bootstrap
        self.folder = folder
        self.partitions = partitions
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self.drop(list(self.topics()))
        self.create([EVENTS])
        self.reset()

    def environ(self, app_id: str) -> dict[str, str]:
        """Return the settings of a deployment on it, by their names in the environment."""
        return {
            "KAFKA_BOOTSTRAP": self.bootstrap,
            "LIVE_SEGMENTS_APP_ID": app_id,
            "LIVE_SEGMENTS_PARTITIONS": str(self.partitions),
            "LIVE_SEGMENTS_HANDOVER_TIMEOUT_MS": "0",  # nobody takes over
        }

    def settings(self, app_id: str = "bench") -> Settings:
        """Return the settings of a deployment on it."""
        return load_settings(self.environ(app_id))

    def reset(self) -> None:
        """Delete all topics but the inputs, and make the product's and the peers' anew."""
        self.drop([name for name in self.topics() if name not in _KEPT])
        create_topics(self.settings())
        self.create([OUT])

    def drop(self, names: Sequence[str]) -> None:
        """Delete topics and wait until they are gone."""
        if names:
            for done in self._admin.delete_topics(list(names)).values():
                done.result()
            until(lambda: not set(names) & self.topics(), "topics are not deleted", TOPICS_S)

    def topics(self) -> set[str]:
        """Return the names of all topics but Kafka's own."""
        return {
            name for name in self._admin.list_topics(timeout=ANSWER_S).topics if not name.startswith("__")
        }

    def size(self, topic: str) -> int:
        """Return the bytes of a topic's log on disk."""
        logs = self.folder.glob(f"**/{topic}-[0-9]*/*.log")
        return sum(path.stat().st_size for path in logs if not path.parent.name.endswith("-delete"))

    def create(self, names: Sequence[str]) -> None:
        """Make topics with Kafka's defaults."""
        for done in self._admin.create_topics(
            [NewTopic(name, self.partitions, 1) for name in names]
        ).values():
            done.result()
        until(lambda: set(names) <= self.topics(), "topics are not made", TOPICS_S)


@contextmanager
def arena(options: argparse.Namespace) -> Iterator[Arena]:
    """Start a Kafka, or empty the one that the options name, and make the topics.

    Args:
        options: `partitions`, and those of `add_arguments`.
    """
    with ExitStack() as stack:
        folder, bootstrap = options.folder, options.bootstrap
        if bootstrap is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            bootstrap = str(stack.enter_context(start_broker("kafka", folder)).bootstrap)
        yield Arena(bootstrap, folder, options.partitions)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options by which several commands share one Kafka."""
    parser.add_argument("--bootstrap", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)


class Offsets:
    """Asks for what a group has committed; use it with `with`.

    Args:
        bootstrap: the brokers.
        group: never joined.
        topics: whose offsets.
        partitions: of each topic.
    """

    def __init__(self, bootstrap: str, group: str, topics: Sequence[str], partitions: int) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, "log_level": 0}
        )
        self._places = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._consumer.close()

    def committed(self) -> int:
        """Return the number of records that are committed; 0 while nobody looks after the group."""
        try:
            found = self._consumer.committed(self._places, timeout=ANSWER_S)
        except KafkaException:
            return 0
        return sum(max(place.offset, 0) for place in found)


def count(bootstrap: str, topic: str, partitions: int) -> int:
    """Return how many records of a topic a `read_committed` consumer sees."""
    return sum(1 for _ in records(bootstrap, topic, partitions))


def records(bootstrap: str, topic: str, partitions: int) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Yield key and value of all records of a topic that a `read_committed` consumer sees."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench-reader",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    ended = 0
    while ended < partitions:
        for message in consumer.consume(10_000, 1.0):
            if message.error():
                ended += 1
            else:
                yield message.key(), message.value()
    consumer.close()

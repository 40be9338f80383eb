"""When which partition made progress, as a subscriber sees it, and whose it was."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right
from collections import defaultdict
from itertools import pairwise
from typing import Self

from confluent_kafka import Consumer, ConsumerGroupState, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from streams.records import INPUT_TOPICS
from streams.settings import Settings
from streams.topics import topic_name

STAMP_S = 0.01
"""Arrivals are stamped this often: what a silence is exact to."""


class Progress:
    """Reads the changelog as a `read_committed` subscriber and notes the arrivals; use it with `with`.

    A transaction has changelog rows whenever it has events, so an arrival is a commit of the partition.

    Args:
        settings: the deployment's.
    """

    def __init__(self, settings: Settings) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.kafka_bootstrap,
                "group.id": settings.app_id + "-progress",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 10,
                "log_level": 0,
            }
        )
        topic = topic_name(settings, "profiles-changelog")
        places = [TopicPartition(topic, number) for number in range(settings.partitions)]
        for place in places:
            place.offset = self._consumer.get_watermark_offsets(place, timeout=10)[1]
        self._consumer.assign(places)
        self._stamps: dict[int, list[float]] = {place.partition: [time.monotonic()] for place in places}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            messages = self._consumer.consume(10_000, STAMP_S)
            now_s = time.monotonic()
            for partition in {message.partition() for message in messages if message.error() is None}:
                self._stamps[partition].append(now_s)

    def all_since(self, moment_s: float) -> bool:
        """Return whether every partition has made progress since a moment (monotonic seconds)."""
        return all(stamps[-1] > moment_s for stamps in self._stamps.values())

    def silences(self, begin_s: float, end_s: float) -> dict[int, float]:
        """Return each partition's longest time without progress that reaches into the span, in seconds."""
        return {
            partition: longest_gap(stamps[:], begin_s, end_s) for partition, stamps in self._stamps.items()
        }


def longest_gap(stamps: list[float], begin: float, end: float) -> float:
    """Return the longest gap between neighbouring stamps that overlaps [begin, end].

    A gap that has begun before the span counts from its beginning, one that ends after it to the next
    stamp, or to the end of the span if there is none.

    Args:
        stamps: ascending; the first is not after `begin`.
        begin: of the span.
        end: of the span.
    """
    first = max(0, bisect_right(stamps, begin) - 1)
    last = bisect_left(stamps, end)
    seen = stamps[first : last + 1]
    if last == len(stamps):
        seen = [*seen, end]
    return max((later - earlier for earlier, later in pairwise(seen)), default=0.0)


class Group:
    """Asks the broker who owns what."""

    def __init__(self, settings: Settings) -> None:
        self._admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap, "log_level": 0})
        self._id = settings.app_id
        self._inputs = {topic_name(settings, name) for name in INPUT_TOPICS}

    def owners(self) -> dict[int, str]:
        """Return the member that owns each partition number; nothing while the group is not stable."""
        try:
            found = self._admin.describe_consumer_groups([self._id], request_timeout=10)[self._id].result()
        except KafkaException:
            return {}
        if found.state != ConsumerGroupState.STABLE:
            return {}
        return {
            place.partition: member.member_id
            for member in found.members
            for place in member.assignment.topic_partitions
            if place.topic in self._inputs
        }

    def members(self) -> int:
        """Return how many workers own partitions; 0 while the group is not stable."""
        return len(set(self.owners().values()))


def moved(before: dict[int, str], after: dict[int, str]) -> set[int]:
    """Return the partitions whose owner has changed."""
    owners: dict[int, set[str]] = defaultdict(set)
    for state in (before, after):
        for partition, owner in state.items():
            owners[partition].add(owner)
    return {partition for partition, who in owners.items() if len(who) > 1}

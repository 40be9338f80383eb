"""Worker processes and their topics, seen from outside: what a test starts, sends and reads back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from streams.records import INPUT_TOPICS
from streams.settings import Settings
from streams.topics import topic_name

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0


class Worker:
    """A process with the counting engine; killed at the end of the test if it is still there."""

    def __init__(self, settings: Settings, log: Path, **environ: str) -> None:
        self._log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.kafka.counting_worker"],
                cwd=ROOT,
                env={**os.environ, **environ},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
            )
        assert self.process.stdin is not None
        self.process.stdin.write(msgspec.json.encode(settings) + b"\n")
        self.process.stdin.flush()

    def __enter__(self) -> Self:
        """Return the worker."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave no process behind."""
        self.kill()
        assert self.process.stdin is not None
        self.process.stdin.close()

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def signal(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def stop(self, timeout_s: float = 10.0) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.terminate()
        return self.process.wait(timeout_s)

    def log(self) -> str:
        """Return what it has logged so far."""
        return self._log.read_text()


def until(condition: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> float:
    """Wait for a condition and return how long it took; fail after the timeout."""
    started = time.monotonic()
    while not condition():
        waited = time.monotonic() - started
        assert waited < timeout_s, f"{what}: not within {timeout_s:g} s"
        time.sleep(0.05)
    return time.monotonic() - started


class Load:
    """Sends numbered events of some keys to the three event topics, and counts what it sent."""

    def __init__(self, settings: Settings, keys: int = 200) -> None:
        self._settings = settings
        self._keys = keys
        self._producer = Producer({"bootstrap.servers": settings.kafka_bootstrap, "linger.ms": 5})
        self.sent: dict[str, int] = {}
        self._next = 0

    def send(self, count: int) -> None:
        """Send events and wait until all are stored."""
        for number in range(self._next, self._next + count):
            key = f"c{number * 7 % self._keys}"
            topic = topic_name(self._settings, INPUT_TOPICS[number % 3])
            self._producer.produce(
                topic, b"%d" % number, key, partition=number * 7 % self._keys % self.partitions
            )
            self.sent[key] = self.sent.get(key, 0) + 1
            self._producer.poll(0)
        self._next += count
        assert self._producer.flush(30) == 0

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
    wanted = [
        TopicPartition(topic_name(settings, name), partition)
        for name in INPUT_TOPICS[:3]
        for partition in range(settings.partitions)
    ]
    try:
        found = (client or group_admin(settings)).committed(wanted, 10)
    except KafkaException:  # the group's coordinator is still loading
        return -1
    return sum(max(0, partition.offset) for partition in found)


def read(settings: Settings, name: str) -> list[tuple[int, bytes, bytes]]:
    """Return all committed records of a topic as (partition, key, value), each partition's in order."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka_bootstrap,
            "group.id": "reader",
            "isolation.level": "read_committed",
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
    return found


def counts(settings: Settings) -> dict[str, int]:
    """Return the counting engine's state as the changelog has it."""
    return {key.decode(): int(value) for _, key, value in read(settings, "profiles-changelog")}


def sequences(settings: Settings) -> dict[str, list[int]]:
    """Return for each key the numbers of its changes, in the order in which a subscriber sees them."""
    found: dict[str, list[int]] = {}
    for _, key, value in read(settings, "segment-changes"):
        change: dict[str, Any] = json.loads(value)
        found.setdefault(key.decode(), []).append(change["n"])
    return found


def assert_exactly_once(settings: Settings, load: Load) -> None:
    """Check that each event was counted once, and each change seen once and in order."""
    assert counts(settings) == load.sent
    assert sequences(settings) == {key: list(range(1, n + 1)) for key, n in load.sent.items()}

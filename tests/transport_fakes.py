"""An ownership among fakes: no broker, no disk, an engine that counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

import pytest
from aiokafka import TopicPartition

from streams.clock import ManualClock
from streams.records import INPUT_TOPICS, Record
from streams.settings import Settings
from streams.transport import performer as module
from streams.transport.chunk import Chunk
from streams.transport.fetched import Fetched
from streams.transport.ownership import Ownership
from streams.transport.ports import EnginePort, NullObserver
from tests.kafka.counting import CountingEngine

ALL = [TopicPartition(topic, partition) for topic in INPUT_TOPICS for partition in (0, 1)]


def topic_partitions(*numbers: int) -> list[TopicPartition]:
    """Return those of all inputs."""
    return [TopicPartition(topic, number) for topic in INPUT_TOPICS for number in numbers]


class Stopped(BaseException):
    """Stands for the end of the process."""


class FakeTransactor:
    """Remembers what is committed; waits for `gate` and raises `error` if there is one."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.fence = asyncio.Event()
        self.fence.set()
        self.starts = 0
        self.error: Exception | None = None
        self.committed: list[tuple[list[Record], dict[TopicPartition, int]]] = []
        self.aborted = False

    def take_building_s(self) -> float:
        """As Transactor."""
        return 0.0

    async def start(self) -> None:
        """Fence."""
        self.starts += 1
        await self.fence.wait()

    async def stop(self, timeout_s: float = 0) -> None:
        """Stop."""

    async def abort(self) -> None:
        """Note it."""
        self.aborted = True

    async def commit(
        self, records: Sequence[Record], offsets: Mapping[TopicPartition, int], timestamp_ms: int
    ) -> int:
        """Commit, or raise."""
        del timestamp_ms
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.committed.append((list(records), dict(offsets)))
        return 0


class FakeConsumer:
    """Holds the group's offsets."""

    def __init__(self) -> None:
        self.offsets: dict[TopicPartition, int] = {}
        self.sought: list[dict[TopicPartition, int]] = []
        self.rejoined = 0

    def start_at(self, offsets: Mapping[TopicPartition, int]) -> bool:
        """Note the seek."""
        self.sought.append(dict(offsets))
        return True

    async def committed(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offsets."""
        return {tp: self.offsets.get(tp, 0) for tp in partitions}

    def rejoin(self) -> None:
        """Note that a rebalance is wanted."""
        self.rejoined += 1

    @property
    def plain_commit(self) -> Callable[[Any], Awaitable[None]]:
        """Not used here."""
        raise NotImplementedError


class FakeReplica:
    """Restores nothing."""

    def __init__(self, settings: Settings, engine: EnginePort, partition: int, *, transactions: bool) -> None:
        self._engine, self._partition = engine, partition
        assert settings
        assert transactions
        self.records = 0
        self.reads = False

    async def start(self) -> None:
        """Begin with an empty state."""
        self._engine.open(self._partition)

    async def complete(self, progress: Callable[[int, int], None]) -> int:
        """Read nothing."""
        progress(0, 0)
        return 0

    def abandon(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


class World:
    """An ownership among fakes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stopped: list[BaseException] = []
        self.engine = CountingEngine()
        self.consumer = FakeConsumer()
        self.transactors: dict[int, FakeTransactor] = {}
        self.ownership = Ownership(
            Settings(kafka_bootstrap="nowhere:1"),
            self.engine,
            ManualClock(1_000),
            NullObserver(),
            transactions=True,
            fail_stop=self.fail_stop,
        )
        self.ownership.performer.consumer = self.consumer
        self.ownership.ready_to_open.set()
        monkeypatch.setattr(self.ownership.performer, "new_transactor", self.new_transactor)
        monkeypatch.setattr(module, "Replica", FakeReplica)

    def fail_stop(self, error: BaseException) -> NoReturn:
        """Note the end."""
        self.stopped.append(error)
        raise Stopped

    def new_transactor(self, number: int) -> FakeTransactor:
        """Return a fresh fake."""
        self.transactors[number] = FakeTransactor()
        return self.transactors[number]

    async def assigned(self, partitions: list[TopicPartition]) -> None:
        """Assign and wait until all parts are active."""
        self.ownership.assign(partitions)
        numbers = {tp.partition for tp in partitions}
        await until(lambda: {part.number for part in self.ownership.active()} == numbers)

    def deliver(self, number: int, count: int) -> Chunk:
        """Let records of topic 0 arrive and cut a chunk of them."""
        part = self.ownership.parts[number]
        start = part.aligner.end(0)
        offsets = list(range(start, start + count))
        part.aligner.add(
            0, Fetched.of(start, start + count, offsets, [1] * count, [b"k"] * count, [b"v"] * count), 0
        )
        for topic in range(part.topics):
            part.aligner.heard(topic, part.aligner.end(topic), 0.0)
        piece = part.aligner.release(number, count, 0.0)
        assert piece is not None
        part.unprocessed += count
        return Chunk([(part, part.epoch, piece)])


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until the condition holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for is a state, in the same loop
            await asyncio.sleep(0)

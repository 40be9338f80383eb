"""Ownership with a fake broker: what happens when commits fail, overlap, or a rebalance comes between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import ProducerFenced

from streams.clock import ManualClock
from streams.errors import LiveSegmentsError
from streams.records import INPUT_TOPICS, Record
from streams.settings import Settings
from streams.transport import performer as module
from streams.transport.alignment import Fetched
from streams.transport.chunk import Chunk
from streams.transport.ownership import Ownership
from streams.transport.part import OutOfStepError, State
from streams.transport.ports import NullObserver
from tests.kafka.counting import CountingEngine

ALL = [TopicPartition(topic, partition) for topic in INPUT_TOPICS for partition in (0, 1)]


class Stopped(BaseException):
    """Stands for the end of the process."""


class FakeTransactor:
    """Remembers what is committed; waits for `gate` and raises `error` if there is one."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.committed: list[tuple[list[Record], dict[TopicPartition, int]]] = []
        self.aborted = False

    async def start(self) -> None:
        """Fence."""

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

    def start_at(self, offsets: Mapping[TopicPartition, int]) -> bool:
        """Note the seek."""
        self.sought.append(dict(offsets))
        return True

    async def committed(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offsets."""
        return {tp: self.offsets.get(tp, 0) for tp in partitions}

    @property
    def plain_commit(self) -> Callable[[Any], Awaitable[None]]:
        """Not used here."""
        raise NotImplementedError


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
        monkeypatch.setattr(module, "restore", self.restore)

    def fail_stop(self, error: BaseException) -> NoReturn:
        """Note the end."""
        self.stopped.append(error)
        raise Stopped

    def new_transactor(self, number: int) -> FakeTransactor:
        """Return a fresh fake."""
        self.transactors[number] = FakeTransactor()
        return self.transactors[number]

    async def restore(self, *_: object, **__: object) -> int:
        """Restore nothing."""
        return 0

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
            0, Fetched(start, start + count, offsets, [1] * count, [b"k"] * count, [b"v"] * count), 0
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


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Give an ownership among fakes."""
    return World(monkeypatch)


def test_state_and_offsets_are_committed_together(world: World) -> None:
    async def scenario() -> None:
        await world.assigned(ALL)
        world.ownership.process(world.deliver(0, 3))
        world.ownership.tick()
        await until(lambda: bool(world.transactors[0].committed))
        records, offsets = world.transactors[0].committed[0]
        assert offsets == {TopicPartition("clicks", 0): 3}
        assert [record.value for record in records if record.topic == "profiles-changelog"] == [b"3"]

    asyncio.run(scenario())


def test_a_partition_goes_on_processing_while_it_commits(world: World) -> None:
    async def scenario() -> None:
        await world.assigned(ALL)
        world.transactors[0].gate.clear()
        world.ownership.process(world.deliver(0, 2))
        world.ownership.tick()
        await asyncio.sleep(0)
        world.ownership.process(world.deliver(0, 5))
        world.ownership.tick()
        world.transactors[0].gate.set()
        await until(lambda: world.ownership.parts[0].commit is None)
        world.ownership.tick()
        await until(lambda: len(world.transactors[0].committed) == 2)

        ends = [offsets[TopicPartition("clicks", 0)] for _, offsets in world.transactors[0].committed]
        assert ends == [2, 7]

    asyncio.run(scenario())


def test_a_failed_commit_ends_the_process_with_one_line_that_names_the_partition(world: World) -> None:
    async def scenario() -> None:
        await world.assigned(ALL)
        world.transactors[1].error = RuntimeError("disk full")
        world.ownership.process(world.deliver(1, 1))
        with pytest.raises(Stopped):
            await world.ownership.commit(world.ownership.parts[1])
        assert "commit of partition 1 failed" in str(world.stopped[0])
        assert world.transactors[1].aborted

    asyncio.run(scenario())


def test_a_fenced_partition_is_dropped_and_the_others_go_on(world: World) -> None:
    async def scenario() -> None:
        await world.assigned(ALL)
        world.transactors[0].error = ProducerFenced()
        world.ownership.process(world.deliver(0, 1))
        await world.ownership.commit(world.ownership.parts[0])
        world.ownership.process(world.deliver(1, 1))
        await world.ownership.commit(world.ownership.parts[1])

        assert not world.stopped
        assert set(world.ownership.parts) == set(world.engine.counts) == {1}
        assert world.transactors[1].committed
        await world.ownership.close_all()

    asyncio.run(scenario())


def test_chunks_that_wait_when_a_rebalance_begins_are_dropped(world: World) -> None:
    async def scenario() -> None:
        await world.assigned(ALL)
        chunk = world.deliver(0, 3)
        world.ownership.freeze()
        world.ownership.process(chunk)
        assert world.engine.pending(0) == 0
        await world.assigned(ALL)
        world.ownership.process(chunk)

        assert world.engine.pending(0) == 0
        assert (
            len([sought for sought in world.consumer.sought if sought.get(TopicPartition("clicks", 0)) == 0])
            == 2
        )

    asyncio.run(scenario())


def test_two_flushes_at_once_make_one_commit(world: World) -> None:
    """A stop during a rebalance flushes again: the second flush waits for the first one's transaction.

    It used to begin another transaction on the same producer, fail, and abort the first.
    """

    async def scenario() -> None:
        await world.assigned(ALL)
        world.ownership.process(world.deliver(0, 3))
        transactor = world.transactors[0]
        transactor.gate.clear()
        flushes = [asyncio.ensure_future(world.ownership.flush()) for _ in range(2)]
        await until(lambda: world.ownership.parts[0].commit is not None)
        transactor.gate.set()
        await asyncio.gather(*flushes)

        assert len(transactor.committed) == 1
        assert not transactor.aborted

    asyncio.run(scenario())


def test_a_flush_commits_what_was_processed_before_the_rebalance(world: World) -> None:
    async def scenario() -> None:
        await world.assigned(ALL)
        world.ownership.process(world.deliver(0, 4))
        world.ownership.freeze()
        await world.ownership.flush()

        assert world.transactors[0].committed[0][1] == {TopicPartition("clicks", 0): 4}

    asyncio.run(scenario())


def test_a_retained_partition_that_somebody_else_has_committed_is_opened_anew(world: World) -> None:
    async def scenario() -> None:
        await world.assigned(ALL)
        before = world.transactors[0]
        world.ownership.freeze()
        world.consumer.offsets[TopicPartition("clicks", 0)] = 0
        world.engine.checked = False
        world.consumer.offsets[TopicPartition("purchases", 0)] = 9
        await world.assigned(ALL)

        assert world.transactors[0] is not before
        assert world.ownership.parts[0].positions == [0, 0, 9, 0]

    asyncio.run(scenario())


def test_a_retained_partition_that_nobody_touched_keeps_its_state(world: World) -> None:
    async def scenario() -> None:
        await world.assigned(ALL)
        before = world.transactors[0]
        world.ownership.freeze()
        await world.assigned(ALL)

        assert world.transactors[0] is before
        assert world.ownership.parts[0].state is State.ACTIVE

    asyncio.run(scenario())


def test_a_lost_partition_is_closed_and_forgotten_by_the_engine(world: World) -> None:
    async def scenario() -> None:
        await world.assigned(ALL)
        world.ownership.freeze()
        await world.assigned([tp for tp in ALL if tp.partition == 1])

        assert set(world.engine.counts) == {1}

    asyncio.run(scenario())


def test_a_contradiction_found_by_a_worker_that_is_no_longer_the_owner_only_drops_the_partition(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        world.consumer.offsets[TopicPartition("clicks", 0)] = 5
        made = world.new_transactor

        def fenced(number: int) -> FakeTransactor:
            transactor = made(number)
            transactor.error = ProducerFenced()
            return transactor

        monkeypatch.setattr(world.ownership.performer, "new_transactor", fenced)
        world.ownership.assign([tp for tp in ALL if tp.partition == 0])
        await until(lambda: 0 not in world.ownership.parts)
        assert not world.stopped
        await world.ownership.close_all()

    asyncio.run(scenario())


def test_a_contradiction_between_state_and_offsets_ends_the_process(world: World) -> None:
    async def scenario() -> None:
        world.consumer.offsets[TopicPartition("clicks", 0)] = 5
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, _context: None)  # Stopped leaves a task's callback
        world.ownership.assign([tp for tp in ALL if tp.partition == 0])
        await until(lambda: bool(world.stopped))

    asyncio.run(scenario())
    assert isinstance(world.stopped[0], LiveSegmentsError)


def test_a_partition_number_whose_topics_are_spread_over_workers_is_refused(world: World) -> None:
    async def scenario() -> None:
        with pytest.raises(OutOfStepError):
            world.ownership.assign([TopicPartition("clicks", 0)])

    asyncio.run(scenario())

"""The merger's part with a fake broker: the same guards as the partitions of the inputs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import ProducerFenced

from streams import merge_part as module
from streams.clock import ManualClock
from streams.merge_part import MergePart
from streams.model_log import Newest
from streams.records import Record
from streams.settings import Settings
from streams.transport.fetched import Fetched
from streams.transport.ports import MergePort, NullObserver
from tests.kafka.counting import CountingMerger


class FakeTransactor:
    """Remembers what is committed, or raises."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.committed: list[tuple[bytes | None, list[int]]] = []

    async def start(self) -> None:
        """Fence."""

    async def stop(self, timeout_s: float = 0) -> None:
        """Stop."""

    async def abort(self) -> None:
        """Abort."""

    async def commit(
        self, records: Sequence[Record], offsets: Mapping[TopicPartition, int], timestamp_ms: int
    ) -> int:
        """Commit, or raise."""
        del timestamp_ms
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.committed.append((records[0].value, list(offsets.values())))
        return 0


class World:
    """A merger among fakes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, merger: MergePort | None = None) -> None:
        self.stopped: list[BaseException] = []
        self.transactor = FakeTransactor()
        self.steps: list[str] = []
        self.merge = MergePart(
            Settings(kafka_bootstrap="nowhere:1"),
            merger or CountingMerger(),
            ManualClock(1_000),
            NullObserver(),
            transactions=True,
            fail_stop=self.fail_stop,
        )
        self.merge.consumer = self
        monkeypatch.setattr(self.merge, "new_transactor", self.new_transactor)
        monkeypatch.setattr(module, "newest", self.newest)

    def fail_stop(self, error: BaseException) -> NoReturn:
        """Note the end."""
        self.stopped.append(error)
        raise SystemExit

    def new_transactor(self) -> FakeTransactor:
        """Note the fence."""
        self.steps.append("fence")
        return self.transactor

    async def newest(self, *_: object, **__: object) -> Newest:
        """Note the reading."""
        self.steps.append("model")
        return Newest(None, None)

    async def committed(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Note the reading."""
        self.steps.append("offsets")
        return dict.fromkeys(partitions, 5)

    def start_at(self, offsets: Mapping[TopicPartition, int]) -> bool:
        """Note the seek."""
        self.steps.append(f"seek {list(offsets.values())}")
        return True

    @property
    def plain_commit(self) -> Any:
        """Not used here."""
        raise NotImplementedError

    async def opened(self) -> None:
        """Assign the merger and wait until it is active."""
        self.merge.assign(owned=True)
        await until(self.merge.wants_more)

    def fetch(self, *values: bytes) -> None:
        """Let deltas arrive."""
        life = self.merge.life
        assert life is not None
        start = life.fetched_to(0)
        end = start + len(values)
        got = Fetched.of(
            start, end, list(range(start, end)), [1] * len(values), [b"k"] * len(values), [*values]
        )
        life.add(0, got, 0.0)

    def process(self) -> None:
        """Let the agent take what waits."""
        while (deltas := self.merge.next_deltas()) is not None:
            self.merge.process(deltas)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until the condition holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for is a state, in the same loop
            await asyncio.sleep(0)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Give a merger among fakes."""
    return World(monkeypatch)


def test_the_merger_is_fenced_then_restored_then_told_its_offset(world: World) -> None:
    asyncio.run(world.opened())

    assert world.steps == ["fence", "model", "offsets", "seek [5]"]


def test_a_model_is_committed_with_the_offset_of_the_deltas_that_it_contains(world: World) -> None:
    async def scenario() -> None:
        await world.opened()
        world.fetch(b"1", b"2", b"4")
        world.process()
        world.merge.tick()
        world.fetch(b"8")
        world.process()  # before the commit's task has begun
        await until(lambda: bool(world.transactor.committed))

    asyncio.run(scenario())
    assert world.transactor.committed == [(b"7", [8])]


class DefiningMerger(CountingMerger):
    """Has definitions to publish, once."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted: list[Record] = []

    def define(self, last: bytes | None) -> None:
        """Want some at a first start."""
        assert last is None
        self.wanted = [Record("models", 0, b"definitions", b"{}")]

    def take_definitions(self) -> list[Record] | None:
        """Return what is wanted."""
        wanted, self.wanted = self.wanted, []
        return wanted or None


def test_definitions_are_committed_at_once_and_leave_the_offsets_of_deltas_where_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Deltas that are in no model yet must come again after a crash."""
    world = World(monkeypatch, DefiningMerger())

    async def scenario() -> None:
        await world.opened()
        world.fetch(b"1", b"2")
        world.process()
        for count, more in ((1, b"4"), (2, None)):
            world.merge.tick()
            await until(lambda count=count: len(world.transactor.committed) == count)  # type: ignore[misc]
            await until(lambda: world.merge._commit is None)
            if more is not None:
                world.fetch(more)
                world.process()

    asyncio.run(scenario())
    assert world.transactor.committed == [(b"{}", []), (b"7", [8])]


def test_deltas_on_their_way_to_the_agent_are_dropped_when_the_merger_is_opened_anew(world: World) -> None:
    async def scenario() -> None:
        await world.opened()
        world.fetch(b"1")
        stale = world.merge.next_deltas()
        assert stale is not None
        await world.opened()
        world.merge.process(stale)
        assert world.merge.life is not None
        assert world.merge.life.positions == [5]

    asyncio.run(scenario())


def test_a_rebalance_that_begins_while_the_merger_is_opened_leaves_it_inactive(world: World) -> None:
    async def scenario() -> None:
        world.merge.assign(owned=True)
        world.merge.freeze()
        await world.merge.flush()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not world.merge.wants_more()
        assert not any(step.startswith("seek") for step in world.steps)

    asyncio.run(scenario())


def test_a_merger_that_is_fenced_and_still_assigned_ends_the_worker(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It used to stay dropped for as long as there was no rebalance: no models any more."""
    monkeypatch.setattr(module, "FENCED_GRACE_S", 0.0)

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        await world.opened()
        world.transactor.error = ProducerFenced()
        world.fetch(b"1", b"2", b"4")
        world.process()
        world.merge.tick()
        await until(lambda: world.merge.life is None)
        await asyncio.sleep(0.01)

    with pytest.raises(SystemExit):
        asyncio.run(scenario())
    assert "still assigned" in str(world.stopped[0])

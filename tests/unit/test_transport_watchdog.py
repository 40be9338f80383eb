"""The watchdog: a worker that makes no progress though the broker answers is ended, one that waits is not."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import NoReturn, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError

from streams.clock import ManualClock
from streams.health import STUCK_AFTER_S, Health
from streams.records import RawList
from streams.settings import Settings
from streams.telemetry import Telemetry
from streams.transport.ownership import Ownership
from streams.transport.part import Part
from streams.transport.watchdog import INTERVAL_S, Watchdog
from tests.kafka.counting import CountingEngine


class Stopped(BaseException):
    """Stands for the end of the process."""


class World:
    """A watchdog, one partition, and a broker that can be away."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.up = True
        self.end = 0
        self.error: BaseException | None = None
        self.telemetry = Telemetry(health=Health(self.monotonic))
        self.engine = CountingEngine()
        self.ownership = Ownership(
            Settings(kafka_bootstrap="nowhere:1"),
            self.engine,
            ManualClock(1_000),
            self.telemetry,
            transactions=True,
            fail_stop=self.fail_stop,
        )
        self._coordinator = SimpleNamespace(check_errors=self.check_errors)
        self.refusal: Exception | None = None
        consumer = SimpleNamespace(client=self)
        app = SimpleNamespace(ownership=self.ownership, consumer=consumer, should_stop=False)
        self.watchdog = Watchdog(app, self.telemetry, self.monotonic)
        self.part = self.ownership.parts[0] = Part(0, 4)
        self.engine.open(0)
        self.telemetry.on_assigned({0})

    def monotonic(self) -> float:
        """Return the time that the test has set."""
        return self.now_s

    def fail_stop(self, error: BaseException) -> NoReturn:
        """Note the end."""
        self.error = error
        raise Stopped

    def check_errors(self) -> None:
        """Say as the group's coordinator what nobody was told of."""
        if self.refusal is not None:
            raise self.refusal

    async def end_offsets(self, topics: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Answer as the broker."""
        if not self.up:
            raise KafkaConnectionError
        return dict.fromkeys(topics, self.end)

    def activate(self) -> None:
        """Let the partition be at work."""
        self.part.restored([0] * 4)
        self.part.activate(self.now_s)
        self.telemetry.on_state(0, "active")

    def watch(self, seconds: float) -> None:
        """Let time pass, with a look at each interval."""

        async def looks() -> None:
            until_s = self.now_s + seconds
            while self.now_s < until_s:
                self.now_s += INTERVAL_S
                await self.watchdog.look()

        asyncio.run(looks())


@pytest.fixture
def world() -> World:
    """Give a watchdog among fakes."""
    return World()


def test_a_worker_with_lag_that_commits_nothing_for_a_minute_is_ended(world: World) -> None:
    world.activate()
    world.end = 10
    world.watch(STUCK_AFTER_S)
    assert world.error is None

    with pytest.raises(Stopped):
        world.watch(2 * INTERVAL_S)
    assert "40 records waiting and committed nothing" in str(world.error)


def test_a_worker_that_commits_is_left_alone_though_it_lags(world: World) -> None:
    world.activate()
    world.end = 10
    for _ in range(4):
        world.watch(STUCK_AFTER_S / 2)
        world.telemetry.on_commit(0, 1, 1, 0.01)

    assert world.error is None


def test_a_worker_that_has_caught_up_is_left_alone(world: World) -> None:
    world.activate()
    world.watch(3 * STUCK_AFTER_S)

    assert world.error is None


def test_a_broker_that_is_away_is_waited_for_and_then_gets_a_minute(world: World) -> None:
    world.activate()
    world.end = 10
    world.watch(INTERVAL_S)
    world.up = False
    world.watch(5 * STUCK_AFTER_S)
    world.up = True
    world.watch(STUCK_AFTER_S)
    assert world.error is None

    with pytest.raises(Stopped):
        world.watch(2 * INTERVAL_S)


def process(world: World, count: int) -> None:
    """Let the engine have something to commit, as the only thing that is left to do."""
    raw = RawList()
    for _ in range(count):
        raw.append(0, 0, 0, 1, b"k", b"v")
    world.engine.process(raw.batch())


def test_records_after_an_idle_hour_have_a_minute_to_be_committed(world: World) -> None:
    world.activate()
    world.watch(3_600)
    process(world, 1)
    world.watch(STUCK_AFTER_S)
    assert world.error is None

    with pytest.raises(Stopped):
        world.watch(3 * INTERVAL_S)
    assert "something to commit, and no commit" in str(world.error)


def test_a_commit_that_waits_for_a_broker_that_is_away_is_waited_for(world: World) -> None:
    world.activate()
    process(world, 1)
    world.watch(INTERVAL_S)
    world.up = False
    world.watch(5 * STUCK_AFTER_S)
    world.up = True
    world.watch(STUCK_AFTER_S / 2)

    assert world.error is None


def test_a_restore_without_progress_ends_the_worker(world: World) -> None:
    world.telemetry.on_state(0, "restoring")
    world.watch(STUCK_AFTER_S / 2)
    world.telemetry.on_restore(0, 5_000, 10_000)
    world.watch(STUCK_AFTER_S)
    assert world.error is None

    with pytest.raises(Stopped):
        world.watch(2 * INTERVAL_S)
    assert "partition 0 has been restoring for" in str(world.error)


def test_processed_records_that_are_never_committed_end_the_worker_though_nothing_lags(world: World) -> None:
    world.activate()
    process(world, 1)
    world.watch(STUCK_AFTER_S)
    assert world.error is None

    with pytest.raises(Stopped):
        world.watch(2 * INTERVAL_S)
    assert "partition 0 has something to commit, and no commit" in str(world.error)


def test_a_commit_that_does_not_end_ends_the_worker_though_no_more_records_come(world: World) -> None:
    """What it took from the engine is not pending any more."""
    world.activate()
    process(world, 1)
    world.engine.take(0, 1_000)
    world.part.commit = cast("asyncio.Task[None]", object())
    world.watch(STUCK_AFTER_S)
    assert world.error is None

    with pytest.raises(Stopped):
        world.watch(3 * INTERVAL_S)
    assert "partition 0 has something to commit" in str(world.error)


def test_a_worker_whom_the_group_refuses_in_a_rebalance_is_ended(world: World) -> None:
    """Its partitions are frozen and wait for others: nothing else would ever end it."""
    world.activate()
    world.part.freeze()
    world.telemetry.on_state(0, "frozen")
    world.watch(3 * STUCK_AFTER_S)
    assert world.error is None

    world.refusal = GroupAuthorizationFailedError("live-segments")
    with pytest.raises(Stopped):
        world.watch(INTERVAL_S)
    assert "the consumer group does not have this worker" in str(world.error)

"""Standing by: what goes wrong there is tried again, and does not concern the partitions that are open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from streams.settings import Settings
from streams.transport import standby as module
from streams.transport.standby import READ_AT_ONCE, Standbys
from tests.kafka.counting import CountingEngine
from tests.transport_fakes import until


class FakeReplica:
    """A replica that is near, or fails, when it is told to."""

    made: list[FakeReplica]

    def __init__(
        self, settings: Settings, engine: CountingEngine, partition: int, *, transactions: bool
    ) -> None:
        assert settings
        assert transactions
        self.engine, self.partition = engine, partition
        self.near = asyncio.Event()
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.reads = self.gentle = self.abandoned = self.closed = False
        type(self).made.append(self)

    async def start(self) -> None:
        """Begin."""
        self.engine.open(self.partition)
        self.reads = True

    async def until_near(self) -> None:
        """Wait."""
        while not self.near.is_set():
            if self.broken.done():
                self.broken.result()
            await asyncio.sleep(0)

    async def failed(self) -> None:
        """Wait for ever, or raise."""
        await asyncio.shield(self.broken)

    def abandon(self) -> None:
        """Note it."""
        self.abandoned = True

    async def close(self) -> None:
        """Note it."""
        self.closed = True


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[FakeReplica]:
    """Return the replicas that were made."""
    FakeReplica.made = []
    monkeypatch.setattr(module, "Replica", FakeReplica)
    monkeypatch.setattr(module, "PAUSES_S", (0.0,))
    return FakeReplica.made


def run(scenario: Callable[[Standbys], Any]) -> CountingEngine:
    """Run a scenario; returns its engine."""
    engine = CountingEngine()

    async def begin() -> None:
        standbys = Standbys(Settings(kafka_bootstrap="nowhere:1"), engine, transactions=True)
        await scenario(standbys)
        await standbys.close_all()

    asyncio.run(begin())
    return engine


def test_a_replica_that_fails_is_made_anew(made: list[FakeReplica], caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(standbys: Standbys) -> None:
        standbys.keep([3], ())
        await until(lambda: bool(made) and made[0].reads)
        made[0].broken.set_exception(OSError("broken pipe"))
        await until(lambda: len(made) == 2)
        made[1].near.set()
        await standbys.wait_near({3})
        assert made[0].closed
        assert standbys.near() == {3}

    run(scenario)
    assert "partition 3: cannot stand by" in caplog.text


def test_not_all_are_read_from_the_beginning_at_once(made: list[FakeReplica]) -> None:
    async def scenario(standbys: Standbys) -> None:
        standbys.keep(range(5), ())
        await until(lambda: sum(replica.reads for replica in made) == READ_AT_ONCE)
        for _ in range(10):
            await asyncio.sleep(0)
        assert sum(replica.reads for replica in made) == READ_AT_ONCE
        assert all(replica.gentle for replica in made)
        made[0].near.set()
        await until(lambda: sum(replica.reads for replica in made) == READ_AT_ONCE + 1)

    run(scenario)


def test_what_is_taken_goes_on_and_what_is_not_wanted_any_more_is_forgotten(made: list[FakeReplica]) -> None:
    async def scenario(standbys: Standbys) -> None:
        standbys.keep([1, 2], ())
        await until(lambda: sum(replica.reads for replica in made) == 2)
        standbys.keep([], active=[1])
        taken: object = standbys.take(1)
        await until(lambda: made[1].closed)
        assert taken is made[0]
        assert not made[0].abandoned
        assert not made[0].gentle
        assert standbys.take(2) is None

    assert run(scenario).counts.keys() == {1}


def test_what_has_not_begun_to_read_is_not_taken(made: list[FakeReplica]) -> None:
    async def scenario(standbys: Standbys) -> None:
        standbys.keep([1], ())
        assert standbys.take(1) is None
        for _ in range(10):
            await asyncio.sleep(0)
        assert not any(replica.reads for replica in made)

    run(scenario)

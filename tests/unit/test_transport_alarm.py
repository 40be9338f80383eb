"""The alarm in place of timers: who waits is woken once, at the earliest time that was asked for."""

from __future__ import annotations

import asyncio
import time

import pytest

from streams.transport.alarm import Alarm
from tests.transport_fakes import ALL, World, until

SOON_S, LATE_S = 0.02, 5.0


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Return an ownership among fakes."""
    return World(monkeypatch)


async def woken_after_s(alarm: Alarm) -> float:
    """Return how long one had to wait."""
    began = time.monotonic()
    async with asyncio.timeout(LATE_S / 2):
        await alarm.wait()
    return time.monotonic() - began


def test_the_earliest_time_counts_whatever_the_order() -> None:
    async def scenario() -> None:
        for seconds in ((SOON_S, LATE_S), (LATE_S, SOON_S)):
            alarm = Alarm()
            for each in seconds:
                alarm.ring_in(each)
            assert SOON_S * 0.9 <= await woken_after_s(alarm) < LATE_S / 2

    asyncio.run(scenario())


def test_who_was_woken_is_not_woken_again_by_what_was_set_before() -> None:
    async def scenario() -> None:
        alarm = Alarm()
        alarm.ring_in(SOON_S)
        alarm.ring()
        alarm.ring()
        assert await woken_after_s(alarm) < SOON_S
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5 * SOON_S):
                await alarm.wait()

    asyncio.run(scenario())


def test_a_chunk_and_the_end_of_a_commit_have_it_looked_at_what_there_is_to_do(world: World) -> None:
    """A record that is processed while its partition commits would else wait for the next turn of time."""

    async def scenario() -> None:
        await world.assigned(ALL)
        alarms = world.ownership.alarms
        world.ownership.process(world.deliver(0, 1))
        assert await woken_after_s(alarms.commit) < SOON_S
        assert await woken_after_s(alarms.sweep) < SOON_S
        world.ownership.tick()
        await until(lambda: world.ownership.parts[0].commit is None)
        assert await woken_after_s(alarms.commit) < SOON_S
        assert await woken_after_s(alarms.sweep) < SOON_S

    asyncio.run(scenario())


def test_what_has_to_wait_for_its_commit_is_committed_when_it_is_due(world: World) -> None:
    async def scenario() -> None:
        await world.assigned(ALL)
        for count in (1, 2):
            world.ownership.process(world.deliver(0, 1))
            await until(lambda: bool(world.ownership.active()))
            while len(world.transactors[0].committed) < count:
                await woken_after_s(world.ownership.alarms.commit)
                world.ownership.tick()
                await until(lambda: world.ownership.parts[0].commit is None)

    asyncio.run(scenario())


def test_after_a_slice_of_a_sweep_it_is_looked_at_what_there_is_to_commit(world: World) -> None:
    async def scenario() -> None:
        await world.assigned(ALL)
        world.ownership.sweep()
        interval_s = world.ownership.settings.commit_interval_ms / 1000
        assert await woken_after_s(world.ownership.alarms.commit) == pytest.approx(interval_s, rel=0.5)

    asyncio.run(scenario())

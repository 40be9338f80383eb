"""A worker that is told to stop goes on until others have taken over, and no longer than it may."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from streams.transport.sharing import Portion
from tests.transport_fakes import World, topic_partitions, until


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Give an ownership among fakes."""
    return World(monkeypatch)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run a scenario to its end."""
    asyncio.run(scenario)


async def assigned(world: World, *numbers: int, others: int) -> None:
    """Let the group give these partitions."""
    world.ownership.freeze()
    await world.assigned(topic_partitions(*numbers))
    world.ownership.stand_by(Portion(frozenset(numbers), others=others))


def test_a_worker_without_others_stops_at_once(world: World) -> None:
    async def scenario() -> None:
        await assigned(world, 0, 1, others=0)
        await world.ownership.hand_over(60)
        assert not world.consumer.rejoined
        await world.ownership.close_all()

    run(scenario())


def test_a_worker_without_partitions_stops_at_once(world: World) -> None:
    async def scenario() -> None:
        await assigned(world, others=2)
        await world.ownership.hand_over(60)
        assert not world.consumer.rejoined

    run(scenario())


def test_it_goes_on_until_all_partitions_are_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.transport.ownership.SETTLE_S", 0.0)

    async def scenario() -> None:
        await assigned(world, 0, 1, others=1)
        leaving = asyncio.ensure_future(world.ownership.hand_over(60))
        await until(lambda: world.consumer.rejoined == 1)
        assert world.ownership.member().leaving
        await assigned(world, 0, 1, others=1)
        assert {part.number for part in world.ownership.active()} == {0, 1}
        await assigned(world, 1, others=1)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not leaving.done()
        await assigned(world, others=1)
        await asyncio.wait_for(leaving, 5)

    run(scenario())


def test_it_waits_no_longer_when_the_others_leave_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.transport.ownership.SETTLE_S", 0.0)

    async def scenario() -> None:
        await assigned(world, 0, others=1)
        leaving = asyncio.ensure_future(world.ownership.hand_over(60))
        await until(lambda: world.consumer.rejoined == 1)
        await assigned(world, 0, others=0)
        await asyncio.wait_for(leaving, 5)
        assert {part.number for part in world.ownership.active()} == {0}
        await world.ownership.close_all()

    run(scenario())


def test_it_waits_no_longer_than_it_may_and_says_so(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        await assigned(world, 0, others=1)
        await world.ownership.hand_over(0.01)
        await world.ownership.close_all()

    run(scenario())
    assert "nobody took over partitions [0] in time" in caplog.text


def test_a_signal_in_the_middle_of_a_rebalance_is_told_to_the_group_at_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This worker has joined already, and said that it stays."""
    monkeypatch.setattr("streams.transport.ownership.SETTLE_S", 0.0)

    async def scenario() -> None:
        await assigned(world, 0, others=0)
        world.ownership.freeze()
        assert not world.ownership.member().leaving
        leaving = asyncio.ensure_future(world.ownership.hand_over(60))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not leaving.done()
        await assigned(world, 0, others=1)
        await until(lambda: world.consumer.rejoined > 0)
        assert world.ownership.member().leaving
        await assigned(world, others=1)
        await asyncio.wait_for(leaving, 5)

    run(scenario())


def test_the_group_is_asked_again_when_it_was_not_told(world: World) -> None:
    """The wish to leave came after this worker had joined, and before the group's answer."""

    async def scenario() -> None:
        await assigned(world, 0, others=1)
        leaving = asyncio.ensure_future(world.ownership.hand_over(60))
        await until(lambda: world.consumer.rejoined == 1)
        await assigned(world, 0, others=1)  # nobody has asked `member` meanwhile
        assert world.consumer.rejoined == 2
        leaving.cancel()
        await world.ownership.close_all()

    run(scenario())


@pytest.mark.parametrize("transactions", [True, False])
def test_who_may_not_wait_stops_at_once(world: World, transactions: bool) -> None:
    """Told so, or on the embedded broker, whose rebalances take as long as its session timeout."""

    async def scenario() -> None:
        await assigned(world, 0, others=1)
        world.ownership.transactions = transactions
        await world.ownership.hand_over(0 if transactions else 60)
        assert not world.consumer.rejoined
        await world.ownership.close_all()

    run(scenario())


def test_what_is_open_is_owned_and_what_is_being_opened_is_near(world: World) -> None:
    """A partition that is only being opened may be given to somebody else at once."""

    async def scenario() -> None:
        await assigned(world, 0, others=0)
        world.ownership.ready_to_open.clear()
        world.ownership.freeze()
        world.ownership.assign(topic_partitions(0, 1), 7)
        says = world.ownership.member()
        assert says.owned == {0}
        assert says.near == {1}
        assert says.generation == 7
        await world.ownership.close_all()

    run(scenario())

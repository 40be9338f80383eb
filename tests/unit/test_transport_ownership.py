"""Ownership with a fake broker: what happens when commits fail or overlap."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import ProducerFenced

from streams.transport.commit_pace import FEW
from tests.transport_fakes import ALL, Stopped, World, until


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
        world.ownership.process(world.deliver(0, FEW))
        world.ownership.tick()
        world.transactors[0].gate.set()
        await until(lambda: world.ownership.parts[0].commit is None)
        interval_s = world.ownership.settings.commit_interval_ms / 1000
        world.ownership.parts[0].began_at_s -= interval_s
        world.ownership.parts[0].committed_at_s -= interval_s
        world.ownership.tick()
        await until(lambda: len(world.transactors[0].committed) == 2)

        ends = [offsets[TopicPartition("clicks", 0)] for _, offsets in world.transactors[0].committed]
        assert ends == [2, 2 + FEW]

    asyncio.run(scenario())


def test_a_partition_that_lags_waits_for_more_to_commit_but_not_the_first_time(world: World) -> None:
    async def scenario() -> None:
        await world.assigned(ALL)
        part = world.ownership.parts[0]
        world.ownership.process(world.deliver(0, 3))
        part.aligner.heard(0, 100_000, 0.0)  # so much waits at the broker
        world.ownership.tick()
        await until(lambda: len(world.transactors[0].committed) == 1)
        await until(lambda: part.commit is None)

        world.ownership.process(world.deliver(0, 3))
        part.aligner.heard(0, 100_000, 0.0)
        world.ownership.tick()

        assert part.commit is None
        assert world.ownership.engine.pending(0) == 3

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


def test_a_partition_waits_for_the_model_that_its_state_was_made_with(world: World) -> None:
    """The former owner may have adopted it before it came here."""

    async def scenario() -> None:
        world.engine.informed = False
        world.ownership.assign(ALL)
        await until(lambda: len(world.transactors) == 2)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not world.ownership.active()
        world.engine.informed = True
        await until(lambda: len(world.ownership.active()) == 2)

    asyncio.run(scenario())


def test_a_model_that_never_comes_is_not_waited_for_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("streams.transport.performer.KNOWN_WAIT_S", 0.0)

    async def scenario() -> None:
        world.engine.informed = False
        await world.assigned(ALL)
        assert "did not come from the models topic" in caplog.text

    asyncio.run(scenario())


def test_a_sweep_that_waits_for_a_commit_starts_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, and not at the next commit interval; only of that partition, and only once."""

    async def scenario() -> None:
        await world.assigned(ALL)
        world.ownership.process(world.deliver(0, 1))
        world.ownership.process(world.deliver(1, 1))
        world.transactors[1].gate.clear()
        monkeypatch.setattr(world.engine, "full", lambda partition: partition == 1)
        world.ownership.sweep()
        running = world.ownership.parts[1].commit
        world.ownership.sweep()
        assert world.ownership.parts[0].commit is None
        assert running is world.ownership.parts[1].commit is not None
        monkeypatch.setattr(world.engine, "full", lambda _partition: False)
        world.transactors[1].gate.set()
        await until(lambda: bool(world.transactors[1].committed))

    asyncio.run(scenario())

"""Ownership with a fake broker: what happens when rebalances come, and when."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import ProducerFenced

from streams.errors import LiveSegmentsError
from streams.transport import performer as module
from streams.transport import protocol
from streams.transport.part import OutOfStepError, State
from tests.transport_fakes import ALL, FakeTransactor, World, until


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Give an ownership among fakes."""
    return World(monkeypatch)


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


def test_a_part_that_waits_for_its_turn_when_a_rebalance_begins_does_not_fence_the_next_owner(
    world: World,
) -> None:
    """It used to begin the fence when its turn came, after the partition had gone to somebody else."""

    async def scenario() -> None:
        world.ownership.ready_to_open.clear()
        world.ownership.assign(ALL)
        await asyncio.sleep(0)
        world.ownership.freeze()
        world.ownership.ready_to_open.set()
        await until(lambda: not any(part.tasks for part in world.ownership.parts.values()))
        assert not world.transactors

        await world.assigned(ALL)
        assert set(world.transactors) == {0, 1}

    asyncio.run(scenario())


def test_a_revoke_is_answered_only_when_a_fence_under_way_is_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0)
    monkeypatch.setattr(protocol, "FENCE_TRIES", 10_000)
    made = world.new_transactor

    def slow(number: int) -> FakeTransactor:
        transactor = made(number)
        transactor.fence.clear()
        return transactor

    async def scenario() -> None:
        monkeypatch.setattr(world.ownership.performer, "new_transactor", slow)
        world.ownership.assign([tp for tp in ALL if tp.partition == 0])
        await until(lambda: 0 in world.transactors and world.transactors[0].starts == 1)
        world.ownership.freeze()
        flush = asyncio.ensure_future(world.ownership.flush())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not flush.done()

        world.transactors[0].fence.set()
        await until(flush.done)
        assert not world.stopped

    asyncio.run(scenario())


def test_two_rebalances_in_quick_succession_open_a_partition_once(world: World) -> None:
    async def scenario() -> None:
        for _ in range(2):
            world.ownership.assign(ALL)
            world.ownership.freeze()
        await world.assigned(ALL)

        assert [world.transactors[number].starts for number in (0, 1)] == [1, 1]
        assert [part.epoch for part in world.ownership.active()] == [1, 1]

    asyncio.run(scenario())


def test_timers_leave_a_partition_alone_that_is_not_active(world: World) -> None:
    async def scenario() -> None:
        await world.assigned(ALL)
        world.ownership.process(world.deliver(0, 3))
        for topic in range(4):
            world.ownership.parts[1].aligner.heard(topic, 0, 0.0)
        world.ownership.freeze()
        world.ownership.tick()
        world.ownership.advance()
        await asyncio.sleep(0)
        assert world.ownership.parts[0].commit is None
        assert not world.engine.advanced

    asyncio.run(scenario())


def test_a_chunk_for_a_part_that_is_not_active_is_a_breach(world: World) -> None:
    async def scenario() -> None:
        await world.assigned(ALL)
        [(part, _, piece)] = world.deliver(0, 3).pieces
        part.freeze()
        with pytest.raises(OutOfStepError, match="frozen"):
            part.processed(piece)

    asyncio.run(scenario())


def test_a_part_that_is_closed_while_a_step_swallows_the_cancellation_touches_nothing_any_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`asyncio.wait_for` does that before Python 3.12 when its result comes at the same moment."""
    gate = asyncio.Event()
    committed = world.consumer.committed

    async def stubborn(partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        with contextlib.suppress(asyncio.CancelledError):
            await gate.wait()
        return await committed(partitions)

    async def scenario() -> None:
        monkeypatch.setattr(world.consumer, "committed", stubborn)
        world.ownership.assign(ALL)
        part = world.ownership.parts[0]
        await until(lambda: part.in_engine)
        world.ownership.freeze()
        world.ownership.assign([tp for tp in ALL if tp.partition == 1])
        gate.set()
        await until(lambda: [part.number for part in world.ownership.active()] == [1])

        assert part.state is State.CLOSED
        assert not part.opened
        assert world.stopped == []

    asyncio.run(scenario())


def test_a_partition_fenced_within_a_long_rebalance_is_opened_once_when_that_ends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It used to be opened anew while others were awaited, and a second time by the assignment.

    The first was activated, and the second ended the worker.
    """
    monkeypatch.setattr("streams.transport.ownership.FENCED_GRACE_S", 0.0)

    async def scenario() -> None:
        await world.assigned(ALL)
        world.ownership.process(world.deliver(0, 3))
        world.transactors[0].error = ProducerFenced()
        world.ownership.freeze()
        await world.ownership.flush()
        assert 0 not in world.ownership.parts
        fences = len(world.transactors)
        for _ in range(20):
            await asyncio.sleep(0)
        assert 0 not in world.ownership.parts
        assert len(world.transactors) == fences
        await world.assigned(ALL)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not world.stopped
        assert {part.number for part in world.ownership.active()} == {0, 1}
        await world.ownership.close_all()

    asyncio.run(scenario())


def test_what_was_begun_before_an_assignment_has_no_claim_in_it(world: World) -> None:
    """Both would activate the part."""

    async def scenario() -> None:
        await world.assigned(ALL)
        world.ownership.freeze()
        claim = world.ownership.share.claim(world.ownership.parts[0])
        assert claim()
        await world.assigned(ALL)
        assert not claim()
        await world.ownership.close_all()

    asyncio.run(scenario())

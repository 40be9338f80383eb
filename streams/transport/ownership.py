"""The partitions of this worker: opened at an assignment, committed in transactions, dropped when lost.

The order of operations is in `protocol`, what each step does in `performer`. Here is who begins them
and when: the group's rebalances, the commit interval, the agent.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NoReturn

from aiokafka import TopicPartition

from streams.clock import Clock
from streams.errors import LiveSegmentsError
from streams.records import INPUT_TOPICS
from streams.settings import Settings
from streams.stages import StageClock
from streams.transport import protocol
from streams.transport.alarm import Alarms
from streams.transport.chunk import Chunk
from streams.transport.chunk_size import ChunkSize
from streams.transport.commit_pace import due_s
from streams.transport.part import Part
from streams.transport.performer import Performer, follow
from streams.transport.ports import EnginePort, Observer
from streams.transport.protocol import FencedError, Share, Step
from streams.transport.sharing import Member, Portion, numbers_of
from streams.transport.standby import Standbys

log = logging.getLogger(__name__)

MAX_PENDING = 50_000
"""A partition with this much to commit gets no new records."""
FLUSH_TIMEOUT_S = 25.0
"""Bounds the commits at a revoke; the group gives us 60 s."""
FENCED_GRACE_S = 3.0
"""A fenced partition that is not taken from us within this time, some heartbeats, is opened again."""
SETTLE_S = 1.0
"""Least time between two rebalances of a move: the partitions get on with their work in between."""


class Ownership:
    """The parts of this worker; lives in one event loop, every method is called from there."""

    def __init__(
        self,
        settings: Settings,
        engine: EnginePort,
        clock: Clock,
        observer: Observer,
        *,
        transactions: bool,
        fail_stop: Callable[[BaseException], NoReturn],
    ) -> None:
        self.settings = settings
        self.engine = engine
        self.observer = observer
        self.fail_stop = fail_stop
        self.clock = clock
        self.stages = StageClock(observer.on_stage)
        self.topics = INPUT_TOPICS
        self._interval_s = settings.commit_interval_ms / 1000
        self.chunk_size = ChunkSize(settings.max_chunk)
        self.standbys = Standbys(settings, engine, transactions=transactions)
        self.transactions = transactions
        self.performer = Performer(
            settings, engine, clock, observer, self.standbys, transactions=transactions
        )
        self.ready_to_open = self.performer.ready_to_open
        self.share: Share[Part] = Share()
        self.alarms = Alarms()
        self._background: set[asyncio.Task[None]] = set()
        self._guards: set[asyncio.Task[None]] = set()
        self._reopened: set[tuple[int, int]] = set()
        """Number and generation of parts that were opened again after they were fenced."""
        self._asking: asyncio.Task[None] | None = None
        self._told = asyncio.Event()
        """Set when the group has told what this worker gets."""
        self._others = 0
        """Members that could take over from this one."""
        self._leaving = False
        self._said_leaving = False
        """The group has been told."""

    @property
    def parts(self) -> dict[int, Part]:
        """Return the parts by number, whatever their state."""
        return self.share.parts

    # ---- rebalances ----------------------------------------------------------------------------------
    def freeze(self) -> None:
        """Begin a rebalance or the end: nothing is processed until parts are activated again."""
        for part in self.share.freeze():
            self.observer.on_state(part.number, "frozen")

    async def flush(self) -> None:
        """Wait for running commits and commit what is processed; fail-stop when that takes too long."""
        flushing = [
            asyncio.ensure_future(follow(part, protocol.flush(part), self._perform))
            for part in list(self.parts.values())
        ]
        if not flushing:
            return
        done, late = await asyncio.wait(flushing, timeout=FLUSH_TIMEOUT_S)
        if late:
            self.fail_stop(LiveSegmentsError(f"a commit took more than {FLUSH_TIMEOUT_S:g} s; restart"))
        for task in done:
            task.result()

    def assign(self, partitions: Iterable[TopicPartition], group_generation: int | None = None) -> None:
        """Take over an assignment: close what is lost, keep what is retained, open what is new.

        Args:
            partitions: of all inputs.
            group_generation: the group's count of its rebalances.

        Raises:
            OutOfStepError: the topics of a partition number are spread over workers.
        """
        inputs = {self.settings.topic_prefix + name for name in INPUT_TOPICS}
        numbers = numbers_of(partitions, inputs)
        for part in self.share.assign(
            numbers, lambda number: Part(number, len(INPUT_TOPICS)), group_generation
        ):
            self.close(part)
        self.observer.on_assigned(numbers)
        for _, part in sorted(self.parts.items()):
            self._spawn(self._bring_up(part, self.share.claim(part)), part.tasks)

    # ---- moving partitions while they work -----------------------------------------------------------
    def member(self) -> Member:
        """Return what this worker says of itself when it joins the group."""
        self._said_leaving = self._leaving
        owned = frozenset(number for number, part in self.parts.items() if part.opened)
        near = self.standbys.near() | (self.parts.keys() - owned)
        if not self.transactions:  # a rebalance of the embedded broker takes as long as its session timeout
            near = frozenset(range(self.settings.partitions))
        return Member(
            owned=owned,
            near=near,
            leaving=self._leaving,
            generation=self.share.group_generation,
        )

    def stand_by(self, portion: Portion) -> None:
        """Read what others own and this worker shall have next, and ask for it when it is near.

        Call it after `assign`.
        """
        self._others = portion.others
        self._told.set()
        if self._leaving and not self._said_leaving:  # it came to leave when it had joined this rebalance
            self.performer.consumer.rejoin()
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        self.standbys.keep(portion.standby, self.parts)
        self.observer.on_standby(len(portion.standby))
        if portion.standby:
            self._asking = self._spawn(self._ask_for(portion.standby), self._guards)

    async def _ask_for(self, numbers: frozenset[int]) -> None:
        generation = self.share.generation
        await asyncio.sleep(SETTLE_S)
        await self.standbys.wait_near(numbers)
        if generation == self.share.generation:  # else a rebalance is under way, which says so too
            log.info("partitions %s: the state is here, asking for them", sorted(numbers))
            self.performer.consumer.rejoin()

    async def hand_over(self, timeout_s: float) -> None:
        """Let others stand by for what this worker has, and take it over, before it stops.

        Args:
            timeout_s: who has not been relieved by then stops nevertheless; the others restore then.
        """
        if timeout_s <= 0 or not self.transactions:
            return
        try:
            async with asyncio.timeout(timeout_s):
                if self.share.rebalancing:
                    await self._next_word()
                if not self._others or not self.share.assigned:
                    return
                log.info("handing over partitions %s", sorted(self.share.assigned))
                self._leaving = True
                self.performer.consumer.rejoin()
                while self._others and self.share.assigned:
                    await self._next_word()
                if self._others:
                    await asyncio.sleep(SETTLE_S)  # leaving is a rebalance again
        except TimeoutError:
            log.warning("nobody took over partitions %s in time", sorted(self.share.assigned))

    async def _next_word(self) -> None:
        """Wait until the group tells what this worker gets."""
        self._told.clear()
        await self._told.wait()

    async def _bring_up(self, part: Part, claimed: Callable[[], bool]) -> None:
        async with part.opening:
            try:
                await follow(part, protocol.bring_up(part, claimed), self._perform)
            finally:
                self.performer.end_turn(part)

    async def _perform(self, part: Part, step: Step) -> Any:
        """Carry out a step: here what concerns more than the part alone."""
        match step:
            case protocol.CommitRest():
                return await self._commit_rest(part)
            case protocol.Retire():
                log.info("partition %d: another worker had it meanwhile, opening it anew", part.number)
                return self._retire(part)
            case protocol.Drop(error):
                return self._drop_fenced(part, error)
            case _:
                return await self.performer.perform(part, step)

    def close(self, part: Part) -> None:
        """Drop a part; its producer is closed in the background."""
        part.close()
        for task in part.tasks:
            task.cancel()
        if part.replica is not None:
            part.replica.abandon()
        if part.in_engine:
            self.engine.close(part.number)
        self.observer.on_state(part.number, "closed")
        self._retire(part)

    async def close_all(self) -> None:
        """Drop all parts and wait for their producers."""
        self.share.freeze()
        for part in self.share.assign((), lambda number: Part(number, len(INPUT_TOPICS))):
            self.close(part)
        for guard in self._guards:
            guard.cancel()
        await self.standbys.close_all()
        if self._background:
            await asyncio.wait(self._background, timeout=5)

    def _drop_fenced(self, part: Part, error: FencedError) -> None:
        """Forget a partition that somebody else owns, or whose transaction timed out."""
        log.warning("partition %d: fenced (%s), dropped", part.number, error)
        self.share.drop(part)
        self.close(part)
        self._spawn(self._expect_rebalance(part.number, self.share.generation), self._guards)

    async def _expect_rebalance(self, number: int, generation: int) -> None:
        """Open a fenced partition again if it stays ours; a second time in one assignment is the end.

        While a rebalance is under way there is nothing to do: its assignment opens what is ours.
        Who has been away for longer than the session hears at the next heartbeat that it is out of the group.
        """
        await asyncio.sleep(FENCED_GRACE_S)
        if self.share.generation != generation or self.share.rebalancing:
            return
        if number not in self.share.assigned - self.parts.keys():
            return
        if (number, generation) in self._reopened:
            self.fail_stop(
                LiveSegmentsError(f"partition {number} is fenced but still assigned to this worker; restart")
            )
        self._reopened = {seen for seen in self._reopened if seen[1] == generation} | {(number, generation)}
        log.warning("partition %d: still assigned to this worker, opening it anew", number)
        part = self.parts[number] = Part(number, len(INPUT_TOPICS))
        self._spawn(self._bring_up(part, self.share.claim(part)), part.tasks)

    def topic_partition(self, topic: int, partition: int) -> TopicPartition:
        """Return the topic partition of an input topic's index."""
        return self.performer.topic_partition(topic, partition)

    # ---- processing ----------------------------------------------------------------------------------
    def active(self) -> list[Part]:
        """Return the parts that are fetched, processed and swept now."""
        return self.share.active()

    def hungry(self) -> list[Part]:
        """Return the active parts that may get new records."""
        return [
            part
            for part in self.active()
            if part.unprocessed + self.engine.pending(part.number) < MAX_PENDING
            and not self.engine.held_up(part.number)
        ]

    def process(self, chunk: Chunk) -> None:
        """Apply a chunk and move the positions; synchronous, so atomic against commits and rebalances.

        Raises:
            LiveSegmentsError: the engine cannot go on.
            OutOfStepError: records are missing or come twice.
        """
        started, started_cpu = time.perf_counter(), time.thread_time()
        fresh = chunk.fresh()
        if not fresh:
            return
        self.stages.begin()
        for part, _, piece in fresh:
            part.processed(piece)
        raw = chunk.raw(fresh)
        self.stages.lap("fetch")
        self.engine.process(raw)
        self.chunk_size.took(len(raw), time.thread_time() - started_cpu)
        self.observer.on_chunk(len(raw), time.perf_counter() - started)
        self.alarms.ring()

    def advance(self) -> None:
        """Let time pass in the active parts that have nothing to do."""
        self.alarms.ring()
        for part in self.active():
            idle = not part.unprocessed and part.aligner.caught_up()
            if idle and not self.engine.held_up(part.number):
                self.engine.advance(part.number, self.clock.now_ms())

    def sweep(self) -> bool:
        """Carry on with what time has made due in the active parts; is there more to do?"""
        active = self.active()
        self.alarms.commit.ring_in(self._interval_s)
        more = self.engine.sweep([part.number for part in active])
        for part in active:
            if part.commit is None and self.engine.full(part.number):
                self.start_commit(part)
        return more

    # ---- committing ----------------------------------------------------------------------------------
    def tick(self) -> None:
        """Start the commits that are due, and have the alarm ring when others will be.

        One that lags, or has little to commit, waits for more; not with its first, which is waited for.
        """
        now_s = time.monotonic()
        for part in self.active():
            if part.commit is not None or not self.has_work(part):
                continue
            backlog, pending = part.aligner.backlog(), self.engine.pending(part.number)
            left_s = due_s(part.began_at_s, part.committed_at_s, backlog, pending, self._interval_s) - now_s
            if left_s <= 0 or not part.has_committed:
                self.start_commit(part)
            else:
                self.alarms.commit.ring_in(left_s)

    def start_commit(self, part: Part) -> asyncio.Task[None]:
        """Commit in the background; processing goes on."""
        part.began_at_s = time.monotonic()
        task = part.commit = self._spawn(self.commit(part), self._background)
        return task

    async def commit(self, part: Part) -> None:
        """Write everything processed so far in one transaction; a failure never returns to normal work."""
        try:
            await follow(part, protocol.commit(part), self._perform)
        except LiveSegmentsError as error:
            self.fail_stop(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the batch is gone from the engine
            self.fail_stop(
                LiveSegmentsError(f"commit of partition {part.number} failed: {error!r} {error.__cause__!r}")
            )
        finally:
            if part.commit is asyncio.current_task():
                part.commit = None
            self.alarms.ring()

    async def _commit_rest(self, part: Part) -> bool:
        if part.commit is None and not self.has_work(part):
            return False
        running = part.commit or self.start_commit(part)  # visible to a second flush
        await asyncio.wait([running])
        running.result()
        return True

    def has_work(self, part: Part) -> bool:
        """Return whether there is anything to commit that is not in the commit that runs."""
        return self.engine.dirty(part.number) or bool(part.moved())

    # ---- tasks ---------------------------------------------------------------------------------------
    def _retire(self, part: Part) -> None:
        if part.transactor is not None:
            self._spawn(part.transactor.stop(), self._background)
            part.transactor = None

    def _spawn(
        self, work: Coroutine[object, object, None], group: set[asyncio.Task[None]]
    ) -> asyncio.Task[None]:
        """Run in the background; an error ends the process."""
        task = asyncio.get_running_loop().create_task(work)
        group.add(task)

        def finished(task: asyncio.Task[None]) -> None:
            group.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                self.fail_stop(error)

        task.add_done_callback(finished)
        return task

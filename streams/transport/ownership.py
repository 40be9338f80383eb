"""The partitions of this worker: opened at an assignment, committed in transactions, dropped when lost.

The order of operations is what makes exactly once hold:

assign   fence (InitProducerId) -> restore the changelog up to the last stable offset -> read the
         committed offsets -> seek and activate in one step of the event loop.
revoke   freeze everything -> finish running commits -> commit what is processed -> answer.
commit   take the engine's batch and the positions in one step; process on while it is written; any
         error drops the partition (fenced) or ends the process.

The transactional id is a function of the application and the partition number and of nothing else: the
producer epoch is the only thing that keeps a former owner out.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import NoReturn, Protocol

from aiokafka import TopicPartition

from streams.clock import Clock
from streams.errors import LiveSegmentsError
from streams.records import INPUT_TOPICS
from streams.settings import Settings
from streams.transport.chunk import Chunk
from streams.transport.clients import is_fenced
from streams.transport.part import OutOfStepError, Part, State
from streams.transport.ports import EnginePort, Observer
from streams.transport.restore import restore
from streams.transport.transactions import PlainCommit, PlainWriter, Transactor

log = logging.getLogger(__name__)

COMMIT_EVENTS = 20_000
"""A partition with this much to commit does not wait for the next commit interval."""
MAX_PENDING = 50_000
"""A partition with this much to commit gets no new records."""
BEHIND_FACTOR = 10
"""A partition that lags commits after this many commit intervals: fewer rows for the same events."""
RESTORES_AT_ONCE = 3
RETAINED_TRIES = 20
"""A second of asking for the offsets of a retained partition before it is opened anew."""
FLUSH_TIMEOUT_S = 25.0
"""Bounds the commits at a revoke; the group gives us 60 s."""
FENCED_GRACE_S = 20.0
"""A fenced partition that is not taken from us within this time: restart to find out who owns it."""


class ConsumerPort(Protocol):
    """What the partitions need of the group's consumer."""

    def start_at(self, offsets: Mapping[TopicPartition, int]) -> bool:
        """Seek and let fetching begin, without awaiting; false when they are no longer ours."""
        ...

    async def committed(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the group's committed offsets, 0 where there is none."""
        ...

    @property
    def plain_commit(self) -> PlainCommit:
        """Commit offsets outside of a transaction."""
        ...


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
        self.consumer: ConsumerPort
        self.parts: dict[int, Part] = {}
        self.assigned: frozenset[int] = frozenset()
        self.fail_stop = fail_stop
        self.ready_to_open = asyncio.Event()
        """Set when the engine has what it needs beside its changelog: the newest models."""
        self.clock = clock
        self.topics = INPUT_TOPICS
        self._transactions = transactions
        self._generation = 0
        self._background: set[asyncio.Task[None]] = set()
        self._guards: set[asyncio.Task[None]] = set()
        self._restoring = asyncio.Semaphore(RESTORES_AT_ONCE)

    # ---- rebalances ----------------------------------------------------------------------------------
    def freeze(self) -> None:
        """Begin a rebalance or the end: nothing is processed until parts are activated again."""
        self._generation += 1
        for part in self.parts.values():
            if part.state is State.ACTIVE:
                part.freeze()
                self.observer.on_state(part.number, "frozen")

    async def flush(self) -> None:
        """Wait for running commits and commit what is processed; fail-stop when that takes too long."""
        flushing = [asyncio.ensure_future(self._flush(part)) for part in list(self.parts.values())]
        if not flushing:
            return
        done, late = await asyncio.wait(flushing, timeout=FLUSH_TIMEOUT_S)
        if late:
            self.fail_stop(LiveSegmentsError(f"a commit took more than {FLUSH_TIMEOUT_S:g} s; restart"))
        for task in done:
            task.result()

    async def _flush(self, part: Part) -> None:
        while part.state is not State.CLOSED and part.opened and (part.commit or self._has_work(part)):
            running = part.commit or self.start_commit(part)  # visible to a second flush
            await asyncio.wait([running])
            running.result()

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Take over an assignment: close what is lost, keep what is retained, open what is new.

        Raises:
            OutOfStepError: the topics of a partition number are spread over workers.
        """
        topics: dict[int, set[str]] = {}
        for tp in partitions:
            topics.setdefault(tp.partition, set()).add(tp.topic)
        inputs = {self.settings.topic_prefix + name for name in INPUT_TOPICS}
        for number, names in topics.items():
            if names != inputs:
                raise OutOfStepError(f"partition {number} was assigned without {sorted(inputs - names)}")
        for number in [number for number in self.parts if number not in topics]:
            self.close(self.parts.pop(number))
        self.assigned = frozenset(topics)
        self.observer.on_assigned(set(topics))
        for number in sorted(topics):
            part = self.parts.setdefault(number, Part(number, len(INPUT_TOPICS)))
            self._spawn(self._bring_up(part, self._generation), part.tasks)

    def close(self, part: Part) -> None:
        """Drop a part; its producer is closed in the background."""
        part.close()
        for task in part.tasks:
            task.cancel()
        if part.in_engine:
            self.engine.close(part.number)
        self.observer.on_state(part.number, "closed")
        self._retire(part)

    async def close_all(self) -> None:
        """Drop all parts and wait for their producers."""
        self._generation += 1
        for number in list(self.parts):
            self.close(self.parts.pop(number))
        for guard in self._guards:
            guard.cancel()
        if self._background:
            await asyncio.wait(self._background, timeout=5)

    # ---- opening -------------------------------------------------------------------------------------
    async def _bring_up(self, part: Part, generation: int) -> None:
        """Make a part active, unless another rebalance comes between."""
        async with part.opening:
            if self._is_over(part, generation):
                return
            if part.opened and await self._was_elsewhere(part):
                log.info("partition %d: another worker has committed meanwhile, opening it anew", part.number)
                part.discard()
                self._retire(part)
            if not part.opened and not await self._open(part):
                return
            if self._is_over(part, generation):
                return
            # One step of the event loop from here: a fetch cannot come between seek and activation, so no
            # record that was fetched before the seek is taken, and none after it is dropped.
            if self.consumer.start_at(self._by_topic(part, part.positions)):
                part.activate(time.monotonic())
                self.observer.on_state(part.number, "active")

    async def _was_elsewhere(self, part: Part) -> bool:
        """Return whether the group's offsets are not those that this part committed last.

        Right after a commit the broker may still show the offsets before it; those are waited for.
        """
        for _ in range(RETAINED_TRIES):
            found = await self._committed(part)
            if found == part.committed:
                return False
            if any(at > mine for at, mine in zip(found, part.committed, strict=True)):
                break
            await asyncio.sleep(0.05)
        return True

    async def _open(self, part: Part) -> bool:
        """Fence, restore, read the offsets; false when the part turned out to be somebody else's."""
        await self.ready_to_open.wait()
        async with self._restoring:
            try:
                await self._fence_and_restore(part)
            except Exception as error:
                if not is_fenced(error):
                    raise
                self._drop_fenced(part, error)
                return False
        return True

    async def _fence_and_restore(self, part: Part) -> None:
        started = time.monotonic()
        self.observer.on_state(part.number, "fencing")
        part.transactor = self._new_transactor(part.number)
        await part.transactor.start()
        self.observer.on_state(part.number, "restoring")
        part.in_engine = True
        self.engine.open(part.number)
        rows = await restore(
            self.settings,
            self.engine,
            part.number,
            transactions=self._transactions,
            progress=lambda read, total: self.observer.on_restore(part.number, read, total),
        )
        part.restored(await self._committed(part))
        try:
            self.engine.opened(part.number, dict(enumerate(part.positions)))
        except LiveSegmentsError:
            await self._prove_ownership(part)
            raise
        took = time.monotonic() - started
        log.info(
            "partition %d: restored %d rows in %.2f s, offsets %s", part.number, rows, took, part.positions
        )

    async def _prove_ownership(self, part: Part) -> None:
        """Raise the fencing error if somebody else owns the partition by now.

        A worker that was frozen between restore and reading the offsets sees offsets newer than its
        state: no contradiction, it is merely no longer the owner. Writing the offsets back shows it.
        """
        if part.transactor is not None and self._transactions:
            offsets = self._by_topic(part, part.positions)
            await part.transactor.commit([], offsets, self.clock.now_ms())

    def _new_transactor(self, number: int) -> Transactor:
        if self._transactions:
            return Transactor(self.settings, f"{self.settings.app_id}-{number}")
        return PlainWriter(self.settings, self.consumer.plain_commit)

    async def _committed(self, part: Part) -> list[int]:
        topics = self._by_topic(part, part.positions)
        found = await self.consumer.committed(topics)
        return [found[tp] for tp in topics]

    def _by_topic(self, part: Part, offsets: Iterable[int]) -> dict[TopicPartition, int]:
        return {self.topic_partition(i, part.number): offset for i, offset in enumerate(offsets)}

    def topic_partition(self, topic: int, partition: int) -> TopicPartition:
        """Return the topic partition of an input topic's index."""
        return TopicPartition(self.settings.topic_prefix + INPUT_TOPICS[topic], partition)

    def _is_over(self, part: Part, generation: int) -> bool:
        return generation != self._generation or part.state is State.CLOSED

    # ---- processing ----------------------------------------------------------------------------------
    def active(self) -> list[Part]:
        """Return the parts that are fetched, processed and swept now."""
        return [part for part in self.parts.values() if part.state is State.ACTIVE]

    def hungry(self) -> list[Part]:
        """Return the active parts that may get new records."""
        return [
            part
            for part in self.active()
            if part.unprocessed + self.engine.pending(part.number) < MAX_PENDING
        ]

    def process(self, chunk: Chunk) -> None:
        """Apply a chunk and move the positions; synchronous, so atomic against commits and rebalances.

        Raises:
            LiveSegmentsError: the engine cannot go on.
            OutOfStepError: records are missing or come twice.
        """
        started = time.perf_counter()
        fresh = chunk.fresh()
        if not fresh:
            return
        for part, _, piece in fresh:
            part.processed(piece)
        raw = chunk.raw(fresh)
        self.engine.process(raw)
        self.observer.on_chunk(len(raw), time.perf_counter() - started)
        for part, _, _ in fresh:
            if part.commit is None and self.engine.pending(part.number) >= COMMIT_EVENTS:
                self.start_commit(part)

    def advance(self) -> None:
        """Let time pass in the active parts that have nothing to do."""
        for part in self.active():
            if not part.unprocessed and part.aligner.caught_up():
                self.engine.advance(part.number, self.clock.now_ms())

    # ---- committing ----------------------------------------------------------------------------------
    def tick(self) -> None:
        """Start the commits that are due: called at every commit interval."""
        now_s = time.monotonic()
        patience_s = BEHIND_FACTOR * self.settings.commit_interval_ms / 1000
        for part in self.active():
            if part.commit is not None or not self._has_work(part):
                continue
            if part.aligner.caught_up() or now_s - part.committed_at_s >= patience_s:
                self.start_commit(part)

    def start_commit(self, part: Part) -> asyncio.Task[None]:
        """Commit in the background; processing goes on."""
        task = part.commit = self._spawn(self.commit(part), self._background)
        return task

    def _has_work(self, part: Part) -> bool:
        return self.engine.dirty(part.number) or bool(part.moved())

    async def commit(self, part: Part) -> None:
        """Write everything processed so far in one transaction; a failure never returns to normal work."""
        if part.transactor is None:
            raise OutOfStepError(f"partition {part.number} is not open")
        started = time.monotonic()
        # The snapshot is one step: what is processed after it belongs to the next transaction.
        now_ms = self.clock.now_ms()
        positions, moved = list(part.positions), part.moved()
        batch = self.engine.take(part.number, now_ms)
        offsets = {self.topic_partition(topic, part.number): at for topic, at in moved.items()}
        transactor = part.transactor
        try:
            await transactor.commit(batch.records, offsets, now_ms)
        except Exception as error:  # noqa: BLE001 - whatever it is, the batch is gone from the engine
            await self._failed(part, transactor, error)
            return
        finally:
            if part.commit is asyncio.current_task():
                part.commit = None
        part.committed = positions
        part.committed_at_s = time.monotonic()
        took = part.committed_at_s - started
        self.observer.on_commit(part.number, batch.events, len(batch.records), took)

    async def _failed(self, part: Part, transactor: Transactor, error: Exception) -> None:
        if part.state is State.CLOSED:
            return
        if is_fenced(error):
            self._drop_fenced(part, error)
            return
        await transactor.abort()
        if isinstance(error, LiveSegmentsError):
            self.fail_stop(error)
        self.fail_stop(
            LiveSegmentsError(f"commit of partition {part.number} failed: {error!r} {error.__cause__!r}")
        )

    def _drop_fenced(self, part: Part, error: Exception) -> None:
        """Forget a partition that somebody else owns, or whose transaction timed out."""
        log.warning("partition %d: fenced (%r), dropped", part.number, error)
        if self.parts.get(part.number) is part:
            del self.parts[part.number]
        self.close(part)
        self._spawn(self._expect_rebalance(part.number, self._generation), self._guards)

    async def _expect_rebalance(self, number: int, generation: int) -> None:
        await asyncio.sleep(FENCED_GRACE_S)
        if self._generation == generation and number in self.assigned and number not in self.parts:
            self.fail_stop(
                LiveSegmentsError(f"partition {number} is fenced but still assigned to this worker; restart")
            )

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

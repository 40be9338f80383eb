"""The merger's part: deltas of all workers in, numbered models out, exactly once.

It belongs to whoever is assigned partition 0 of `model-deltas`, under the transactional id
`<app>-merger`, and follows the same protocol as the partitions of the inputs: fence, newest model,
offsets, seek and activate in one step. A transaction holds a model and the offset behind the deltas it
contains; between two models no offset is committed, so the next owner reads the same deltas again, on top
of the last model. For that reason it is opened anew at each assignment. Definitions of audiences come in
transactions of their own, or with a model; they know which record asked for them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol, runtime_checkable

from aiokafka import TopicPartition

from streams.clock import Clock
from streams.errors import LiveSegmentsError
from streams.model_log import newest
from streams.records import Record
from streams.settings import Settings
from streams.transport import protocol
from streams.transport.fetched import Fetched
from streams.transport.life import Life, OutOfStepError, State
from streams.transport.ownership import FENCED_GRACE_S, FLUSH_TIMEOUT_S
from streams.transport.performer import PAUSE_S, ConsumerPort, follow
from streams.transport.ports import MergePort, Observer
from streams.transport.protocol import FencedError, Share, Step
from streams.transport.transactions import PlainWriter, Transactor

log = logging.getLogger(__name__)

MERGER = -1
"""The merger's number where others have a partition's."""
MOST_WAITING = 100
"""Fetched pieces of deltas that wait for the agent; no more are taken then."""


@runtime_checkable
class Defines(Protocol):
    """A merger that also puts definitions of audiences in force."""

    def define(self, last: bytes | None) -> None:
        """Begin from the newest definitions of the log."""
        ...

    def take_definitions(self) -> list[Record] | None:
        """Return the records of definitions that come in force, None when there are none."""
        ...


@dataclass(slots=True, eq=False)
class MergeLife(Life):
    """The merger's life, and the deltas that wait."""

    waiting: deque[Deltas] = field(default_factory=deque)
    fetched: int = 0
    """Where the next piece must start."""
    covered: int = 0
    """Where the last piece ends: before `fetched` by what was deleted before it was read."""
    transactor: Transactor | None = None

    def begin(self, now_s: float) -> None:  # noqa: ARG002 - deltas have no time
        """Forget what is buffered."""
        self.waiting.clear()
        self.expected = list(self.positions)
        self.fetched = self.covered = self.positions[0]

    def fetched_to(self, topic: int) -> int:  # noqa: ARG002 - there is one
        """Return the position that the next piece must start at."""
        return self.fetched

    def skip(self, topic: int, position: int) -> None:  # noqa: ARG002 - as above
        """Go on at a later position: the broker no longer has the deltas between."""
        self.fetched = position

    def add(self, topic: int, got: Fetched, now_s: float) -> None:  # noqa: ARG002 - as above
        """Take in fetched deltas.

        Raises:
            OutOfStepError: they do not start where the last ones ended.
        """
        if got.start != self.fetched:
            raise OutOfStepError(f"deltas start at {got.start}, the last ones ended at {self.fetched}")
        self.waiting.append(Deltas(self, self.epoch, self.covered, got))
        self.fetched = self.covered = got.end


class Deltas:
    """Deltas on their way to the agent, valid for one epoch of one life."""

    __slots__ = ("end", "epoch", "life", "offsets", "start", "values")

    def __init__(self, life: MergeLife, epoch: int, start: int, got: Fetched) -> None:
        self.life, self.epoch = life, epoch
        self.start, self.end = start, got.end
        self.offsets, self.values = got.column("offset"), got.texts("value")


class MergePart:
    """Opens, feeds and commits the merger while it belongs to this worker."""

    def __init__(
        self,
        settings: Settings,
        merger: MergePort,
        clock: Clock,
        observer: Observer,
        *,
        transactions: bool,
        fail_stop: Callable[[BaseException], NoReturn],
    ) -> None:
        self.source = TopicPartition(settings.topic_prefix + "model-deltas", 0)
        self.consumer: ConsumerPort
        self._settings = settings
        self._merger = merger
        self._clock = clock
        self._observer = observer
        self._transactions = transactions
        self._fail_stop = fail_stop
        self._share: Share[MergeLife] = Share()
        self._defines = merger if isinstance(merger, Defines) else None
        self._taken: list[Record] = []
        self._with_deltas = False
        """What is taken holds a model: all deltas before it."""
        self._commit: asyncio.Task[None] | None = None
        self._opening: asyncio.Task[None] | None = None
        self._guard: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- from the consumer ---------------------------------------------------------------------------
    @property
    def life(self) -> MergeLife | None:
        """Return the merger's life here, None when it is not here."""
        return self._share.parts.get(MERGER)

    def wants_more(self) -> bool:
        """Return whether fetched deltas may be taken now."""
        life = self.life
        return life is not None and life.state is State.ACTIVE and len(life.waiting) < MOST_WAITING

    def has_deltas(self) -> bool:
        """Return whether deltas wait for the agent."""
        return self.life is not None and bool(self.life.waiting)

    def next_deltas(self) -> Deltas | None:
        """Return deltas for the agent, None when there are none."""
        life = self.life
        return life.waiting.popleft() if life is not None and life.waiting else None

    def process(self, deltas: Deltas) -> None:
        """Hand deltas to the merger; stale ones are dropped.

        Raises:
            OutOfStepError: deltas are missing or come twice.
        """
        if not deltas.life.accepts(deltas.epoch):
            return
        deltas.life.move([deltas.start], [deltas.end], [deltas.end])
        for offset, value in zip(deltas.offsets, deltas.values, strict=True):
            if value is not None:
                self._merger.process(offset, value)

    # ---- rebalances ----------------------------------------------------------------------------------
    def freeze(self) -> None:
        """Stop; what is not in a published model is read again by the next owner."""
        self._share.freeze()

    async def flush(self) -> None:
        """Wait for a running commit; fail-stop when that takes too long."""
        life = self.life
        if life is None:
            return
        flushing = asyncio.ensure_future(follow(life, protocol.flush(life), self._perform))
        _, late = await asyncio.wait([flushing], timeout=FLUSH_TIMEOUT_S)
        if late:
            self._fail_stop(
                LiveSegmentsError(f"the merger's commit took more than {FLUSH_TIMEOUT_S:g} s; restart")
            )
        flushing.result()

    def assign(self, *, owned: bool) -> None:
        """Open the merger here, or make sure that it is not."""
        self._share.freeze()
        for life in self._share.assign((), _make):
            self._close(life)
        if owned:
            self._share.assign((MERGER,), _make)
            life = self._share.parts[MERGER]
            self._opening = self._spawn(
                follow(life, protocol.bring_up(life, self._share.claim(life)), self._perform)
            )

    async def close_all(self) -> None:
        """Drop the merger and wait for its producer."""
        self.assign(owned=False)
        if self._guard is not None:
            self._guard.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    def _close(self, life: MergeLife) -> None:
        life.close()
        if self._opening is not None:
            self._opening.cancel()
        if life.transactor is not None:
            self._spawn(life.transactor.stop())
            life.transactor = None

    # ---- steps of the protocol -----------------------------------------------------------------------
    async def _perform(self, life: MergeLife, step: Step) -> Any:  # noqa: C901 - a case for each step
        answer: Any = None
        match step:
            case protocol.Turn():
                pass
            case protocol.Check():
                answer = life.positions
            case protocol.Fence():
                life.transactor = self.new_transactor()
                await life.transactor.start()
            case protocol.Restore():
                await self._restore(life)
            case protocol.ReadOffsets():
                answer = [(await self.consumer.committed([self.source]))[self.source]]
            case protocol.SeekAndActivate():
                self._seek_and_activate(life)
            case protocol.Write(offsets=moved):
                await self._write(life, moved)
            case protocol.Abort():
                await self._transactor(life).abort()
            case protocol.CommitRest():
                answer = await self._commit_rest()
            case protocol.Pause():
                await asyncio.sleep(PAUSE_S)
            case protocol.Drop(error):
                self._drop_fenced(life, error)
            case _:
                raise OutOfStepError(f"nobody carries out {step} for the merger")
        return answer

    async def _restore(self, life: MergeLife) -> None:
        found = await newest(self._settings, committed=self._transactions)
        if life.is_over():  # the merger is another life's by now
            return
        self._merger.open(found.model)
        if self._defines is not None:
            self._defines.define(found.definitions)

    def new_transactor(self) -> Transactor:
        """Return a producer under the merger's id, whoever asks; it is not started."""
        if self._transactions:
            return Transactor(self._settings, f"{self._settings.app_id}-merger")
        return PlainWriter(self._settings, self.consumer.plain_commit)

    def _seek_and_activate(self, life: MergeLife) -> None:
        if self.consumer.start_at({self.source: life.positions[0]}):
            life.activate(time.monotonic())
            log.info("merger: opened at offset %d of %s", life.positions[0], self.source.topic)

    def _transactor(self, life: MergeLife) -> Transactor:
        if life.transactor is None:
            raise OutOfStepError("the merger has no producer")
        return life.transactor

    def _drop_fenced(self, life: MergeLife, error: FencedError) -> None:
        log.warning("merger: fenced (%s), dropped", error)
        self._share.drop(life)
        self._close(life)
        self._guard = self._spawn(self._expect_rebalance(self._share.generation))

    async def _expect_rebalance(self, generation: int) -> None:
        await asyncio.sleep(FENCED_GRACE_S)
        if self._share.generation == generation and not self._share.rebalancing:
            self._fail_stop(
                LiveSegmentsError("the merger is fenced but still assigned to this worker; restart")
            )

    # ---- committing ----------------------------------------------------------------------------------
    def tick(self) -> None:
        """Publish a model if one is due, or else definitions: called at every commit interval."""
        life = self.life
        if life is None or life.state is not State.ACTIVE or self._commit is not None:
            return
        taken = self._merger.take()
        with_deltas = taken is not None
        if taken is None and self._defines is not None:
            taken = self._defines.take_definitions()
        if taken is not None:
            self._taken, self._with_deltas = taken, with_deltas
            self._commit = self._spawn(self._publish(life, protocol.commit(life)))

    async def _publish(self, life: MergeLife, steps: protocol.Steps) -> None:
        committed = list(life.committed)
        try:
            await follow(life, steps, self._perform)
            if not self._with_deltas:
                life.committed = committed
        except Exception as error:  # noqa: BLE001 - whatever it is, the model is not published
            self._fail_stop(LiveSegmentsError(f"commit of the merger failed: {error!r} {error.__cause__!r}"))
        finally:
            self._commit = None

    async def _write(self, life: MergeLife, moved: dict[int, int]) -> None:
        """Write what was taken when the commit began, with a model the offset behind its deltas."""
        started, taken, self._taken = time.monotonic(), self._taken, []
        offsets = {self.source: moved[0]} if moved and self._with_deltas else {}
        await self._transactor(life).commit(taken, offsets, self._clock.now_ms())
        self._observer.on_commit(MERGER, 0, len(taken), time.monotonic() - started)

    async def _commit_rest(self) -> bool:
        """Wait for a running commit: there is never anything else to commit."""
        if self._commit is not None:
            await asyncio.wait([self._commit])
        return False

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run in the background; an error ends the process."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)

        def finished(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                self._fail_stop(error)

        task.add_done_callback(finished)
        return task


def _make(number: int) -> MergeLife:
    return MergeLife(number, 1)

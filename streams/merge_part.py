"""The merger's part: deltas of all workers in, numbered models out, exactly once.

It belongs to whoever is assigned partition 0 of `model-deltas`, under the transactional id
`<app>-merger`. A transaction holds a model and the offset behind the deltas it contains; between two
models nothing is committed, so the next owner reads the same deltas again, on top of the last model.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from aiokafka import TopicPartition

from streams.clock import Clock
from streams.errors import LiveSegmentsError
from streams.model_log import newest_model
from streams.records import Record
from streams.settings import Settings
from streams.transport.alignment import Fetched
from streams.transport.clients import is_fenced
from streams.transport.part import OutOfStepError
from streams.transport.ports import MergePort, Observer
from streams.transport.transactions import PlainWriter, Transactor

log = logging.getLogger(__name__)

MERGER = -1
"""The merger's number where observers want a partition."""
MOST_WAITING = 100
"""Fetched pieces of deltas that wait for the agent; no more are taken then."""


class Deltas:
    """Deltas on their way to the agent, valid for one epoch."""

    __slots__ = ("end", "epoch", "offsets", "start", "values")

    def __init__(self, epoch: int, got: Fetched) -> None:
        self.epoch = epoch
        self.start, self.end = got.start, got.end
        self.offsets, self.values = got.offsets, got.values


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
        self.consumer: Any
        self.active = False
        self._settings = settings
        self._merger = merger
        self._clock = clock
        self._observer = observer
        self._transactions = transactions
        self._fail_stop = fail_stop
        self._epoch = 0
        self._position = 0
        self._fetched_any = False
        """The first piece may start later than the committed offset: retention, or a merger that was away."""
        self._waiting: list[Deltas] = []
        self._transactor: Transactor | None = None
        self._commit: asyncio.Task[None] | None = None
        self._opening: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- from the consumer ---------------------------------------------------------------------------
    def wants_more(self) -> bool:
        """Return whether fetched deltas may be taken now."""
        return self.active and len(self._waiting) < MOST_WAITING

    def add(self, got: Fetched) -> None:
        """Take in fetched deltas."""
        self._waiting.append(Deltas(self._epoch, got))

    def next_deltas(self) -> Deltas | None:
        """Return deltas for the agent, None when there are none."""
        return self._waiting.pop(0) if self._waiting else None

    def process(self, deltas: Deltas) -> None:
        """Hand deltas to the merger; stale ones are dropped.

        Raises:
            OutOfStepError: deltas are missing or come twice.
        """
        if not self.active or deltas.epoch != self._epoch:
            return
        if deltas.start != self._position and self._fetched_any:
            raise OutOfStepError(
                f"the merger is at {self._position}, the next deltas begin at {deltas.start}"
            )
        for offset, value in zip(deltas.offsets, deltas.values, strict=True):
            if value is not None:
                self._merger.process(offset, value)
        self._position, self._fetched_any = deltas.end, True

    # ---- rebalances ----------------------------------------------------------------------------------
    def freeze(self) -> None:
        """Stop; what is not in a published model is read again by the next owner."""
        self.active = False
        self._epoch += 1
        self._waiting.clear()

    async def flush(self) -> None:
        """Wait for a running commit."""
        if self._commit is not None:
            await asyncio.wait([self._commit])

    def assign(self, *, owned: bool) -> None:
        """Open the merger here, or make sure that it is not."""
        self.freeze()
        if self._opening is not None:
            self._opening.cancel()
        self._retire()
        if owned:
            self._opening = self._spawn(self._open(self._epoch))

    async def close_all(self) -> None:
        """Drop the merger and wait for its producer."""
        self.assign(owned=False)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    async def _open(self, epoch: int) -> None:
        transactor = self._transactor = (
            Transactor(self._settings, f"{self._settings.app_id}-merger")
            if self._transactions
            else PlainWriter(self._settings, self.consumer.plain_commit)
        )
        await transactor.start()
        self._merger.open(await newest_model(self._settings, committed=self._transactions))
        offset = (await self.consumer.committed([self.source]))[self.source]
        if epoch == self._epoch and self.consumer.start_at({self.source: offset}):
            self._position, self._fetched_any, self.active = offset, False, True
            log.info("merger: opened at offset %d of %s", offset, self.source.topic)

    # ---- committing ----------------------------------------------------------------------------------
    def tick(self) -> None:
        """Publish a model if one is due: called at every commit interval."""
        if not self.active or self._commit is not None or self._transactor is None:
            return
        records = self._merger.take()
        if records is not None:
            self._commit = self._spawn(self._publish(self._transactor, records, self._position))

    async def _publish(self, transactor: Transactor, records: list[Record], position: int) -> None:
        started, epoch = time.monotonic(), self._epoch
        try:
            await transactor.commit(records, {self.source: position}, self._clock.now_ms())
        except Exception as error:  # noqa: BLE001 - whatever it is, the model is not published
            if is_fenced(error):
                log.warning("merger: fenced (%r), dropped", error)
                if epoch == self._epoch:
                    self.assign(owned=False)
                return
            await transactor.abort()
            self._fail_stop(LiveSegmentsError(f"commit of the merger failed: {error!r} {error.__cause__!r}"))
        finally:
            self._commit = None
        self._observer.on_commit(MERGER, 0, len(records), time.monotonic() - started)

    def _retire(self) -> None:
        if self._transactor is not None:
            self._spawn(self._transactor.stop())
            self._transactor = None

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

"""What each step of the protocol is for a partition of the inputs: Kafka, the engine, and who watches."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from aiokafka import TopicPartition

from streams.clock import Clock
from streams.records import INPUT_TOPICS
from streams.settings import Settings
from streams.transport import protocol
from streams.transport.clients import is_fenced
from streams.transport.life import Life
from streams.transport.part import OutOfStepError, Part
from streams.transport.ports import EnginePort, Observer
from streams.transport.protocol import FencedError, Step, Steps
from streams.transport.restore import Replica
from streams.transport.standby import Standbys
from streams.transport.transactions import PlainCommit, PlainWriter, Transactor

log = logging.getLogger(__name__)

RESTORES_AT_ONCE = 4
PAUSE_S = 0.05
KNOWN_WAIT_S = 10.0
"""A model that a former owner has adopted is committed: it comes within some milliseconds."""

P = TypeVar("P", bound=Life)


async def follow(part: P, steps: Steps, perform: Callable[[P, Step], Awaitable[Any]]) -> None:
    """Carry out the steps one after the other; between the protocol's code and a step nothing comes.

    Raises:
        Exception: a step failed and the protocol has no answer to that.
    """
    answer: Any = None
    error: BaseException | None = None
    while True:
        try:
            step = steps.send(answer) if error is None else steps.throw(error)
        except StopIteration:
            return
        answer = error = None
        try:
            answer = await perform(part, step)
        except Exception as raised:  # noqa: BLE001 - the protocol decides
            error = raised
            if is_fenced(raised):
                error = FencedError(repr(raised))
                error.__cause__ = raised
        except BaseException:
            steps.close()
            raise


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


class GroupPort(ConsumerPort, Protocol):
    """What a member of the group needs beside."""

    def rejoin(self) -> None:
        """Ask the group for a rebalance."""
        ...


class Performer:
    """Carries out the steps that concern one part alone; lives in one event loop."""

    def __init__(
        self,
        settings: Settings,
        engine: EnginePort,
        clock: Clock,
        observer: Observer,
        standbys: Standbys,
        *,
        transactions: bool,
    ) -> None:
        self.consumer: GroupPort
        self.ready_to_open = asyncio.Event()
        """Set when the engine has what it needs beside its changelog: the newest models."""
        self._settings = settings
        self._engine = engine
        self._clock = clock
        self._observer = observer
        self._standbys = standbys
        self._transactions = transactions
        self._closing: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(RESTORES_AT_ONCE)

    async def perform(self, part: Part, step: Step) -> Any:  # noqa: C901 - a case for each step
        """Carry out a step; returns its answer.

        Raises:
            OutOfStepError: the step is not one of a part alone, or not possible now.
            Exception: whatever went wrong.
        """
        answer: Any = None
        match step:
            case protocol.Turn():
                await self.ready_to_open.wait()
                if part.number not in self._standbys.near():  # what is near opens at once
                    await self._turns.acquire()
                    part.has_turn = True
            case protocol.Fence():
                await self._fence(part)
            case protocol.Restore():
                await self._restore(part)
            case protocol.ReadOffsets():
                answer = await self._committed(part)
            case protocol.Check():
                answer = self._check(part)
            case protocol.ProveOwnership():
                await self._prove_ownership(part)
            case protocol.SeekAndActivate():
                self._seek_and_activate(part)
            case protocol.Write(offsets=moved):
                await self._write(part, moved)
            case protocol.Abort():
                await self._transactor(part).abort()
            case protocol.Pause():
                await asyncio.sleep(PAUSE_S)
            case _:
                raise OutOfStepError(f"nobody carries out {step}")
        return answer

    def end_turn(self, part: Part) -> None:
        """Let the next part be opened."""
        if part.has_turn:
            part.has_turn = False
            self._turns.release()

    # ---- opening -------------------------------------------------------------------------------------
    async def _fence(self, part: Part) -> None:
        self._observer.on_state(part.number, "fencing")
        part.transactor = self.new_transactor(part.number)
        await part.transactor.start()

    async def _restore(self, part: Part) -> None:
        started = time.monotonic()
        self._observer.on_state(part.number, "restoring")
        replica = self._standbys.take(part.number)
        part.in_engine = True
        if replica is None:
            replica = Replica(self._settings, self._engine, part.number, transactions=self._transactions)
        part.replica = replica
        try:
            if not replica.reads:
                await replica.start()
            read = await replica.complete(
                lambda read, total: self._observer.on_restore(part.number, read, total)
            )
        finally:
            part.replica = None
            replica.abandon()
            closing = asyncio.get_running_loop().create_task(replica.close())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        await self._until_known(part)
        took_s = time.monotonic() - started
        log.info(
            "partition %d: restored %d rows in %.2f s, %d of them now",
            part.number,
            replica.records,
            took_s,
            read,
        )

    async def _until_known(self, part: Part) -> None:
        """Wait for the model that the state was made with: the log of models is read on its own."""
        deadline = time.monotonic() + KNOWN_WAIT_S
        while not self._engine.knows(part.number):
            if time.monotonic() > deadline:
                log.warning(
                    "partition %d: its state was made with a model or definitions that did not come from the "
                    "models topic; it goes on with the newest from the next sweep on",
                    part.number,
                )
                return
            await asyncio.sleep(PAUSE_S)

    def new_transactor(self, number: int) -> Transactor:
        """Return a producer under the id of the partition, whoever asks; it is not started."""
        if self._transactions:
            return Transactor(self._settings, f"{self._settings.app_id}-{number}")
        return PlainWriter(self._settings, self.consumer.plain_commit)

    async def _committed(self, part: Part) -> list[int]:
        topics = self._by_topic(part, enumerate(part.positions))
        found = await self.consumer.committed(topics)
        return [found[tp] for tp in topics]

    def _check(self, part: Part) -> list[int]:
        found = self._engine.opened(part.number, dict(enumerate(part.positions)))
        positions = [found[topic] for topic in range(part.topics)]
        if positions != part.positions:
            log.warning(
                "partition %d: the group's offsets %s are older than the state, which counts: it holds all "
                "before %s. To process records again, replay them or use a new LIVE_SEGMENTS_APP_ID",
                part.number,
                part.positions,
                positions,
            )
        log.info("partition %d: open at offsets %s", part.number, positions)
        return positions

    async def _prove_ownership(self, part: Part) -> None:
        if self._transactions:
            offsets = self._by_topic(part, enumerate(part.positions))
            await self._transactor(part).commit([], offsets, self._clock.now_ms())

    def _seek_and_activate(self, part: Part) -> None:
        if self.consumer.start_at(self._by_topic(part, enumerate(part.positions))):
            part.activate(time.monotonic())
            self._observer.on_state(part.number, "active")

    # ---- committing ----------------------------------------------------------------------------------
    async def _write(self, part: Part, moved: Mapping[int, int]) -> None:
        transactor = self._transactor(part)
        started, now_ms = time.monotonic(), self._clock.now_ms()
        batch = self._engine.take(part.number, now_ms)
        await transactor.commit(batch.contents, self._by_topic(part, moved.items()), now_ms)
        self._observer.on_stage("commit", transactor.take_building_s())
        part.committed_at_s, part.has_committed = time.monotonic(), True
        self._observer.on_commit(part.number, batch.events, len(batch), part.committed_at_s - started)

    def _transactor(self, part: Part) -> Transactor:
        if part.transactor is None:
            raise OutOfStepError(f"partition {part.number} has no producer")
        return part.transactor

    def _by_topic(self, part: Part, offsets: Iterable[tuple[int, int]]) -> dict[TopicPartition, int]:
        return {self.topic_partition(topic, part.number): offset for topic, offset in offsets}

    def topic_partition(self, topic: int, partition: int) -> TopicPartition:
        """Return the topic partition of an input topic's index."""
        return TopicPartition(self._settings.topic_prefix + INPUT_TOPICS[topic], partition)

"""A copy of a partition's state, made from its changelog: before it is needed, or when it is."""

from __future__ import annotations

import asyncio
import copy
import logging
import time
from collections.abc import Callable
from typing import cast

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_UNCOMMITTED

from streams.errors import LiveSegmentsError
from streams.settings import Settings
from streams.transport import fetch
from streams.transport.clients import new_reader
from streams.transport.ports import EnginePort

log = logging.getLogger(__name__)

PIECE = 1_000
"""Records decoded and applied at once, or one batch if that has more; the event loop runs in between."""
SAY_EVERY_S = 5.0
"""A restore that takes long says in the log how far it is."""
STABLE_PAUSE_S = 0.02
UNDECIDED_S = 10.0
"""A fence ends what was open within milliseconds; a transaction that is open for so long is worth a line."""
REQUEST_TIMEOUT_MS = 40_000
Progress = Callable[[int, int], None]


class Replica:
    """Reads the changelog of one partition into the engine, from its beginning, and follows it.

    All that is committed may be applied at any time: it can only become more. What is to be acted upon is
    complete after `complete`, which has to come after the fence: then no transaction of a former owner
    is open, and the end of the log is the end of what there will ever be of the old state.
    """

    def __init__(self, settings: Settings, engine: EnginePort, partition: int, *, transactions: bool) -> None:
        self.partition = partition
        self.records = 0
        """Read so far."""
        self.near = asyncio.Event()
        """It has been at the end of the log: what is missing is what came since."""
        self.gentle = False
        """It leaves half of the time to others: nobody waits for it."""
        self._topic = TopicPartition(settings.topic_prefix + "profiles-changelog", partition)
        self._reader = new_reader(settings, committed=transactions)
        self._engine = engine
        self._transactions = transactions
        self._at = 0
        self._abandoned = False
        self._moved = asyncio.Event()
        """It has read on since somebody looked."""
        self._reading: asyncio.Task[None] | None = None

    @property
    def reads(self) -> bool:
        """Whether it has begun to read."""
        return self._reading is not None

    async def start(self) -> None:
        """Begin with an empty state and read in the background.

        Raises:
            KafkaError: no broker answers.
        """
        self._engine.open(self.partition)
        await self._reader.start()
        # assigned before, it would fetch from the beginning at once, and the seek would throw that away
        await self._reader._client.set_topics([self._topic.topic])  # noqa: SLF001 - else its leader is not known
        self._at = (await self._reader.beginning_offsets([self._topic]))[self._topic]
        end = (await self._reader.end_offsets([self._topic]))[self._topic]
        self._reader.assign([self._topic])
        self._reader.seek(self._topic, self._at)
        self._reading = asyncio.get_running_loop().create_task(self._read(end))

    async def complete(self, progress: Progress) -> int:
        """Read to the end of what is decided; call it after fencing. Returns the records read since.

        Args:
            progress: called with records read so far and about how many there are.

        Raises:
            KafkaError: the broker is lost.
            LiveSegmentsError: the engine cannot read a record.
        """
        before, said = self.records, time.monotonic()
        end = await self._stable_end()
        if self._at > end:
            raise self._cut(end)
        while self._at < end:
            self._moved.clear()
            await self._until_moved()
            total = self.records + max(0, end - self._at)
            progress(self.records, total)
            if time.monotonic() - said >= SAY_EVERY_S:
                said = time.monotonic()
                log.info(
                    "partition %d: restored %d of about %d changelog records",
                    self.partition,
                    self.records,
                    total,
                )
        return self.records - before

    async def until_near(self) -> None:
        """Wait until it is near; raises what ends the reading before."""
        while not self.near.is_set():
            self._moved.clear()
            await self._until_moved()

    async def failed(self) -> None:
        """Wait for what ends the reading; raises it."""
        if self._reading is not None:
            await asyncio.wait([self._reading])
            self._reading.result()

    def abandon(self) -> None:
        """Let nothing reach the engine from now on: the partition may be begun anew at once."""
        self._abandoned = True

    async def close(self) -> None:
        """Read no more."""
        self.abandon()
        reading = self._reading
        if reading is not None:
            reading.cancel()
            await asyncio.wait([reading])
            if not reading.cancelled():
                reading.exception()  # whoever waits for it has been told; nobody else needs to know
        await self._reader.stop()

    async def _until_moved(self) -> None:
        """Wait until something was read; raises what ended the reading."""
        if self._reading is None:
            raise RuntimeError(f"the replica of partition {self.partition} was not started")
        moved = asyncio.ensure_future(self._moved.wait())
        try:
            await asyncio.wait([moved, self._reading], return_when=asyncio.FIRST_COMPLETED)
        finally:
            moved.cancel()
        if self._reading.done():
            self._reading.result()

    async def _read(self, end: int) -> None:
        """Read for ever; near from the given end on."""
        while True:
            if self._at >= end and not self.near.is_set():
                self.near.set()
                self._moved.set()
            got = fetch.drain_compressed(self._reader, self._topic)
            if got is None:
                await fetch.wait_for_records(self._reader, 0.2)
                continue
            if got.start < self._at:
                raise self._cut(got.start)
            await self._apply(got)
            self._at = got.end
            self._moved.set()

    async def _apply(self, got: fetch.Answer) -> None:
        """Decode and apply an answer, piece by piece."""
        keys: list[bytes] = []
        values: list[bytes | None] = []
        for more_keys, more_values in got.pairs():
            keys += cast("list[bytes]", more_keys)  # a compacted topic refuses records without key
            values += more_values
            if len(keys) >= PIECE:
                took_s = self._put(keys, values)
                keys, values = [], []
                self._moved.set()
                await asyncio.sleep(took_s if self.gentle else 0)
        self._put(keys, values)

    def _put(self, keys: list[bytes], values: list[bytes | None]) -> float:
        """Hand records to the engine; returns the seconds that it took."""
        started = time.perf_counter()
        if not self._abandoned:
            self._engine.restore(self.partition, keys, values)
            self.records += len(keys)
        return time.perf_counter() - started

    def _cut(self, to: int) -> LiveSegmentsError:
        return LiveSegmentsError(
            f"partition {self.partition}: its changelog was cut from offset {self._at} back to {to} meanwhile"
        )

    async def _stable_end(self) -> int:
        """Return the end offset of what is committed, once nothing is undecided any more."""
        if not self._transactions:
            return int((await self._reader.end_offsets([self._topic]))[self._topic])
        uncommitted = copy.copy(self._reader._fetcher)  # noqa: SLF001 - asks for the high watermark, fetches nothing
        uncommitted._isolation_level = READ_UNCOMMITTED  # noqa: SLF001 - as above
        high = (await uncommitted.end_offsets([self._topic], REQUEST_TIMEOUT_MS))[self._topic]
        said = time.monotonic()
        while True:
            stable = (await self._reader.end_offsets([self._topic]))[self._topic]
            if stable >= high:
                return int(stable)
            if time.monotonic() - said >= UNDECIDED_S:
                said = time.monotonic()
                log.warning(
                    "partition %d: %d records of %s are in a transaction that does not end though its owner "
                    "is fenced; if this stays, Kafka has lost its end: see the runbook LiveSegmentsStuck",
                    self.partition,
                    high - stable,
                    self._topic.topic,
                )
            await asyncio.sleep(STABLE_PAUSE_S)

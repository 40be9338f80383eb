"""One producer and its transactions: records and input offsets become visible together or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from time import thread_time

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation
from aiokafka.structs import OffsetAndMetadata

from streams.records import Content
from streams.settings import Settings
from streams.transport.clients import new_producer
from streams.transport.record_batch import RecordBatch, batches, prepare

Offsets = Mapping[TopicPartition, int]
PlainCommit = Callable[[dict[TopicPartition, OffsetAndMetadata]], Awaitable[None]]


class Transactor:
    """Writes batches for one owner.

    Starting it fences whoever used the same transactional id before: their open transaction is
    aborted, and all they write from then on is refused.
    """

    _transactional = True

    def __init__(self, settings: Settings, transactional_id: str) -> None:
        prepare()
        self._prefix = settings.topic_prefix
        self._building_s = 0.0
        self._group = settings.app_id
        self._producer: AIOKafkaProducer = new_producer(settings, transactional_id)

    async def start(self) -> None:
        """Fence; returns when the former owner's transaction is aborted or completed.

        Raises:
            KafkaError: no broker answers, or the id is not allowed.
        """
        await self._producer.start()

    async def stop(self, timeout_s: float = 5.0) -> None:
        """Close the connections; never raises."""
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._producer.stop(), timeout_s)

    async def commit(self, records: Sequence[Content], offsets: Offsets, timestamp_ms: int) -> int:
        """Write the records and the offsets in one transaction; returns the bytes written.

        Raises:
            KafkaError: nothing of it is visible, or it is unknown whether all of it is.
        """
        await self._producer.begin_transaction()
        sent: list[asyncio.Future[object]] = []
        try:
            size = await self._send(records, timestamp_ms, sent)
        except IllegalOperation:
            await _stored(sent)  # a batch has failed and ended the transaction: say why, it may be a fence
            raise
        finally:
            for future in sent:
                future.add_done_callback(_look_at)
        if offsets:  # an empty dict is refused
            stored = {tp: OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
            await self._producer.send_offsets_to_transaction(stored, self._group)
        await _stored(sent)  # commit_transaction succeeds although a batch failed
        await self._producer.commit_transaction()
        return size

    def _next(self, made: Iterator[RecordBatch]) -> RecordBatch | None:
        """Return the next batch, or none, and count the time that it takes to build."""
        began = thread_time()
        batch = next(made, None)
        self._building_s += thread_time() - began
        return batch

    def take_building_s(self) -> float:
        """Return the CPU seconds that batches took to build since the last call."""
        building_s, self._building_s = self._building_s, 0.0
        return building_s

    async def abort(self) -> None:
        """Try to abort what is open, so that readers need not wait for the timeout; never raises."""
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._producer.abort_transaction(), 3)

    async def _send(
        self, records: Sequence[Content], timestamp_ms: int, sent: list[asyncio.Future[object]]
    ) -> int:
        """Hand all records to the producer's sender; each topic partition's stay in order.

        Args:
            records: to be written.
            timestamp_ms: of all of them.
            sent: gets a future for each batch.

        Returns:
            The bytes of all batches.
        """
        size = 0
        for (topic, partition), group in _by_partition(records).items():
            made = batches(group, timestamp_ms, transactional=self._transactional)
            while (batch := self._next(made)) is not None:
                size += batch.size()
                sent.append(await self._producer.send_batch(batch, self._prefix + topic, partition=partition))
        return size


class PlainWriter(Transactor):
    """For brokers without transactions: first the records, then the offsets; at least once."""

    _transactional = False

    def __init__(self, settings: Settings, plain_commit: PlainCommit) -> None:
        prepare()
        self._prefix = settings.topic_prefix
        self._building_s = 0.0
        self._producer = new_producer(settings, None)
        self._plain_commit = plain_commit

    async def commit(self, records: Sequence[Content], offsets: Offsets, timestamp_ms: int) -> int:
        """Write the records, wait until they are stored, then commit the offsets."""
        sent: list[asyncio.Future[object]] = []
        size = await self._send(records, timestamp_ms, sent)
        await _stored(sent)
        if offsets:
            await self._plain_commit({tp: OffsetAndMetadata(offset, "") for tp, offset in offsets.items()})
        return size

    async def abort(self) -> None:
        """Do nothing: there is nothing to abort."""


def _look_at(future: asyncio.Future[object]) -> None:
    """Ask for its exception: asyncio reports those that nobody has asked for."""
    if not future.cancelled():
        future.exception()


async def _stored(sent: Sequence[asyncio.Future[object]]) -> None:
    """Wait until all batches are stored; raises what the first that failed did."""
    for outcome in await asyncio.gather(*sent, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def _by_partition(records: Sequence[Content]) -> dict[tuple[str, int], list[Content]]:
    groups: dict[tuple[str, int], list[Content]] = {}
    for record in records:
        groups.setdefault((record.topic, record.partition), []).append(record)
    return groups

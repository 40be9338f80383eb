"""Read fetched records as columns, straight from aiokafka's fetcher.

aiokafka builds an object for each record, which is half the cost of a no-op worker. `drain` walks the
record batches itself, and has a kernel read their records: as many objects at once set off the garbage
collector, which costs half as much again. It relies on the fetcher's insides, hence the pinned version;
aborted transactions and markers are told apart as `PartitionRecords` does. It is synchronous: whoever calls
it decides at that very moment which partitions may be drained, so no rebalance comes between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Any

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition, codec
from aiokafka.consumer import fetcher as aiokafka_fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult
from aiokafka.errors import CorruptRecordException
from aiokafka.record.control_record import ABORT_MARKER, ControlRecord
from aiokafka.record.memory_records import MemoryRecords

from models.packed import MARGIN, as_letters
from streams.transport.fetched import RECORD, Fetched, Spans
from streams.transport.record_kernels import BATCH, CORRUPT, LEAST_BYTES, read_batches

_HEADER = Struct(">qiibIhiqqqhii")
"""Of a batch: base offset, length, epoch, magic, CRC, attributes, last offset, first and last timestamp,
three numbers of its producer, count."""
_FRAME = Struct(">qi")
"""Base offset, and the length of what follows."""
_MAGIC_AT, _MAGIC = 16, 2
_CODEC, _APPENDED = 0x07, 0x08
"""Attributes: the codec, and whether the broker's time of the batch is that of all its records."""
_DECODERS: dict[int, Callable[[memoryview], bytes | memoryview]] = {
    0: lambda data: data,
    1: codec.gzip_decode,
    2: codec.snappy_decode,
    3: codec.lz4_decode,
    4: codec.zstd_decode,
}


class KeptRecords(MemoryRecords):
    """aiokafka's record batches, whose bytes are hidden, with their bytes."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


aiokafka_fetcher.MemoryRecords = KeptRecords


async def wait_for_records(consumer: AIOKafkaConsumer, timeout_s: float) -> None:
    """Return when records may have arrived, at the latest after the timeout.

    Raises:
        KafkaError: the group coordinator refuses us (authorization).
    """
    waiter = consumer._fetcher._create_fetch_waiter()  # noqa: SLF001 - see the module
    done, _ = await asyncio.wait([waiter], timeout=timeout_s)
    if not done:
        waiter.cancel()
    else:
        waiter.result()


def check_group(consumer: AIOKafkaConsumer) -> None:
    """Ask whether the group has refused this member; who does not wait for a fetch just then is not told.

    Raises:
        KafkaError: it has; nothing more is done for the membership until somebody asks, and then not much.
    """
    consumer._coordinator.check_errors()  # noqa: SLF001 - see the module


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the broker holds a fetch."""

    wait_ms: int
    """At most so long."""
    least_bytes: int
    """Until there is so much for it."""


ROUTINE_S = 1.0
"""How often the fetcher looks around though nothing wakes it; answers, seeks and resumed partitions do."""


def be_patient(consumer: AIOKafkaConsumer, patience: Patience) -> None:
    """Choose it for the fetches to come; the one under way stays as it is."""
    fetcher = consumer._fetcher  # noqa: SLF001 - see the module
    fetcher._fetcher_timeout = ROUTINE_S  # noqa: SLF001 - see the module
    fetcher._fetch_max_wait_ms = patience.wait_ms  # noqa: SLF001 - see the module
    fetcher._fetch_min_bytes = patience.least_bytes  # noqa: SLF001 - see the module


def drain(
    consumer: AIOKafkaConsumer, wanted: Callable[[TopicPartition], bool]
) -> dict[TopicPartition, Fetched]:
    """Take what is fetched of the wanted partitions and move their positions behind it.

    Raises:
        KafkaError: the broker refused a fetch (authorization, a record beyond the fetch size, CRC).
    """
    return {tp: _columns(answer) for tp, answer in _answers(consumer, wanted)}


@dataclass(frozen=True, slots=True)
class Answer:
    """A fetch answer, positions [start, end): the batches that hold records for us, still compressed."""

    start: int
    end: int
    data: bytes
    """All batches as they came."""
    batches: list[Any]
    places: list[int]
    """Where each begins in the data."""

    def pairs(self) -> Iterator[tuple[list[bytes | None], list[bytes | None]]]:
        """Decode batch after batch; yields the keys and the values of each."""
        for batch in self.batches:
            keys: list[bytes | None] = []
            values: list[bytes | None] = []
            whole = batch.base_offset >= self.start
            for record in batch:
                if whole or record.offset >= self.start:
                    keys.append(record.key)
                    values.append(record.value)
            yield keys, values


def drain_compressed(consumer: AIOKafkaConsumer, wanted: TopicPartition) -> Answer | None:
    """Take what is fetched of a partition and move its position behind it: fetching goes on meanwhile.

    Raises:
        KafkaError: as `drain`.
    """
    return next((answer for _, answer in _answers(consumer, wanted.__eq__)), None)


def _answers(
    consumer: AIOKafkaConsumer, wanted: Callable[[TopicPartition], bool]
) -> Iterator[tuple[TopicPartition, Answer]]:
    fetcher = consumer._fetcher  # noqa: SLF001 - see the module
    for tp in list(fetcher._records):  # noqa: SLF001 - see the module
        result = fetcher._records[tp]  # noqa: SLF001 - see the module
        if not wanted(tp):
            continue
        del fetcher._records[tp]  # noqa: SLF001 - see the module
        fetcher._notify(fetcher._wait_consume_future)  # noqa: SLF001 - asks for the next fetch
        if type(result) is not FetchResult:
            result.check_raise()
        elif result.check_assignment(tp) and result.has_more():
            answer = _answer(tp, result._partition_records)  # noqa: SLF001 - see the module
            result._update_position()  # noqa: SLF001 - see the module
            yield tp, answer


def _answer(tp: TopicPartition, part: Any) -> Answer:
    """Return a fetch answer's batches; control batches and aborted ones are holes."""
    start = position = part.next_fetch_offset
    records, at = part._records, 0  # noqa: SLF001 - see the module
    batches, places = [], []
    while records.has_next():
        batch = records.next_batch()
        if part._check_crcs and not batch.validate_crc():  # noqa: SLF001 - see the module
            raise CorruptRecordException(f"Invalid CRC - {tp}")
        if not _is_skipped(part, batch):
            batches.append(batch)
            places.append(at)
        position = batch.next_offset
        at += _FRAME.size + _FRAME.unpack_from(records.data, at)[1]
    part.next_fetch_offset = position
    return Answer(start, position, records.data, batches, places)


def _columns(answer: Answer) -> Fetched:
    """Return all records of a fetch answer.

    Raises:
        CorruptRecordException: a batch is not what it says.
    """
    data = answer.data
    if any(data[place + _MAGIC_AT] != _MAGIC for place in answer.places):
        return _iterated(answer)
    parts: list[bytes | memoryview] = []
    batches = np.empty(len(answer.places), BATCH)
    end = most = 0
    for i, place in enumerate(answer.places):
        batch, records = _uncompressed(data, place)
        parts.append(records)
        end += len(records)
        batches[i] = end, *batch
        most += min(max(batch[0], 0), len(records) // LEAST_BYTES)
    parts.append(bytes(MARGIN))
    letters, found = np.frombuffer(b"".join(parts), np.uint8), np.empty(most + 1, RECORD)
    count = read_batches(as_letters(letters), batches, answer.start, found)
    if count == CORRUPT:
        raise CorruptRecordException(f"records from offset {answer.start} are not whole")
    return Fetched(answer.start, answer.end, Spans(letters, found[:count]))


def _uncompressed(data: bytes, place: int) -> tuple[tuple[int, int, int, bool], bytes | memoryview]:
    """Return what BATCH says of the batch at a place, but its end, and its records."""
    try:
        offset, length, _, _, _, attributes, _, first, last, _, _, _, count = _HEADER.unpack_from(data, place)
        records = memoryview(data)[place + _HEADER.size : place + _FRAME.size + length]
        decoded = _DECODERS[attributes & _CODEC](records)
    except Exception as error:  # each codec has errors of its own
        raise CorruptRecordException(f"a batch cannot be read: {error!r}") from error
    appended = bool(attributes & _APPENDED)
    return (count, offset, last if appended else first, appended), decoded


def _iterated(answer: Answer) -> Fetched:
    """Return the same by way of aiokafka's own iteration, which knows the older formats."""
    found = [record for batch in answer.batches for record in batch if record.offset >= answer.start]
    return Fetched.of(
        answer.start,
        answer.end,
        [record.offset for record in found],
        [-1 if record.timestamp is None else record.timestamp for record in found],
        [record.key for record in found],
        [record.value for record in found],
    )


def prepare() -> None:
    """Have the kernel compiled or loaded: no event shall wait for it."""
    _columns(Answer(0, 0, b"", [], []))


def _is_skipped(part: Any, batch: Any) -> bool:
    """Return whether a batch holds no records for us; keeps the list of aborted producers."""
    if part._isolation_level == READ_COMMITTED and batch.producer_id is not None:  # noqa: SLF001 - see the module
        part._consume_aborted_up_to(batch.base_offset)  # noqa: SLF001 - see the module
        if batch.is_control_batch and _is_abort(batch):
            part._aborted_producers.discard(batch.producer_id)  # noqa: SLF001 - see the module
        if batch.is_transactional and batch.producer_id in part._aborted_producers:  # noqa: SLF001 - see the module
            return True
    return bool(batch.is_control_batch)


def _is_abort(batch: Any) -> bool:
    """Return whether a control batch ends an aborted transaction.

    Compaction leaves one without its record where that is the last of a producer; aiokafka raises then.
    """
    marker = next(batch, None)
    return marker is not None and ControlRecord.parse(marker.key) == ABORT_MARKER


def end_offset(consumer: AIOKafkaConsumer, tp: TopicPartition) -> int | None:
    """Return where the partition ends for us as of the last fetch answer; None: not known yet."""
    state = consumer._subscription._assigned_state(tp)  # noqa: SLF001 - see the module
    ends = [end for end in (state.highwater, state.lso) if end is not None and end >= 0]
    return min(ends) if ends else None


def answered_at_ms(consumer: AIOKafkaConsumer, tp: TopicPartition) -> int:
    """Return the wall time of the last fetch answer in epoch milliseconds, 0 when there was none."""
    return int(consumer._subscription._assigned_state(tp).timestamp or 0)  # noqa: SLF001 - see the module

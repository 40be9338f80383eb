"""What is read of record batches is what aiokafka's own iteration reads of them."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.transport import fetch
from streams.transport.fetched import Fetched

TP = TopicPartition("clicks", 3)
FIRST_MS = 1_790_000_000_000
NONE, ALL_CODECS = 0, range(5)
PRODUCERS = (7, 8)
ABORT, COMMIT = struct.pack(">hh", 0, 0), struct.pack(">hh", 0, 1)
_ATTRIBUTES, _LAST_OFFSET, _COUNT, _RECORDS = 21, 23, 57, 61
"""Where these are in a batch."""
_APPENDED, _CONTROL = 0x08, 0x20

Row = tuple[int, int, bytes | None, bytes | None]
TEXTS = st.none() | st.binary(max_size=12) | st.integers(60, 20_000).map(b"x".__mul__)
HEADERS = st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=3)
TIMES = st.sampled_from([FIRST_MS, FIRST_MS + 1, FIRST_MS - 10**6, 0, -1])


class Drawn(NamedTuple):
    """A batch: records of an offset's distance from the one before, a timestamp, key, value and headers."""

    codec: int
    records: list[tuple[int, int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]]
    producer: int | None
    """Of the transaction that it belongs to."""
    mark: bytes | None
    """It is the end of the transaction, and has no other record."""
    appended: bool
    missing: int
    """Offsets at its end whose records were compacted away; at least one if it has no records."""
    gap: int
    """Offsets between it and the next batch, of batches that were."""


RECORDS = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 200]), TIMES, TEXTS, TEXTS, HEADERS), max_size=6)
BATCHES = st.builds(
    Drawn,
    st.sampled_from(ALL_CODECS),
    RECORDS,
    st.none() | st.sampled_from(PRODUCERS),
    st.none() | st.none() | st.sampled_from([ABORT, COMMIT]),
    st.booleans(),
    st.integers(0, 2),
    st.integers(0, 2),
)


def built(drawn: Drawn, base: int) -> tuple[bytearray, int]:
    """Return a batch as the broker has it, and the offset behind it."""
    marked = drawn.mark is not None and drawn.producer is not None
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=NONE if marked or not drawn.records else drawn.codec,
        is_transactional=int(drawn.producer is not None),
        producer_id=-1 if drawn.producer is None else drawn.producer,
        producer_epoch=0,
        base_sequence=0,
        batch_size=1 << 22,
    )
    at = -1
    for distance, timestamp, key, value, headers in (
        [(0, FIRST_MS, drawn.mark, b"\0" * 6, [])] if marked else drawn.records
    ):
        at += 1 + distance
        builder.append(at, timestamp, key, value, headers)
    data = bytearray(builder.build())
    last = max(at + drawn.missing, 0)
    struct.pack_into(">q", data, 0, base)
    struct.pack_into(">i", data, _LAST_OFFSET, last)
    flags = (_APPENDED if drawn.appended else 0) | (_CONTROL if marked else 0)
    data[_ATTRIBUTES + 1] |= flags
    return data, base + last + 1


def rows(got: Fetched) -> list[Row]:
    """Return what was read."""
    columns = got.column("offset"), got.column("timestamp"), got.texts("key"), got.texts("value")
    return list(zip(*columns, strict=True))


def part(records: Any, start: int, aborted: list[tuple[int, int]]) -> Any:
    """Return a fetch answer as aiokafka keeps it."""
    return PartitionRecords(TP, records, aborted, start, None, None, True, READ_COMMITTED)


@settings(deadline=None)
@given(st.lists(BATCHES, max_size=5), st.sets(st.sampled_from(PRODUCERS)), st.integers(0, 1_000))
@example([Drawn(NONE, [(0, FIRST_MS, b"a" * 63, b"b" * 64, [])], None, None, False, 0, 0)] * 2, set(), 0)
def test_what_is_read_is_what_aiokafka_reads(batches: list[Drawn], aborted: set[int], within: int) -> None:
    """All codecs, nulls, headers, holes, markers, aborted transactions, and a start anywhere."""
    base, log = 100, []
    for drawn in batches:
        batch, end = built(drawn, base)
        log.append((batch, end))
        base = end + drawn.gap
    start = 100 + within % (base - 99)
    data = b"".join(batch for batch, end in log if end > start)
    transactions = [(producer, 0) for producer in aborted]
    theirs = part(MemoryRecords(data), start, transactions)
    ours = part(fetch.KeptRecords(data), start, transactions)
    theirs._check_crcs = ours._check_crcs = False

    answer = fetch._answer(TP, ours)
    found = fetch._columns(answer)

    assert [(r.offset, r.timestamp, r.key, r.value) for r in theirs] == rows(found)
    assert (start, max(start, theirs.next_fetch_offset)) == (found.start, max(start, found.end))
    assert [texts for keys, values in answer.pairs() for texts in zip(keys, values, strict=True)] == [
        row[2:] for row in rows(found)
    ]


@settings(deadline=None, max_examples=300)
@given(
    BATCHES,
    st.lists(st.tuples(st.integers(_COUNT, 10**6), st.integers(0, 255)), max_size=2),
    st.integers(0, 10),
    st.sampled_from([0, 101]),
)
def test_a_batch_that_is_not_whole_is_refused(
    drawn: Drawn, bytes_: list[tuple[int, int]], cut: int, start: int
) -> None:
    """Whatever bytes it has: the records are those that aiokafka reads, or there is the same error."""
    data, _ = built(drawn._replace(mark=None), 100)
    for at, byte in bytes_:
        data[_COUNT + at % (len(data) - _COUNT)] = byte
    del data[max(len(data) - cut, _RECORDS) :]
    struct.pack_into(">i", data, 8, len(data) - 12)
    expected: list[Row] | Exception
    try:
        batch: Any = MemoryRecords(bytes(data)).next_batch()
        expected = [(r.offset, r.timestamp, r.key, r.value) for r in batch if r.offset >= start]
    except Exception as error:  # noqa: BLE001 - each codec has errors of its own
        expected = error

    found: list[Row] | None
    try:
        found = rows(fetch._columns(fetch.Answer(start, 101, bytes(data), [], [0])))
    except CorruptRecordException:
        found = None

    if isinstance(expected, UnicodeDecodeError):  # of a header, which nobody reads here
        return
    assert found == (None if isinstance(expected, Exception) else expected)


@pytest.mark.parametrize(("magic", "codec"), [(0, 0), (1, 0), (0, 1), (1, 2), (1, 3)])
def test_older_formats_are_left_to_aiokafka(magic: int, codec: int) -> None:
    """Their records are read one by one."""
    builder: Any = LegacyRecordBatchBuilder(magic, codec, 1 << 20)
    for offset in range(3):
        builder.append(offset, FIRST_MS + offset, None if offset else b"k", b"v%d" % offset)
    data = bytearray(builder.build())
    if codec:
        struct.pack_into(">q", data, 0, 2)  # as the broker does: the last one's

    records = part(fetch.KeptRecords(bytes(data)), 1, [])
    records._check_crcs = False
    found = fetch._columns(fetch._answer(TP, records))

    assert [(row[0], row[3]) for row in rows(found)] == [(1, b"v1"), (2, b"v2")]
    assert found.end == 3


def test_a_marker_whose_record_was_compacted_away_is_no_error() -> None:
    """The broker keeps the batch for its producer's epoch; a restore used to fail for as long as it does."""
    marker, behind = built(Drawn(NONE, [], 7, ABORT, False, 0, 0), 100)
    del marker[_RECORDS:]
    struct.pack_into(">i", marker, 8, len(marker) - 12)
    struct.pack_into(">i", marker, _COUNT, 0)
    data, end = built(Drawn(NONE, [(0, FIRST_MS, b"k", b"v", [])], None, None, False, 0, 0), behind)
    records = part(fetch.KeptRecords(bytes(marker + data)), 100, [])
    records._check_crcs = False

    found = fetch._columns(fetch._answer(TP, records))

    assert (rows(found), found.end) == ([(101, FIRST_MS, b"k", b"v")], end)


def test_a_wrong_checksum_is_noticed_where_it_is_checked() -> None:
    """Readers that ask for it."""
    data, _ = built(Drawn(NONE, [(0, FIRST_MS, b"k", b"v", [])], None, None, False, 0, 0), 0)
    data[-1] ^= 1

    with pytest.raises(CorruptRecordException):
        fetch._answer(TP, part(fetch.KeptRecords(bytes(data)), 0, []))

"""What our batches hold is what aiokafka's builder would have put into them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given, settings
from hypothesis import strategies as st

from models.packed import Packed
from streams.records import Batch, Bundle, Content, Record, Rows
from streams.transport.record_batch import MAX_BATCH_BYTES, batches

NOW_MS = 1_790_000_000_000
PRODUCER = (7_000_000_000, 3, 2_000_000_000)
SIZES = st.sampled_from([0, 1, 7, 31, 32, 62, 63, 64, 65, 8_190, 8_191, 8_192]) | st.integers(0, 300)
MANY = st.sampled_from([0, 1, 2, 63, 64, 65, 1_000, 1_001])


def read(data: bytes) -> list[tuple[object, ...]]:
    """Return all that a consumer sees of a batch."""
    records = MemoryRecords(bytes(data))
    batch: Any = records.next_batch()
    assert batch.validate_crc()
    assert records.next_batch() is None
    seen: list[tuple[object, ...]] = [
        (batch.producer_id, batch.producer_epoch, batch.base_sequence, batch.is_transactional),
        (batch.is_control_batch, batch.magic, batch.base_offset, batch.next_offset),
    ]
    return seen + [(r.offset, r.timestamp, r.timestamp_type, r.key, r.value, tuple(r.headers)) for r in batch]


def stock(records: Sequence[Record], *, transactional: bool) -> list[tuple[int, int, Any]]:
    """Return records, bytes and contents of each batch that aiokafka makes."""
    made, left = [], list(records)
    while left:
        batch = BatchBuilder(
            MAX_BATCH_BYTES, 2, is_transactional=transactional, key_serializer=None, value_serializer=None
        )
        while left and batch.append(
            timestamp=NOW_MS, key=left[0].key, value=left[0].value, headers=list(left[0].headers)
        ):
            left.pop(0)
        size = batch.size()
        batch._set_producer_state(*PRODUCER)
        made.append((batch.record_count(), size, read(batch._build())))
    return made


def ours(contents: Sequence[Content], *, transactional: bool) -> list[tuple[int, int, Any]]:
    """Return the same of ours."""
    made = []
    for batch in batches(contents, NOW_MS, transactional=transactional):
        batch.close()
        assert batch.closed()
        size = batch.size()
        batch._set_producer_state(*PRODUCER)
        built = bytes(batch._build())
        assert batch._build() == built  # for a retry
        made.append((batch.record_count(), size, read(built)))
    return made


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Draw bytes that can, or cannot, be compressed."""
    size = draw(SIZES)
    return np.random.default_rng(size).bytes(size) if draw(st.booleans()) else b"a" * size


HEADERS = st.lists(st.tuples(st.text(max_size=70), texts()), max_size=3).map(tuple)
RECORDS = st.builds(Record, st.just("t"), st.just(0), st.none() | texts(), st.none() | texts(), HEADERS)


@st.composite
def rows(draw: st.DrawFn) -> Rows:
    """Draw rows."""
    n, width = draw(MANY), draw(SIZES)
    keys = [b"%d" % i + b"k" * (i % 70) for i in range(n)]
    values = np.random.default_rng(n).integers(0, 3, (n, width)).astype(np.uint8)
    return Rows("t", 0, b"h", keys, b"\1", values)


@st.composite
def bundles(draw: st.DrawFn) -> Bundle:
    """Draw records with the same headers, of which some have the same text too."""
    n = draw(MANY)
    columns = [
        [b"%d" % i + some[: i % (len(some) + 1)] for i in range(n)]
        for some in draw(st.lists(texts(), min_size=2, max_size=4))
    ]
    packed = [Packed.of(column) for column in columns]
    headers = [(draw(st.text(max_size=70)), draw(st.sampled_from(packed) | texts())) for _ in range(n % 4)]
    nulls = Packed.of([None if i % 3 == 0 else text for i, text in enumerate(columns[1])])
    return Bundle("t", 0, packed[0], draw(st.sampled_from([packed[1], nulls])), tuple(headers))


@settings(deadline=None)
@given(st.lists(RECORDS | rows() | bundles(), max_size=12), st.booleans())
def test_batches_read_as_aiokafkas(contents: list[Content], transactional: bool) -> None:
    """Keys, values, headers, offsets, times and the producer, for records of all forms in any order."""
    plain = Batch(contents).records

    assert len(Batch(contents)) == len(plain)
    assert ours(contents, transactional=transactional) == stock(plain, transactional=transactional)


ROOM = MAX_BATCH_BYTES - 61
"""Bytes of a batch's records."""


@pytest.mark.parametrize("over", range(-30, 4))
def test_a_batch_is_split_where_aiokafka_splits_it(over: int) -> None:
    """Also at a single byte, and a record that is larger than a batch has one of its own."""
    contents: list[Content] = [
        Record("t", 0, b"first", b"1" * (ROOM // 2)),
        Record("t", 0, b"second", b"2" * (ROOM - ROOM // 2 + over)),
        Record("t", 0, None, b"3" * (ROOM + over), (("name", b"text"),)),
        Record("t", 0, b"after", None),
        Record("t", 0, b"large", b"4" * (2 * ROOM)),
        Rows("t", 0, b"h", [b"a", b"b", b"c"], b"\1", np.zeros((3, ROOM // 2 + over), np.uint8)),
    ]

    assert ours(contents, transactional=True) == stock(Batch(contents).records, transactional=True)


def test_many_records_are_split_and_numbered_as_aiokafka_does() -> None:
    """Up to numbers that take three bytes, and rows that go on in the next batch."""
    small: list[Content] = [Record("t", 0, b"k%d" % i, b"v" * (i % 7)) for i in range(9_000)]
    values = np.random.default_rng(1).integers(0, 2, (4_000, 633)).astype(np.uint8)
    large = Rows("t", 0, b"h", [b"c%d" % i for i in range(4_000)], b"\1", values)
    contents = [*small, large, *small]
    got = ours(contents, transactional=False)

    assert len(got) == 3
    assert got == stock(Batch(contents).records, transactional=False)


def test_nothing_makes_no_batch() -> None:
    """Neither no records nor rows without any."""
    nothing = Rows("t", 0, b"h", [], b"\1", np.zeros((0, 5), np.uint8))

    assert ours([], transactional=True) == ours([nothing], transactional=True) == []

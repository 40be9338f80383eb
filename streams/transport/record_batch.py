"""Record batches as they are sent; in place of aiokafka's, which takes its records one by one."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import groupby
from typing import Any, cast

import cramjam
import numpy as np
from aiokafka.record.util import calc_crc32c, encode_varint

from models.events import I64, U8
from models.packed import Packed
from streams.records import Bundle, Content, Record, Rows
from streams.transport.frame_kernels import AT, COUNT, NEEDED, RECORD, frame_bundle, frame_rows

MAX_BATCH_BYTES = 1 << 20
"""A record batch, and so one record, is at most this large: the broker's default limit."""
_BLOCK_BYTES = 1 << 16
"""Snappy looks back no further; with blocks of half the size, change records take a fifth more."""
_XERIAL = b"\x82SNAPPY\0\0\0\0\1\0\0\0\1"
"""Opens what Kafka's clients know as snappy: blocks with their lengths."""
_HEADER = struct.Struct(">qiibIhiqqqhii")
_LENGTH_AT, _CRC_AT, _ATTRIBUTES_AT = 8, 17, 21
_MAGIC, _SNAPPY, _TRANSACTIONAL = 2, 2, 16


class RecordBatch:
    """A closed batch that the producer can send: what aiokafka asks of its BatchBuilder, and no more.

    Args:
        frames: the records as they are framed.
        count: how many they are.
        timestamp_ms: of all of them.
        transactional: whether it is part of a transaction.
    """

    def __init__(self, frames: U8, count: int, timestamp_ms: int, *, transactional: bool) -> None:
        compressed = _compressed(frames)
        smaller = sum(map(len, compressed)) < len(frames)
        self._size = _HEADER.size + len(frames)
        self._count = count
        self._timestamp_ms = timestamp_ms
        self._built = bytearray().join((bytes(_HEADER.size), *(compressed if smaller else (frames.data,))))
        self._attributes = (_SNAPPY if smaller else 0) | (_TRANSACTIONAL if transactional else 0)
        self._producer = (-1, -1, 0)

    def size(self) -> int:
        """Return its bytes before they are compressed."""
        return self._size

    def record_count(self) -> int:
        """Return the number of its records."""
        return self._count

    def close(self) -> None:
        """Do nothing: it is closed."""

    def closed(self) -> bool:
        """Return that it is."""
        return True

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        """Note who sends it, and the number of its first record."""
        self._producer = producer_id, producer_epoch, base_sequence

    def _build(self) -> bytearray:
        """Return its bytes; called again for a retry, when it changes what was returned."""
        built, crc, at = self._built, 0, self._timestamp_ms
        length = len(built) - _LENGTH_AT - 4
        numbers = (self._attributes, self._count - 1, at, at, *self._producer, self._count)
        _HEADER.pack_into(built, 0, 0, length, -1, _MAGIC, crc, *numbers)
        struct.pack_into(">I", built, _CRC_AT, calc_crc32c(memoryview(built)[_ATTRIBUTES_AT:]))
        return built


def batches(records: Sequence[Content], timestamp_ms: int, *, transactional: bool) -> Iterator[RecordBatch]:
    """Yield the batches of one topic partition's records, in order.

    A record that is larger than a batch gets one of its own: compressed it may be small enough.
    """
    room = MAX_BATCH_BYTES - _HEADER.size
    frames, state = np.empty(room, np.uint8), np.zeros(5, np.int64)

    def batch() -> RecordBatch:
        made = RecordBatch(frames[: state[AT]], int(state[COUNT]), timestamp_ms, transactional=transactional)
        state[[AT, COUNT]] = 0
        return made

    for some in _runs(records):
        frame = _framing(some)
        state[RECORD:] = 0
        while not frame(frames, state):
            if state[COUNT]:
                yield batch()
            wanted = max(room, int(state[NEEDED]))
            if len(frames) != wanted:
                frames = np.empty(wanted, np.uint8)
    if state[COUNT]:
        yield batch()


def _runs(records: Sequence[Content]) -> Iterator[Rows | Bundle]:
    """Yield rows and bundles, and other records in bundles."""
    for headers, run in groupby(records, _headers):
        if headers is None:
            yield from cast("Iterator[Rows | Bundle]", run)
            continue
        alike = list(cast("Iterator[Record]", run))
        texts = [(name, Packed.of([one.headers[i][1] for one in alike])) for i, name in enumerate(headers)]
        keys, values = Packed.of([one.key for one in alike]), Packed.of([one.value for one in alike])
        yield Bundle("", 0, keys, values, tuple(texts))


def _headers(some: Content) -> tuple[str, ...] | None:
    """Return how the headers of a record are called."""
    return tuple([name for name, _ in some.headers]) if isinstance(some, Record) else None


def _framing(some: Rows | Bundle) -> Callable[[U8, I64], bool]:
    """Return the kernel with what it is to frame."""
    if isinstance(some, Rows):
        prefixes = np.frombuffer(some.key_prefix + some.value_prefix, np.uint8)
        keys = np.frombuffer(b"".join(some.keys), np.uint8)
        lengths = np.fromiter(map(len, some.keys), np.int64, len(some))
        return lambda frames, state: frame_rows(frames, keys, lengths, some.values, prefixes, state)
    columns, fixed, ends = [some.keys, some.values], bytearray(), []
    encode_varint(len(some.headers), fixed.append)
    for name, text in some.headers:
        _put(name.encode(), fixed)
        if isinstance(text, bytes):
            _put(text, fixed)
        else:
            columns.append(text)
            ends.append(len(fixed))
    ends.append(len(fixed))
    texts = np.concatenate([column.letters for column in columns])
    starts = np.cumsum([0, *[len(column.letters) for column in columns[:-1]]])
    sizes = np.stack([np.where(column.nulls, -1, column.sizes()) for column in columns])
    pieces, borders = np.frombuffer(bytes(fixed), np.uint8), np.array(ends)
    return lambda frames, state: frame_bundle(frames, texts, starts, sizes, pieces, borders, state)


def _put(text: bytes, fixed: bytearray) -> None:
    """Append a text and before it its size."""
    encode_varint(len(text), fixed.append)
    fixed += text


def _compressed(data: U8) -> list[Any]:
    """Compress with snappy, as aiokafka does but for the size of the blocks; returns the pieces."""
    parts: list[Any] = [_XERIAL]
    for start in range(0, len(data), _BLOCK_BYTES):
        block = cramjam.snappy.compress_raw(data[start : start + _BLOCK_BYTES].data)
        parts += (len(block).to_bytes(4, "big"), block)
    return parts


@cache
def prepare() -> None:
    """Have the kernels compiled, or loaded if they were compiled before: no commit shall wait for it."""
    rows = Rows("", 0, b"k", [b""], b"v", np.zeros((1, 1), np.uint8))
    for _ in batches([Record("", 0, b"", b""), rows], 0, transactional=False):
        pass

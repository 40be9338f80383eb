"""Record batches as they are sent; in place of aiokafka's, which takes its records one by one."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import groupby, islice
from typing import Any, cast

import cramjam
import numpy as np
from aiokafka.record.util import calc_crc32c, encode_varint

from models.events import I64, U8
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
_SOME = 1_000
"""Records of a bundle that are framed at a time: their copies stay in the processor's cache."""


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
        smaller = len(compressed) < len(frames)
        self._size = _HEADER.size + len(frames)
        self._count = count
        self._timestamp_ms = timestamp_ms
        self._payload = compressed if smaller else frames.tobytes()
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

    def _build(self) -> bytes:
        """Return its bytes; called again for a retry."""
        crc, at = 0, self._timestamp_ms
        length = _HEADER.size - _LENGTH_AT - 4 + len(self._payload)
        numbers = (self._attributes, self._count - 1, at, at, *self._producer, self._count)
        built = bytearray(_HEADER.pack(0, length, -1, _MAGIC, crc, *numbers)) + self._payload
        struct.pack_into(">I", built, _CRC_AT, calc_crc32c(built[_ATTRIBUTES_AT:]))
        return bytes(built)


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
    """Yield rows, and other records some at a time."""
    for headers, run in groupby(records, _headers):
        if headers is None:
            for some in cast("Iterator[Rows | Bundle]", run):
                if isinstance(some, Rows):
                    yield some
                    continue
                for start in range(0, len(some), _SOME):
                    yield some.part(start, start + _SOME)
            continue
        while alike := list(islice(cast("Iterator[Record]", run), _SOME)):
            texts = [(name, [one.headers[i][1] for one in alike]) for i, name in enumerate(headers)]
            yield Bundle("", 0, [one.key for one in alike], [one.value for one in alike], tuple(texts))


def _headers(some: Content) -> tuple[str, ...] | None:
    """Return how the headers of a record are called."""
    return tuple([name for name, _ in some.headers]) if isinstance(some, Record) else None


def _framing(some: Rows | Bundle) -> Callable[[U8, I64], bool]:
    """Return the kernel with what it is to frame."""
    if isinstance(some, Rows):
        prefixes = np.frombuffer(some.key_prefix + some.value_prefix, np.uint8)
        keys, sizes = _joined(some.keys)
        return lambda frames, state: frame_rows(frames, keys, sizes, some.values, prefixes, state)
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
    width = len(columns)
    texts: list[bytes | None] = [None] * (width * len(some))
    for place, column in enumerate(columns):
        texts[place::width] = column
    joined, sizes = _joined(texts)
    sizes, pieces, borders = sizes.reshape(-1, width), np.frombuffer(bytes(fixed), np.uint8), np.array(ends)
    return lambda frames, state: frame_bundle(frames, joined, sizes, pieces, borders, state)


def _put(text: bytes, fixed: bytearray) -> None:
    """Append a text and before it its size."""
    encode_varint(len(text), fixed.append)
    fixed += text


def _joined(texts: Sequence[bytes | None]) -> tuple[U8, I64]:
    """Return texts one behind the other, and the size of each, -1 for a null."""
    known = cast("Sequence[bytes]", texts)
    try:
        sizes = np.fromiter(map(len, known), np.int64, len(texts))
    except TypeError:  # there are nulls
        known = [b"" if text is None else text for text in texts]
        sizes = np.array([-1 if text is None else len(text) for text in texts])
    return np.frombuffer(b"".join(known), np.uint8), sizes


def _compressed(data: U8) -> bytes:
    """Compress with snappy, as aiokafka does but for the size of the blocks."""
    parts: list[Any] = [_XERIAL]
    for start in range(0, len(data), _BLOCK_BYTES):
        block = cramjam.snappy.compress_raw(data[start : start + _BLOCK_BYTES].data)
        parts += (len(block).to_bytes(4, "big"), block)
    return b"".join(parts)


@cache
def prepare() -> None:
    """Have the kernels compiled, or loaded if they were compiled before: no commit shall wait for it."""
    rows = Rows("", 0, b"k", [b""], b"v", np.zeros((1, 1), np.uint8))
    for _ in batches([Record("", 0, b"", b""), rows], 0, transactional=False):
        pass

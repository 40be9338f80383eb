"""Deliver the input topics of one partition number merged by Kafka's record timestamp.

A worker that catches up on history must not run one topic a year ahead of another. Each topic has a
small buffer; records leave it in the order of their timestamps over all topics, the order inside a
topic kept (a record counts with the largest timestamp seen so far in its topic). A topic that lags
holds the others back at its last buffered timestamp; one that is caught up, or that lags but has
yielded nothing for `STALL_S`, does not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf

import numpy as np

from models.packed import MARGIN, Packed
from streams.records import RawBatch
from streams.transport.fetched import Fetched, Spans
from streams.transport.record_kernels import lay_out, pack

STALL_S = 1.0
"""A lagging topic without records holds the others back for at most this long."""


@dataclass(slots=True)
class Slice:
    """Records of one partition number; the lists are by topic."""

    raw: RawBatch
    first: list[int]
    """Consumer's positions before the records."""
    after: list[int]
    """And behind them: the next slice's `first`."""
    offsets: list[int]
    """What to commit: one more than the last record's offset. Holes behind it are not counted, as the
    engine, which compares, does not see them."""


@dataclass(slots=True)
class TopicBuffer:
    """Records of one topic that are fetched and not released."""

    position: int
    """Everything before it is released."""
    end: int
    """Consumer's position behind the last buffered record."""
    offset: int
    """One more than the offset of the last released record."""
    since: float
    """When the topic last had records, was caught up, or was reset (seconds, monotonic)."""
    behind: bool = True
    known: int | None = None
    """Where the topic ends at the broker, as it said last."""
    waiting: int = 0
    """How many records wait."""
    floor: int = 0
    """Largest timestamp so far."""
    pieces: deque[Spans] = field(default_factory=deque)
    """The records, `running` being the largest timestamp up to each."""

    def add(self, got: Fetched, now_s: float) -> None:
        """Append a piece that starts at `end`."""
        self.end = got.end
        records = got.spans.records
        if not len(records):
            if not self.waiting:
                self.position = got.end
            return
        self.since = now_s
        records["running"] = np.maximum(np.maximum.accumulate(records["timestamp"]), self.floor)
        self.floor = int(records["running"][-1])
        self.pieces.append(got.spans)
        self.waiting += len(records)

    def drop(self, count: int, now_s: float) -> None:
        """Forget the next records: they are released."""
        if not count:
            return
        self.waiting -= count
        self.since = now_s
        while count:
            piece = self.pieces.popleft()
            gone = min(count, len(piece.records))
            self.offset = int(piece.records["offset"][gone - 1]) + 1
            if gone < len(piece.records):
                self.pieces.appendleft(Spans(piece.letters, piece.records[gone:]))
            count -= gone
        self.position = int(self.pieces[0].records["offset"][0]) if self.pieces else self.end

    def first(self, count: int) -> Iterator[Spans]:
        """Yield the next records."""
        for piece in self.pieces:
            if count <= 0:
                return
            yield piece if len(piece.records) <= count else Spans(piece.letters, piece.records[:count])
            count -= len(piece.records)

    def upto(self, limit: int | None) -> int:
        """Return how many records wait up to a timestamp, None for all."""
        if limit is None or self.floor <= limit:
            return self.waiting
        count = 0
        for piece in self.pieces:
            running = piece.records["running"]
            if running[-1] > limit:
                return count + bisect_right(running, limit)  # `searchsorted` would copy the column
            count += len(running)
        return count


class Aligner:
    """The buffers of one partition number, one for each of its topics."""

    def __init__(self, positions: list[int], now_s: float) -> None:
        self._buffers = [TopicBuffer(position, position, position, now_s) for position in positions]
        self._after = list(positions)

    def waiting(self, topic: int) -> int:
        """Return how many records of a topic wait."""
        return self._buffers[topic].waiting

    def position(self, topic: int) -> int:
        """Return the position up to which the topic is released, holes included."""
        return self._buffers[topic].position

    def end(self, topic: int) -> int:
        """Return the position that the topic's next piece must start at."""
        return self._buffers[topic].end

    def add(self, topic: int, got: Fetched, now_s: float) -> None:
        """Take in a piece of a topic.

        Raises:
            ValueError: it does not start where the last one ended.
        """
        buffer = self._buffers[topic]
        if got.start != buffer.end:
            raise ValueError(f"piece starts at {got.start}, the last one ended at {buffer.end}")
        buffer.add(got, now_s)

    def skip(self, topic: int, position: int) -> None:
        """Continue a topic at a later position: the broker no longer has the records between."""
        self._buffers[topic].add(Fetched.of(position, position), self._buffers[topic].since)

    def heard(self, topic: int, end: int | None, now_s: float) -> None:
        """Learn where the topic ends at the broker (None: not known yet); before it the topic lags."""
        buffer = self._buffers[topic]
        buffer.behind = end is None or buffer.end < end
        buffer.known = end
        if not buffer.behind:
            buffer.since = now_s

    def age_s(self, topic: int, now_ms: int) -> float:
        """Return the age of a topic's oldest waiting record in seconds, 0 when none waits."""
        buffer = self._buffers[topic]
        if not buffer.waiting:
            return 0.0
        return max(0, now_ms - int(buffer.pieces[0].records["timestamp"][0])) / 1000

    def buffers(self) -> bool:
        """Return whether a record waits."""
        return any(buffer.waiting for buffer in self._buffers)

    def caught_up(self) -> bool:
        """Return whether no topic lags and no record waits."""
        return not any(buffer.behind or buffer.waiting for buffer in self._buffers)

    def backlog(self) -> float:
        """Return how many records wait, here or at the broker; infinite while that is not known."""
        return sum(
            buffer.waiting + (inf if buffer.known is None else max(0, buffer.known - buffer.end))
            for buffer in self._buffers
        )

    def releasable(self, now_s: float) -> int:
        """Return how many records may leave now."""
        limit = self._limit(now_s)
        return sum(buffer.upto(limit) for buffer in self._buffers)

    def release(self, partition: int, most: int, now_s: float) -> Slice | None:
        """Return the next records, at most that many; None when there are none."""
        limit = self._limit(now_s)
        pieces = [
            (topic, piece)
            for topic, buffer in enumerate(self._buffers)
            for piece in buffer.first(min(most, buffer.upto(limit)))
        ]
        if not pieces:
            return None
        raw = _merged(partition, pieces, most)
        counts = np.bincount(raw.topic, minlength=len(self._buffers)).tolist()
        for buffer, count in zip(self._buffers, counts, strict=True):
            buffer.drop(count, now_s)
        first, self._after = self._after, [buffer.position for buffer in self._buffers]
        return Slice(raw, first, self._after, [buffer.offset for buffer in self._buffers])

    def _limit(self, now_s: float) -> int | None:
        """Return the timestamp up to which records may leave, None for all."""
        limit: int | None = None
        for buffer in self._buffers:
            if not buffer.behind or (not buffer.waiting and now_s - buffer.since >= STALL_S):
                continue
            last = buffer.floor if buffer.waiting else -1
            limit = last if limit is None else min(limit, last)
        return limit


def _merged(partition: int, pieces: list[tuple[int, Spans]], most: int) -> RawBatch:
    """Return the first records by timestamp; of equal timestamps those of the first piece go first."""
    sizes = [len(piece.records) for _, piece in pieces]
    records = np.concatenate([piece.records for _, piece in pieces])
    order = np.argsort(records["running"], kind="stable")[:most]
    topic = np.repeat([topic for topic, _ in pieces], sizes)[order]
    places, offsets, timestamps, key_ends, value_ends, null_keys, null_values = lay_out(records, order)
    keys, values = (np.zeros(int(ends[-1]) + MARGIN, np.uint8) for ends in (key_ends, value_ends))
    at = 0
    for (_, piece), size in zip(pieces, sizes, strict=True):
        pack(piece.letters, piece.records, places[at : at + size], keys, values)
        at += size
    return RawBatch(
        np.full(len(order), partition),
        topic,
        offsets,
        timestamps,
        Packed(keys, key_ends, null_keys),
        Packed(values, value_ends, null_values),
    )


def prepare() -> None:
    """Have the kernels compiled or loaded: no event shall wait for them."""
    _merged(0, [(0, Fetched.of(0, 1, [0], [0], [None], [None]).spans)], 1)

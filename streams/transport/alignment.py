"""Deliver the input topics of one partition number merged by Kafka's record timestamp.

A worker that catches up on history must not run one topic a year ahead of another. Each topic has a
small buffer; records leave it in the order of their timestamps over all topics, the order inside a
topic kept (a record counts with the largest timestamp seen so far in its topic). A topic that lags
holds the others back at its last buffered timestamp; one that is caught up, or that lags but has
yielded nothing for `STALL_S`, does not.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from math import inf

from streams.records import RawBatch

STALL_S = 1.0
"""A lagging topic without records holds the others back for at most this long."""
CUT_AT = 4096
"""Released records are cut off the front of a buffer when there are this many of them."""


@dataclass(slots=True)
class Fetched:
    """Records of one topic partition as the consumer reports them: positions [start, end).

    Offsets may have holes (compaction, transaction markers), the positions of successive pieces not.
    """

    start: int
    end: int
    offsets: list[int] = field(default_factory=list)
    timestamps: list[int] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)


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
    """Records of one topic that are fetched and not released: [head:] of each column."""

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
    head: int = 0
    floor: int = 0
    """Largest timestamp so far."""
    running: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    timestamps: list[int] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)

    def __len__(self) -> int:
        """Return how many records wait."""
        return len(self.offsets) - self.head

    def add(self, got: Fetched, now_s: float) -> None:
        """Append a piece that starts at `end`."""
        self.end = got.end
        if not got.offsets:
            if not len(self):
                self.position = got.end
            return
        self.since = now_s
        self.running += list(accumulate(got.timestamps, max, initial=self.floor))[1:]
        self.floor = self.running[-1]
        self.offsets += got.offsets
        self.timestamps += got.timestamps
        self.keys += got.keys
        self.values += got.values

    def drop(self, count: int, now_s: float) -> None:
        """Forget the next records: they are released."""
        if not count:
            return
        self.head += count
        self.offset = self.offsets[self.head - 1] + 1
        self.since = now_s
        all_gone = self.head == len(self.offsets)
        self.position = self.end if all_gone else self.offsets[self.head]
        if all_gone or self.head >= CUT_AT:
            for column in (self.running, self.offsets, self.timestamps, self.keys, self.values):
                del column[: self.head]
            self.head = 0


class Aligner:
    """The buffers of one partition number, one for each of its topics."""

    def __init__(self, positions: list[int], now_s: float) -> None:
        self._buffers = [TopicBuffer(position, position, position, now_s) for position in positions]
        self._after = list(positions)

    def waiting(self, topic: int) -> int:
        """Return how many records of a topic wait."""
        return len(self._buffers[topic])

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
        self._buffers[topic].add(Fetched(position, position), self._buffers[topic].since)

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
        return max(0, now_ms - buffer.timestamps[buffer.head]) / 1000 if len(buffer) else 0.0

    def caught_up(self) -> bool:
        """Return whether no topic lags and no record waits."""
        return not any(buffer.behind or len(buffer) for buffer in self._buffers)

    def backlog(self) -> float:
        """Return how many records wait, here or at the broker; infinite while that is not known."""
        return sum(
            len(buffer) + (inf if buffer.known is None else max(0, buffer.known - buffer.end))
            for buffer in self._buffers
        )

    def releasable(self, now_s: float) -> int:
        """Return how many records may leave now."""
        return sum(stop - buffer.head for buffer, stop in zip(self._buffers, self._stops(now_s), strict=True))

    def release(self, partition: int, most: int, now_s: float) -> Slice | None:
        """Return the next records, at most that many; None when there are none."""
        spans = [
            (topic, buffer, min(stop, buffer.head + most))
            for topic, (buffer, stop) in enumerate(zip(self._buffers, self._stops(now_s), strict=True))
            if stop > buffer.head
        ]
        if not spans:
            return None
        raw, running = _joined(partition, spans)
        if len(spans) > 1:
            order = sorted(range(len(raw)), key=running.__getitem__)[:most]
            raw = _reordered(raw, order)
        for topic, buffer, _ in spans:
            buffer.drop(raw.topic.count(topic), now_s)
        first, self._after = self._after, [buffer.position for buffer in self._buffers]
        return Slice(raw, first, self._after, [buffer.offset for buffer in self._buffers])

    def _stops(self, now_s: float) -> list[int]:
        """Return for each topic the index up to which its records may leave."""
        limit: int | None = None
        for buffer in self._buffers:
            if not buffer.behind or (not len(buffer) and now_s - buffer.since >= STALL_S):
                continue
            last = buffer.floor if len(buffer) else -1
            limit = last if limit is None else min(limit, last)
        if limit is None:
            return [len(buffer.offsets) for buffer in self._buffers]
        return [bisect_right(buffer.running, limit, lo=buffer.head) for buffer in self._buffers]


def _joined(partition: int, spans: list[tuple[int, TopicBuffer, int]]) -> tuple[RawBatch, list[int]]:
    """Return the spans' records topic by topic, and their running timestamps."""
    raw, running = RawBatch(), []
    for topic, buffer, stop in spans:
        cut = slice(buffer.head, stop)
        raw.topic += [topic] * (stop - buffer.head)
        raw.offset += buffer.offsets[cut]
        raw.timestamp += buffer.timestamps[cut]
        raw.key += buffer.keys[cut]
        raw.value += buffer.values[cut]
        running += buffer.running[cut]
    raw.partition = [partition] * len(raw)
    return raw, running


def _reordered(raw: RawBatch, order: list[int]) -> RawBatch:
    return RawBatch(
        raw.partition[: len(order)],
        [raw.topic[index] for index in order],
        [raw.offset[index] for index in order],
        [raw.timestamp[index] for index in order],
        [raw.key[index] for index in order],
        [raw.value[index] for index in order],
    )

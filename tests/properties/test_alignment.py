"""Topics are merged as a plain merge of lists would."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from math import inf
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.records import RawBatch
from streams.transport.alignment import STALL_S, Aligner
from streams.transport.fetched import Fetched

PARTITION = 7


class One(NamedTuple):
    """A record."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


Row = tuple[int, One]
"""A topic, and a record."""


@dataclass
class Buffer:
    """A topic of the model."""

    position: int = 0
    end: int = 0
    offset: int = 0
    since: float = 0.0
    behind: bool = True
    known: int | None = None
    floor: int = 0
    running: list[int] = field(default_factory=list)
    records: list[One] = field(default_factory=list)


class Model:
    """The aligner, one record at a time."""

    def __init__(self, topics: int) -> None:
        self.buffers = [Buffer() for _ in range(topics)]

    def add(self, topic: int, end: int, records: list[One], now_s: float) -> None:
        """Append a piece."""
        buffer = self.buffers[topic]
        buffer.end = end
        if records:
            buffer.since = now_s
            buffer.running += list(accumulate((r.timestamp for r in records), max, initial=buffer.floor))[1:]
            buffer.floor = buffer.running[-1]
            buffer.records += records
        elif not buffer.records:
            buffer.position = end

    def heard(self, topic: int, end: int | None, now_s: float) -> None:
        """Learn where a topic ends."""
        buffer = self.buffers[topic]
        buffer.behind, buffer.known = end is None or buffer.end < end, end
        if not buffer.behind:
            buffer.since = now_s

    def stops(self, now_s: float) -> list[int]:
        """Return how many records of each topic may leave."""
        limits = [
            buffer.floor if buffer.records else -1
            for buffer in self.buffers
            if buffer.behind and (buffer.records or now_s - buffer.since < STALL_S)
        ]
        return [bisect_right(buffer.running, min(limits, default=2**63)) for buffer in self.buffers]

    def release(self, most: int, now_s: float) -> list[Row]:
        """Return the next records."""
        waiting = [
            (running, topic, record)
            for topic, (buffer, stop) in enumerate(zip(self.buffers, self.stops(now_s), strict=True))
            for running, record in zip(buffer.running[:stop], buffer.records, strict=False)
        ]
        found = [(topic, record) for _, topic, record in sorted(waiting, key=lambda one: one[0])[:most]]
        for topic, buffer in enumerate(self.buffers):
            count = sum(of == topic for of, _ in found)
            if count:
                buffer.offset, buffer.since = buffer.records[count - 1].offset + 1, now_s
                del buffer.records[:count], buffer.running[:count]
                buffer.position = buffer.records[0].offset if buffer.records else buffer.end
        return found


TIMES = st.integers(0, 30) | st.sampled_from([-1, 5, 5, 2**62])
TEXTS = st.none() | st.binary(max_size=3)
PIECES = st.lists(st.tuples(st.integers(0, 2), TIMES, TEXTS, TEXTS), max_size=6)
STEPS = st.tuples(
    st.sampled_from([0.0, 0.4, 2.0]),
    st.integers(0, 3),
    PIECES,
    st.integers(0, 3),
    st.sampled_from([None, 0, 1, 5]),
    st.integers(1, 9),
)


def rows(raw: RawBatch) -> list[Row]:
    """Return what was released."""
    assert raw.partition.tolist() == [PARTITION] * len(raw)
    columns = raw.offset.tolist(), raw.timestamp.tolist(), raw.key.tolist(), raw.value.tolist()
    return list(zip(raw.topic.tolist(), map(One, *columns), strict=True))


@settings(deadline=None)
@given(st.integers(1, 4), st.lists(STEPS, max_size=12))
def test_what_leaves_when(
    topics: int,
    steps: list[tuple[float, int, list[tuple[int, int, bytes | None, bytes | None]], int, int | None, int]],
) -> None:
    """Records, positions, and what is said of those that wait, at every step."""
    aligner, model, now = Aligner([0] * topics, 0.0), Model(topics), 0.0
    for wait, of, records, hole, lag, most in steps:
        now, topic = now + wait, of % topics
        start = at = model.buffers[topic].end
        piece = []
        for distance, timestamp, key, value in records:
            at += distance
            piece.append(One(at, timestamp, key, value))
            at += 1
        aligner.add(topic, Fetched.of(start, at + hole, *map(list, zip(*piece, strict=True))), now)
        model.add(topic, at + hole, piece, now)
        end = None if lag is None else at + hole + lag
        aligner.heard(topic, end, now)
        model.heard(topic, end, now)
        before = [buffer.position for buffer in model.buffers]
        assert sum(model.stops(now)) == aligner.releasable(now)

        found = aligner.release(PARTITION, most, now)

        expected = model.release(most, now)
        assert expected == ([] if found is None else rows(found.raw))
        if found is not None:
            assert [buffer.offset for buffer in model.buffers] == found.offsets
            assert [buffer.position for buffer in model.buffers] == found.after
        else:
            assert before == [buffer.position for buffer in model.buffers]
        for number, buffer in enumerate(model.buffers):
            assert (buffer.position, buffer.end) == (aligner.position(number), aligner.end(number))
            assert len(buffer.records) == aligner.waiting(number)
            age = max(0, 100 - buffer.records[0].timestamp) / 1000 if buffer.records else 0.0
            assert aligner.age_s(number, 100) == pytest.approx(age)
        backlog = sum(
            len(b.records) + (inf if b.known is None else max(0, b.known - b.end)) for b in model.buffers
        )
        assert backlog == aligner.backlog()

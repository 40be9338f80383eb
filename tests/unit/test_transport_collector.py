"""The collector when a rebalance comes while it waits for the broker: nothing stale is taken in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from math import inf
from typing import Any, NoReturn

import pytest
from aiokafka import TopicPartition

from streams.clock import ManualClock
from streams.errors import InterlockError
from streams.health import STUCK_AFTER_S
from streams.merge_part import MERGER, MergeLife, MergePart
from streams.records import RawBatch
from streams.settings import Settings
from streams.transport.chunk_size import FIRST
from streams.transport.collector import (
    FIRST_CHUNK,
    FRESH_MS,
    IDLE_S,
    LOOK_S,
    OPENING,
    QUIET,
    Collector,
)
from streams.transport.commit_pace import (
    BEHIND,
    BEHIND_FACTOR,
    COMMIT_EVENTS,
    FEW,
    FEW_FACTOR,
    LONGEST_S,
    due_s,
)
from streams.transport.fetched import Fetched
from streams.transport.ownership import Ownership
from streams.transport.pace import LONGEST, Pace
from streams.transport.part import OutOfStepError, Part
from streams.transport.ports import NullObserver
from tests.kafka.counting import CountingEngine, CountingMerger

CLICKS = TopicPartition("clicks", 0)


class FakeClient:
    """Answers where a topic begins; lets something happen before the answer."""

    def __init__(self, begin: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.begin, self.meanwhile = begin, meanwhile

    async def beginning_offsets(self, topics: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Answer."""
        await asyncio.sleep(0)
        self.meanwhile()
        return dict.fromkeys(topics, self.begin)


def never(error: BaseException) -> NoReturn:
    """Stand for the end of the process."""
    raise error


def piece(start: int, count: int) -> Fetched:
    """Return records at successive offsets."""
    offsets = list(range(start, start + count))
    return Fetched.of(start, start + count, offsets, [1] * count, [b"k"] * count, [b"1"] * count)


def build(**given: Any) -> tuple[Collector, Part, MergePart]:
    """Return a collector with one active part at offset 5 and an active merger at 0."""
    settings = Settings(kafka_bootstrap="nowhere:1", **given)
    clock, observer = ManualClock(1_000), NullObserver()
    ownership = Ownership(settings, CountingEngine(), clock, observer, transactions=True, fail_stop=never)
    merge = MergePart(settings, CountingMerger(), clock, observer, transactions=True, fail_stop=never)
    part = ownership.parts[0] = Part(0, 4)
    activate(part, [5, 0, 0, 0])
    open_merger(merge, 0)
    return Collector(ownership, merge), part, merge


def activate(part: Part, positions: list[int]) -> None:
    """Open and activate a part."""
    part.restored(positions)
    part.activate(0.0)


def catch_up(part: Part, now_s: float) -> None:
    """Let the broker say that nothing is left."""
    for topic in range(part.topics):
        part.aligner.heard(topic, part.aligner.end(topic), now_s)


def open_merger(merge: MergePart, offset: int) -> None:
    """Give the merger a new life that is active."""
    for life in merge._share.assign((), lambda number: MergeLife(number, 1)):
        life.close()
    merge._share.assign((MERGER,), lambda number: MergeLife(number, 1))
    assert merge.life is not None
    merge.life.restored([offset])
    merge.life.activate(0.0)


def rebalance(part: Part) -> Callable[[], None]:
    """Return what freezes a part and activates it anew at the same positions."""

    def happen() -> None:
        part.freeze()
        part.activate(0.0)

    return happen


async def take_in(collector: Collector, client: Any, *pieces: tuple[TopicPartition, Fetched]) -> None:
    """Take in what was fetched at once."""
    await collector.take_in(client, dict(pieces), 0.0)


def test_a_piece_whose_gap_is_explained_during_a_rebalance_is_fetched_again() -> None:
    collector, part, _ = build()

    asyncio.run(take_in(collector, FakeClient(9, rebalance(part)), (CLICKS, piece(9, 3))))

    assert part.fetched_to(0) == 5
    assert part.aligner.waiting(0) == 0


def test_a_piece_that_waits_while_another_ones_gap_is_explained_is_fetched_again_after_a_rebalance() -> None:
    collector, part, _ = build()
    views = TopicPartition("product-views", 0)

    asyncio.run(
        take_in(collector, FakeClient(9, rebalance(part)), (CLICKS, piece(9, 3)), (views, piece(0, 2)))
    )

    assert [part.fetched_to(topic) for topic in range(4)] == [5, 0, 0, 0]


def test_deltas_that_wait_while_a_gap_is_explained_are_not_taken_in_by_the_next_merger() -> None:
    """They used to be taken in by the new one, which has other positions."""
    collector, _, merge = build()

    def reopen() -> None:
        open_merger(merge, 7)

    asyncio.run(take_in(collector, FakeClient(9, reopen), (CLICKS, piece(9, 3)), (merge.source, piece(0, 2))))

    assert merge.next_deltas() is None
    assert merge.life is not None
    assert merge.life.fetched_to(0) == 7


def test_a_gap_that_retention_has_made_is_accepted() -> None:
    collector, part, _ = build()

    asyncio.run(take_in(collector, FakeClient(9), (CLICKS, piece(9, 3))))

    assert part.fetched_to(0) == 12
    assert part.aligner.waiting(0) == 3


def test_a_gap_in_what_the_broker_still_has_is_a_breach() -> None:
    collector, _, _ = build()

    with pytest.raises(OutOfStepError, match="went from 5 to 9, though the broker has it from 7"):
        asyncio.run(take_in(collector, FakeClient(7), (CLICKS, piece(9, 3))))


def test_a_topic_that_was_made_anew_is_refused() -> None:
    collector, _, _ = build()

    with pytest.raises(InterlockError, match="deleted and made anew"):
        asyncio.run(take_in(collector, FakeClient(0), (CLICKS, piece(0, 3))))


def test_the_merger_goes_on_behind_deltas_that_were_deleted_before_it_read_them() -> None:
    collector, _, merge = build()

    asyncio.run(take_in(collector, FakeClient(4), (merge.source, piece(4, 2))))
    deltas = merge.next_deltas()
    assert deltas is not None
    merge.process(deltas)

    assert merge.life is not None
    assert merge.life.number == MERGER
    assert merge.life.positions == [6]


def test_chunks_are_small_until_a_partition_that_has_something_has_committed() -> None:
    collector, part, _ = build()
    collector._ownership.engine.open(0)
    part.add(0, piece(5, 10_000), 0.0)
    catch_up(part, time.monotonic())
    collector._ownership.chunk_size.now = Settings().max_chunk
    sizes = []
    for committed in (False, True):
        part.has_committed = committed
        sizes.append(len(collector.next_message(1).value.pieces[0][2].raw))

    assert sizes == [FIRST_CHUNK, Settings().max_chunk]


def test_chunks_are_as_large_as_the_last_ones_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    collector, part, _ = build()
    ownership = collector._ownership
    ownership.engine.open(0)
    part.has_committed = True
    part.add(0, piece(5, 10_000), 0.0)
    catch_up(part, time.monotonic())
    cost_s, cpu_s = iter([0.1, 1.0, 0.1]), [0.0]

    def work(_raw: RawBatch) -> None:
        cpu_s[0] += next(cost_s)

    monkeypatch.setattr(time, "thread_time", lambda: cpu_s[0])
    monkeypatch.setattr(ownership.engine, "process", work)
    sizes = []
    for _ in range(3):
        chunk = collector.next_message(1).value
        sizes.append(len(chunk.pieces[0][2].raw))
        ownership.process(chunk)

    assert sizes == [FIRST, 2 * FIRST, 2 * FIRST // 4]  # the second one took four times as long as it may


def test_small_chunks_keep_a_distance_and_the_first_after_a_while_goes_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collector, part, _ = build()
    ownership = collector._ownership
    ownership.engine.open(0)
    now_s, interval_s = [100.0], ownership.settings.commit_interval_ms / 1000
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])

    def arrive(offset: int) -> Any:
        part.add(0, piece(offset, 1), now_s[0])
        catch_up(part, now_s[0])
        return collector.next_message(1)

    first = arrive(5)
    now_s[0] += LONGEST * interval_s * 0.9
    too_soon = arrive(6)
    now_s[0] += LONGEST * interval_s * 0.2
    both = arrive(7)

    assert [len(chunk.value.pieces[0][2].raw) for chunk in (first, both)] == [1, 2]
    assert too_soon is None


def test_the_more_records_come_the_sooner_is_the_next_chunk() -> None:
    pace, at_s, gaps = Pace(0.1), 100.0, []
    for per_second in (1, 100, 400, 400, 10_000):
        pace.delivered(max(1, round(per_second * pace.gap_s)), at_s)
        gaps.append(pace.gap_s)
        assert pace.remaining_s(at_s) == pytest.approx(pace.gap_s)
        at_s += pace.gap_s

    assert gaps == pytest.approx([0.5, 0.5, 0.125, 0.125, 0.05])


def test_a_partition_with_little_to_commit_waits_for_more_but_not_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collector, part, _ = build()
    ownership = collector._ownership
    ownership.engine.open(0)
    now_s, pending = [100.0], [1]
    started: list[float] = []
    waits: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(ownership.engine, "pending", lambda _number: pending[0])
    monkeypatch.setattr(ownership.engine, "dirty", lambda _number: True)
    monkeypatch.setattr(ownership, "start_commit", lambda _part: started.append(now_s[0]))
    monkeypatch.setattr(ownership.alarms.commit, "ring_in", waits.append)
    catch_up(part, now_s[0])
    interval_s = ownership.settings.commit_interval_ms / 1000
    part.has_committed, part.began_at_s = True, now_s[0]

    for pending[0], intervals in ((FEW - 1, 1.0), (FEW, 1.0), (1, FEW_FACTOR + 0.1)):
        now_s[0] = part.began_at_s + intervals * interval_s
        ownership.tick()

    assert started == [part.began_at_s + interval_s, part.began_at_s + (FEW_FACTOR + 0.1) * interval_s]
    assert waits == [pytest.approx((FEW_FACTOR - 1) * interval_s)]


@pytest.mark.parametrize("backlog", [inf, BEHIND + 1, 0])
def test_whatever_the_interval_a_partition_commits_before_it_counts_as_stuck(
    monkeypatch: pytest.MonkeyPatch, backlog: float
) -> None:
    """At 10 s, the longest one, who lags used to wait for 100 s, and was ended after 60."""
    collector, part, _ = build(commit_interval_ms=10_000)
    ownership = collector._ownership
    ownership.engine.open(0)
    now_s, started = [100.0], []
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(ownership.engine, "pending", lambda _number: 1)
    monkeypatch.setattr(ownership.engine, "dirty", lambda _number: True)
    monkeypatch.setattr(ownership, "start_commit", lambda _part: started.append(now_s[0]))
    monkeypatch.setattr(part.aligner, "backlog", lambda: backlog)
    monkeypatch.setattr(ownership.alarms.commit, "ring_in", lambda _seconds: None)
    part.began_at_s = 100.0
    part.has_committed, part.committed_at_s = True, 100.1

    while not started:
        now_s[0] += 10
        ownership.tick()

    assert now_s[0] - part.committed_at_s < STUCK_AFTER_S - 10


def test_the_broker_holds_no_fetch_so_long_that_nobody_knows_where_topics_end() -> None:
    collector, _, _ = build(commit_interval_ms=10_000)
    collector._pace.delivered(1, 100.0)
    collector._arrived_at_s = 100.0

    assert collector._patience(100.0).wait_ms < FRESH_MS


def test_a_partition_that_lags_makes_few_large_commits() -> None:
    assert due_s(10.0, 11.0, BEHIND + 1, 5_000, 0.1) == pytest.approx(11 + BEHIND_FACTOR * 0.1)
    assert due_s(10.0, 11.0, inf, 0, 0.1) == pytest.approx(11 + BEHIND_FACTOR * 0.1)
    assert due_s(10.0, 11.0, inf, 0, 10.0) == 11 + LONGEST_S
    assert due_s(10.0, 10.04, BEHIND, FEW, 0.1) == pytest.approx(10.1)
    assert due_s(10.0, 11.0, BEHIND, FEW, 0.1) == pytest.approx(11.05)
    assert due_s(10.0, 11.0, inf, COMMIT_EVENTS, 0.1) == 11


def test_the_collector_waits_for_a_fetch_as_long_as_nothing_can_be_delivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collector, part, merge = build()
    collector._ownership.engine.open(0)
    now_s = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    catch_up(part, now_s[0])
    assert collector._wait_s(now_s[0]) == IDLE_S

    part.add(0, piece(5, 1), now_s[0])
    part.aligner.heard(1, 100, now_s[0])
    assert collector._wait_s(now_s[0]) == LOOK_S  # another topic lags: it is held back
    catch_up(part, now_s[0])
    assert collector._wait_s(now_s[0]) == 0  # the first one after a while goes at once
    assert collector.next_message(1) is not None

    now_s[0] += 0.1
    part.add(0, piece(6, 1), now_s[0])
    catch_up(part, now_s[0])
    assert collector._wait_s(now_s[0]) == pytest.approx(collector._pace.gap_s - 0.1)

    assert merge.life is not None
    merge.life.add(0, piece(0, 1), now_s[0])
    assert collector._wait_s(now_s[0]) == 0


def test_the_broker_holds_fetches_for_a_short_time_while_a_partition_is_being_opened() -> None:
    """Its first fetch has to wait for the one under way."""
    collector, part, _ = build()
    assert collector._patience(100.0) == QUIET
    part.freeze()
    assert collector._patience(100.0) == OPENING

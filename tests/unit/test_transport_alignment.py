"""Time alignment of the topics of one partition number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.transport.alignment import STALL_S, Aligner, Slice
from streams.transport.fetched import Fetched


def piece(start: int, timestamps: list[int], holes: int = 0) -> Fetched:
    """Return records at successive offsets, followed by holes."""
    n = len(timestamps)
    values: list[bytes | None] = [b"%d" % timestamp for timestamp in timestamps]
    return Fetched.of(start, start + n + holes, list(range(start, start + n)), timestamps, [b"k"] * n, values)


def times(found: Slice | None) -> list[tuple[int, int]]:
    """Return (topic, timestamp) of a slice's records."""
    if found is None:
        return []
    return list(zip(found.raw.topic.tolist(), found.raw.timestamp.tolist(), strict=True))


def test_records_of_topics_that_are_caught_up_leave_in_the_order_of_their_timestamps() -> None:
    aligner = Aligner([0, 0], 0.0)
    aligner.add(0, piece(0, [1, 5]), 0.0)
    aligner.add(1, piece(0, [2, 3]), 0.0)
    aligner.heard(0, 2, 0.0)
    aligner.heard(1, 2, 0.0)

    found = aligner.release(7, 100, 0.0)

    assert times(found) == [(0, 1), (1, 2), (1, 3), (0, 5)]
    assert found is not None
    assert found.raw.partition.tolist() == [7, 7, 7, 7]
    assert found.raw.offset.tolist() == [0, 0, 1, 1]


def test_a_lagging_topic_holds_the_others_back_at_its_last_buffered_timestamp() -> None:
    aligner = Aligner([0, 0], 0.0)
    aligner.add(0, piece(0, [10, 20]), 0.0)
    aligner.heard(0, 1_000, 0.0)
    aligner.add(1, piece(0, [5, 20, 21]), 0.0)
    aligner.heard(1, 3, 0.0)

    assert times(aligner.release(0, 100, 0.0)) == [(1, 5), (0, 10), (0, 20), (1, 20)]
    assert aligner.release(0, 100, 0.0) is None


def test_a_lagging_topic_that_yields_nothing_for_a_second_no_longer_holds_others_back() -> None:
    aligner = Aligner([0, 0], 0.0)
    aligner.heard(0, 1_000, 0.0)
    aligner.add(1, piece(0, [5]), 0.0)
    aligner.heard(1, 1, 0.0)

    assert aligner.releasable(STALL_S / 2) == 0
    assert aligner.releasable(STALL_S) == 1


def test_a_topic_that_was_held_back_has_a_second_to_fetch_after_its_records_left() -> None:
    aligner = Aligner([0, 0], 0.0)
    aligner.add(0, piece(0, [10]), 0.0)
    aligner.heard(0, 1_000, 0.0)
    aligner.add(1, piece(0, [11]), 50.0)
    aligner.heard(1, 1_000, 50.0)

    assert times(aligner.release(0, 100, 50.0)) == [(0, 10)]
    assert aligner.release(0, 100, 50.5) is None
    assert times(aligner.release(0, 100, 51.0)) == [(1, 11)]


def test_a_record_older_than_its_predecessor_in_the_topic_stays_behind_it() -> None:
    aligner = Aligner([0, 0], 0.0)
    aligner.add(0, piece(0, [9, 1]), 0.0)
    aligner.add(1, piece(0, [5, 9, 10]), 0.0)
    for topic, end in ((0, 2), (1, 3)):
        aligner.heard(topic, end, 0.0)

    assert times(aligner.release(0, 100, 0.0)) == [(1, 5), (0, 9), (0, 1), (1, 9), (1, 10)]


def test_holes_in_the_offsets_move_the_position_but_not_what_is_committed() -> None:
    aligner = Aligner([4], 0.0)
    aligner.add(0, piece(4, [1], holes=2), 0.0)
    aligner.heard(0, 7, 0.0)
    first = aligner.release(0, 10, 0.0)
    aligner.add(0, piece(7, [], holes=1), 0.0)
    aligner.add(0, piece(8, [2]), 0.0)
    second = aligner.release(0, 10, 0.0)

    assert first is not None
    assert second is not None
    assert (first.first, first.after, first.offsets) == ([4], [7], [5])
    assert (second.first, second.after, second.offsets) == ([7], [9], [9])


def test_a_piece_that_does_not_continue_the_last_one_is_refused() -> None:
    aligner = Aligner([3], 0.0)

    with pytest.raises(ValueError, match="starts at 4, the last one ended at 3"):
        aligner.add(0, piece(4, [1]), 0.0)


def test_a_long_buffer_is_cut_off_at_its_front_without_disturbing_the_rest() -> None:
    aligner = Aligner([0], 0.0)
    n = 4_106
    aligner.add(0, piece(0, list(range(n))), 0.0)
    aligner.heard(0, n, 0.0)

    assert len(times(aligner.release(0, 4_096, 0.0))) == 4_096
    assert times(aligner.release(0, 100, 0.0)) == [(0, time) for time in range(4_096, n)]


def test_a_partition_is_caught_up_when_no_topic_lags_and_no_record_waits() -> None:
    aligner = Aligner([0, 0], 0.0)
    aligner.heard(0, 0, 0.0)
    assert not aligner.caught_up()
    aligner.heard(1, 1, 0.0)
    assert not aligner.caught_up()
    aligner.add(1, piece(0, [1]), 0.0)
    aligner.heard(1, 1, 0.0)
    assert not aligner.caught_up()
    aligner.release(0, 1, 0.0)

    assert aligner.caught_up()


@given(
    topics=st.lists(st.lists(st.lists(st.integers(0, 50), max_size=4), max_size=6), min_size=1, max_size=4),
    most=st.integers(1, 7),
    data=st.data(),
)
def test_whatever_arrives_when_each_topic_leaves_in_order_and_whole(
    topics: list[list[list[int]]], most: int, data: st.DataObject
) -> None:
    aligner = Aligner([0] * len(topics), 0.0)
    left = [list(pieces) for pieces in topics]
    at = [0] * len(topics)
    delivered: list[list[int]] = [[] for _ in topics]
    expected = [0] * len(topics)
    now = 0.0
    while any(left) or not aligner.caught_up():
        now += data.draw(st.sampled_from([0.0, 0.4, 2.0]))
        choices = [topic for topic, pieces in enumerate(left) if pieces]
        if choices:
            topic = data.draw(st.sampled_from(choices))
            got = piece(at[topic], left[topic].pop(0), holes=1)
            at[topic] = got.end
            aligner.add(topic, got, now)
        for topic, pieces in enumerate(left):
            aligner.heard(topic, at[topic] + bool(pieces), now)
        found = aligner.release(0, most, now)
        if found is not None:
            assert found.first == expected
            assert len(found.raw) <= most
            expected = found.after
            for topic, timestamp in times(found):
                delivered[topic].append(timestamp)

    assert delivered == [[time for times_ in pieces for time in times_] for pieces in topics]

"""The life of a part."""

from __future__ import annotations

import pytest

from streams.transport.fetched import Fetched
from streams.transport.part import OutOfStepError, Part, State


def opened(positions: list[int]) -> Part:
    """Return a part that has been restored."""
    part = Part(0, len(positions))
    part.restored(positions)
    return part


def fetched(part: Part, count: int) -> None:
    """Let records of topic 0 arrive."""
    start = part.aligner.end(0)
    offsets = list(range(start, start + count))
    part.aligner.add(
        0, Fetched.of(start, start + count, offsets, [1] * count, [b"k"] * count, [b"v"] * count), 0.0
    )
    for topic in range(part.topics):
        part.aligner.heard(topic, part.aligner.end(topic), 0.0)


def test_a_part_is_not_active_before_it_is_restored() -> None:
    with pytest.raises(OutOfStepError):
        Part(0, 4).activate(0.0)


def test_a_slice_of_an_earlier_epoch_is_not_accepted_after_a_rebalance() -> None:
    part = opened([0])
    part.activate(0.0)
    epoch = part.epoch
    assert part.accepts(epoch)
    part.freeze()
    assert not part.accepts(epoch)
    part.activate(0.0)

    assert not part.accepts(epoch)
    assert part.accepts(part.epoch)


def test_buffered_records_are_fetched_again_after_a_rebalance() -> None:
    part = opened([5])
    part.activate(0.0)
    fetched(part, 3)
    part.freeze()

    assert part.aligner.waiting(0) == 0
    assert part.aligner.end(0) == 5


def test_a_slice_must_begin_where_the_last_one_ended() -> None:
    part = opened([0])
    part.activate(0.0)
    fetched(part, 4)
    first, second = part.aligner.release(0, 2, 0.0), part.aligner.release(0, 2, 0.0)
    assert first is not None
    assert second is not None

    with pytest.raises(OutOfStepError):
        part.processed(second)
    part.processed(first)
    with pytest.raises(OutOfStepError):
        part.processed(first)
    part.processed(second)
    assert part.positions == [4]


def test_only_positions_that_differ_from_the_committed_ones_are_committed() -> None:
    part = opened([7, 9])
    part.activate(0.0)
    fetched(part, 2)
    found = part.aligner.release(0, 10, 0.0)
    assert found is not None
    part.processed(found)

    assert part.moved() == {0: 9}


def test_a_closed_part_is_never_used_again() -> None:
    part = opened([0])
    part.close()

    assert part.state is State.CLOSED
    with pytest.raises(OutOfStepError):
        part.activate(0.0)
    with pytest.raises(OutOfStepError):
        part.restored([0])

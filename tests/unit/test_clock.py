"""Clocks and errors: the smallest seams."""

from __future__ import annotations

import pytest

from streams.clock import Clock, ManualClock, SystemClock
from streams.errors import (
    BrokerUnreachableError,
    InputFileError,
    InterlockError,
    InvariantError,
    LiveSegmentsError,
    UsageError,
)


def test_the_system_clock_counts_milliseconds_since_1970() -> None:
    """It reads as a date after 2024 and before 2100 in milliseconds, and does not stand still for long."""
    clock: Clock = SystemClock()
    first = clock.now_ms()
    while clock.now_ms() == first:
        pass

    assert 1_704_067_200_000 < first < clock.now_ms() < 4_102_444_800_000


def test_a_manual_clock_moves_only_when_told() -> None:
    """It stands still, is set to any time, and advances by what it is told."""
    clock = ManualClock(1_000)

    assert (clock.now_ms(), clock.now_ms()) == (1_000, 1_000)
    clock.advance(250)
    assert clock.now_ms() == 1_250
    clock.set(500)
    assert clock.now_ms() == 500


def test_a_manual_clock_does_not_advance_backwards() -> None:
    """A negative step is a mistake of the caller, and the time stays."""
    clock = ManualClock(1_000)
    with pytest.raises(ValueError, match="set"):
        clock.advance(-1)

    assert clock.now_ms() == 1_000


def test_each_error_has_its_documented_exit_code() -> None:
    """The codes are those that supervisors and scripts are told: 1 to 6."""
    errors = (
        *(LiveSegmentsError, UsageError, BrokerUnreachableError, InputFileError, InterlockError),
        InvariantError,
    )

    assert [int(error.exit_code) for error in errors] == [1, 2, 3, 4, 5, 6]
    assert all(issubclass(error, LiveSegmentsError) for error in errors)


def test_an_error_is_one_line_whatever_it_was_made_from() -> None:
    """Line breaks of a foreign message become spaces."""
    assert str(UsageError("first\n   second\r\nthird ")) == "first second third"

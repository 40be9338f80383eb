"""The only place where the wall clock is read; everything else is given a `Clock`."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Something that knows the time."""

    def now_ms(self) -> int:
        """Return the time in epoch milliseconds."""
        ...


class SystemClock:
    """The machine's wall clock; it may step back when the machine's time is corrected."""

    def now_ms(self) -> int:
        """Return the wall clock in epoch milliseconds."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that stands still until it is moved: for tests and replays."""

    def __init__(self, now_ms: int = 0) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """Return the time that was last set, in epoch milliseconds."""
        return self._now_ms

    def set(self, now_ms: int) -> None:
        """Move to a time in epoch milliseconds; back is allowed, as on a real machine."""
        self._now_ms = now_ms

    def advance(self, ms: int) -> None:
        """Move forward.

        Raises:
            ValueError: ms is negative; use `set` to go back.
        """
        if ms < 0:
            raise ValueError(f"advance by {ms} ms: a clock is moved back by set() only")
        self._now_ms += ms

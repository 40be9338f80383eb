"""Calendar days, weekends and evenings in one time zone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.events import I64, Bool

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
EVENING_HOUR = 18
"""The evening lasts from 18:00 to midnight, local time."""


@dataclass(frozen=True)
class Calendar:
    """Local days of one time zone.

    Attributes:
        transitions: (k,) epoch milliseconds at which the offset changes, ascending.
        offsets: (k + 1,) offset from UTC in milliseconds before the first, between and after the transitions.
    """

    transitions: I64
    offsets: I64

    @classmethod
    def utc(cls) -> Calendar:
        """Return the calendar of UTC."""
        return cls(np.empty(0, np.int64), np.zeros(1, np.int64))

    def local(self, time_ms: I64) -> I64:
        """Return epoch milliseconds shifted to local wall time; same shape."""
        if not len(self.transitions):
            return time_ms + self.offsets[0]
        return time_ms + self.offsets[np.searchsorted(self.transitions, time_ms, side="right")]

    def day(self, time_ms: I64) -> I64:
        """Return the local day number (days since 1970-01-01); same shape."""
        return self.local(time_ms) // DAY_MS

    def until(self, time_ms: I64) -> I64:
        """Return up to when, exclusively, the local day and the offset stay what they are; same shape."""
        local = self.local(time_ms)
        midnight = time_ms + (DAY_MS - local % DAY_MS)
        if not len(self.transitions):
            return midnight
        place = np.searchsorted(self.transitions, time_ms, side="right")
        ends = np.append(self.transitions, np.iinfo(np.int64).max)
        return np.minimum(midnight, ends[place])

    def weekend(self, time_ms: I64) -> Bool:
        """Return whether each time lies on a Saturday or Sunday."""
        return (self.day(time_ms) + 3) % 7 >= 5  # day 0 was a Thursday

    def evening(self, time_ms: I64) -> Bool:
        """Return whether each time lies between 18:00 and midnight."""
        return self.local(time_ms) % DAY_MS >= EVENING_HOUR * HOUR_MS

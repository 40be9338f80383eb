"""How often the little that comes is fetched and processed: a fetch and a chunk have prices of their own."""

from __future__ import annotations

WORTH = 50
"""Records of a chunk that is worth its price."""
SHORTEST = 0.5
"""Commit intervals from one chunk to the next, however many records come."""
LONGEST = 5
"""And however few: then each chunk is committed at once, and the two waits do not add up."""


class Pace:
    """The time from one small chunk to the next.

    Args:
        interval_s: the commit interval in seconds, by which everything is scaled.

    Attributes:
        gap_s: seconds from the last chunk to the next one.
    """

    __slots__ = ("_last_s", "_longest_s", "_shortest_s", "gap_s")

    def __init__(self, interval_s: float) -> None:
        self._shortest_s, self._longest_s = SHORTEST * interval_s, LONGEST * interval_s
        self.gap_s = self._shortest_s
        self._last_s = 0.0

    def remaining_s(self, now_s: float) -> float:
        """Return how long to wait for the next chunk; the first one after a while does not wait."""
        return max(0.0, self._last_s + self.gap_s - now_s)

    def delivered(self, records: int, now_s: float) -> None:
        """Take note of a chunk: at the rate of its records the next one shall be worth its price."""
        gap_s = (now_s - self._last_s) * WORTH / records
        self.gap_s = min(max(gap_s, self._shortest_s), self._longest_s)
        self._last_s = now_s

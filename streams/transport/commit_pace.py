"""How long a partition waits between two commits: a transaction costs the same whatever it holds."""

from __future__ import annotations

COMMIT_EVENTS = 20_000
"""A partition with this much to commit does not wait for the next commit interval."""
BEHIND = 500
"""A partition with more than this many records to process lags."""
BEHIND_FACTOR = 10
"""It commits after this many commit intervals: fewer rows for the same events."""
FEW = 20
"""A partition with fewer records to commit waits for more."""
FEW_FACTOR = 3
"""For this many commit intervals since its last commit began; so the first record after a while goes at once,
and so do those of a chunk that kept the longest distance to the last one."""
REST = 0.5
"""Commit intervals at least between the end of a commit and the next: a slow broker gets no more of them."""
LONGEST_S = 30.0
"""However long the interval is: who has committed nothing for a minute counts as stuck."""


def due_s(began_s: float, ended_s: float, backlog: float, pending: int, interval_s: float) -> float:
    """Return when a partition may commit again.

    Args:
        began_s: when its last commit began.
        ended_s: and when it ended.
        backlog: records that wait to be processed, here or at the broker; may be infinite.
        pending: records that are processed and not committed.
        interval_s: the commit interval.
    """
    if pending >= COMMIT_EVENTS:
        return ended_s
    if backlog > BEHIND:
        return ended_s + min(BEHIND_FACTOR * interval_s, LONGEST_S)
    least_s = min((FEW_FACTOR if pending < FEW else 1) * interval_s, LONGEST_S)
    return max(began_s + least_s, ended_s + min(REST * interval_s, LONGEST_S))

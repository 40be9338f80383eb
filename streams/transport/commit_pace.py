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
FEW_FACTOR = 5
"""For this many commit intervals since its last commit; so the first record after a while goes at once."""
LONGEST_S = 30.0
"""However long the interval is: who has committed nothing for a minute counts as stuck."""


def patience(backlog: float, pending: int) -> int:
    """Return the least number of commit intervals between two commits of a partition.

    Args:
        backlog: records that wait to be processed, here or at the broker; may be infinite.
        pending: records that are processed and not committed.
    """
    if backlog > BEHIND:
        return BEHIND_FACTOR
    return FEW_FACTOR if pending < FEW else 0

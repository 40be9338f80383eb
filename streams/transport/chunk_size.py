"""How many records go into the next chunk: as many as are sure to be done soon.

A record costs some microseconds, but those of a history cross tick after tick, and at each tick everyone is
decided: a few hundred can take many seconds then. Nothing else runs meanwhile, no commit and no heartbeat.
"""

from __future__ import annotations

LONG_S = 0.25
"""A chunk that takes more CPU is followed by a smaller one."""
FIRST = 64
"""The first chunk of a process: nothing is known of the records yet."""


class ChunkSize:
    """The size of the next chunk, from what the last ones took.

    Attributes:
        most: records of a chunk at most.
        now: records of the next one.
    """

    __slots__ = ("most", "now")

    def __init__(self, most: int) -> None:
        self.most = most
        self.now = min(FIRST, most)

    def took(self, records: int, cpu_s: float) -> None:
        """Take note of a chunk: after a long one they get as small as it says, after others twice as large.

        Args:
            records: of the chunk, at least one; a small one that was fast says nothing against large ones.
            cpu_s: seconds of CPU that it took.
        """
        if cpu_s > LONG_S:
            self.now = max(1, min(self.now, int(records * LONG_S / cpu_s)))
        else:
            self.now = min(2 * self.now, self.most)

"""What has happened since the demo's shop went live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from streams.demo.summary import Summary
from streams.records import PURCHASES
from streams.words import counted


@dataclass(frozen=True, slots=True)
class Live:
    """The counts of when the shop went live."""

    began_s: float
    events: int
    orders: int
    changes: int

    @classmethod
    def begun(cls, summary: Summary, now_s: float) -> Self:
        """Return the counts of now."""
        return cls(now_s, sum(summary.events), summary.events[PURCHASES], sum(summary.changes.values()))

    def told(self, summary: Summary, waiting: int, now_s: float) -> str:
        """Return a line on what has happened since.

        Args:
            summary: counts so far.
            waiting: events that are sent and not processed.
            now_s: on the clock of `begun`.
        """
        minutes, seconds = divmod(int(now_s - self.began_s), 60)
        events, orders = sum(summary.events) - self.events, summary.events[PURCHASES] - self.orders
        return (
            f"live for {minutes}:{seconds:02d} · {counted(events, 'event')}, "
            f"{orders:,} of them {'an order' if orders == 1 else 'orders'}, "
            f"{waiting:,} waiting · {counted(sum(summary.changes.values()) - self.changes, 'change')}"
        )

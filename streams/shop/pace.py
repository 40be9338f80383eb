"""When recorded or simulated records may go out; pure arithmetic, the waiting is the caller's."""

from __future__ import annotations

from dataclasses import dataclass

from streams.errors import UsageError


@dataclass(frozen=True)
class Pace:
    """A limit on how fast records go out: so many a second, or so many times as fast as they happened."""

    rate: float | None = None
    """Records a second, evenly spaced; None: no such limit."""
    speed: float | None = None
    """1: as they happened; 60: an hour in a minute; None: no such limit."""

    def __post_init__(self) -> None:
        for name, value in (("rate", self.rate), ("speed", self.speed)):
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"{name} {value:g} is not possible; give a number above 0")

    def due_s(self, sent: int, elapsed_ms: int) -> float:
        """Return how many seconds after the first record one may go out.

        Args:
            sent: records that went before it.
            elapsed_ms: its event time less that of the first record; late ones are due at once.
        """
        by_rate = sent / self.rate if self.rate is not None else 0.0
        by_speed = elapsed_ms / 1000 / self.speed if self.speed is not None else 0.0
        return max(by_rate, by_speed, 0.0)

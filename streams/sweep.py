"""A tick at which the customers of a partition are decided, a slice at a time.

Stream time and the model move on as soon as a tick is crossed; the customers follow. One of whom an event
comes is decided first, at the tick, and the others whenever there is time. So each customer's decisions are
the same, and in the same order, as if everyone had been decided at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.audiences import Rules
from models.clusterer import Model
from models.features.tally import Tally


@dataclass(slots=True)
class Sweep:
    """What is left to do of a partition's last tick."""

    since_ms: int
    """The tick before."""
    model: Model | None
    """In force until the tick: it decides first, then the one that is in force from then on."""
    rules: Rules | None
    """As the model."""
    rows: NDArray[np.intp]
    """The customers there were when the tick was crossed."""
    tally: Tally | None = None
    """The review of the customers as of the tick: of the first one of a day."""
    at: int = 0
    """Those before this place are decided."""
    decided: int = 0
    """Customers decided so far; the others were known not to be due."""
    unsure: list[NDArray[np.intp]] = field(default_factory=list)
    """Customers who were looked at and whom something may change: they wait for others like them."""

    def left(self) -> int:
        """Return how many customers may still have to be decided."""
        return len(self.rows) - self.at + self.waiting()

    def waiting(self) -> int:
        """Return how many customers were looked at and wait."""
        return sum(map(len, self.unsure))

    def next(self, count: int) -> NDArray[np.intp]:
        """Return the next customers, and go on behind them."""
        here = self.rows[self.at : self.at + count]
        self.at += len(here)
        return here

    def late(self, count: int) -> NDArray[np.intp]:
        """Return the next of those who wait, and forget them."""
        rows = np.concatenate([*self.unsure, np.empty(0, np.intp)])
        self.unsure = [rows[count:]]
        return rows[:count]

"""Count customers who go from one segment to another and back within a few of their own events."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

WITHIN = 5
"""Events of a customer within which a return counts."""
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A customer enters a segment."""

    time_ms: int
    segment: str
    cause: str


@dataclass(slots=True)
class Flapping:
    """Returns A→B→A of all customers."""

    events: int = 0
    """Events of customers that have a segment, from the one that gave them the first."""
    moves: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    """Causes of the way there and back to number of returns."""
    stays_ms: list[int] = field(default_factory=list)
    """How long each returned customer was in B."""

    @property
    def per_100(self) -> float:
        """Return the returns per 100 events."""
        return 100.0 * len(self.stays_ms) / max(self.events, 1)

    def per_100_by_events(self) -> float:
        """Return those per 100 events whose both ways were caused by events of the customer."""
        return 100.0 * self.causes["event-event"] / max(self.events, 1)

    def per_100_of_stays(self, at_least_ms: int) -> float:
        """Return those per 100 events that were in B for some time: the others a minimum stay prevents."""
        return 100.0 * sum(stay >= at_least_ms for stay in self.stays_ms) / max(self.events, 1)


def flapping(events: Mapping[str, Sequence[int]], entries: Mapping[str, Sequence[Entry]]) -> Flapping:
    """Return the flapping of customers.

    Args:
        events: customer to the times of their events, ascending.
        entries: customer to the segments entered, in the order of the records.
    """
    found = Flapping()
    for customer, path in entries.items():
        times = events.get(customer, ())
        found.events += len(times) - bisect_left(times, path[0].time_ms)
        found.moves += len(path) - 1
        at = [bisect_right(times, entry.time_ms) for entry in path]
        for i in range(2, len(path)):
            if path[i].segment == path[i - 2].segment and at[i] - at[i - 1] <= WITHIN:
                found.causes[f"{path[i - 1].cause}-{path[i].cause}"] += 1
                found.stays_ms.append(path[i].time_ms - path[i - 1].time_ms)
    return found

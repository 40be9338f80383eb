"""Decide customers event by event: whoever holds a segment keeps it until another is clearly nearer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.events import F64, I64, Bool
from models.profiles.update import passes


class Steps(Protocol):
    """What a decision asks of a model."""

    def step(self, distances: F64, current: I64, margin: float) -> I64:
        """Return the number that each row holds after one decision."""
        ...


@dataclass(slots=True)
class Moves:
    """m moves between segments, in the order of their events within each customer."""

    event: NDArray[np.intp]
    """(m,) index of the event, ascending."""
    old: I64
    """(m,) number held before, 0 for none."""
    new: I64
    """(m,) number held from then on."""


def decide(
    model: Steps,
    distances: F64,
    margin: float,
    current: I64,
    order: NDArray[np.intp],
    start: NDArray[np.intp],
    decided: Bool,
) -> tuple[Moves, I64]:
    """Return the moves of g customers over n events, and the number that each holds at the end.

    The same as deciding after every event, one after the other: only customers for whom some event would
    move them from what they hold at the start are gone through rank by rank.

    Args:
        model: decides one step for many rows.
        distances: (n, k) from each event's row to the segments.
        margin: share by which another segment must be nearer.
        current: (g,) number held before the chunk.
        order: (m,) the events of these customers, sorted by customer; m <= n.
        start: (g,) first position of each customer's events in `order`.
        decided: (n,) events after which the customer is decided.
    """
    n, g = len(order), len(start)
    group = np.repeat(np.arange(g), np.diff(np.append(start, n)))
    held = np.zeros(len(decided), np.int64)  # the chunk may hold events of customers of another model
    held[order] = current[group]
    would_move = decided & (model.step(distances, held, margin) != held)
    moving = np.unique(group[would_move[order]])
    final = current.copy()
    events: list[NDArray[np.intp]] = []
    olds: list[I64] = []
    news: list[I64] = []
    if len(moving):
        inside = np.isin(group, moving)
        sub_order = order[inside]
        sub_group = group[inside]
        first = np.flatnonzero(np.append(True, sub_group[1:] != sub_group[:-1]))
        for local, at in passes(first, sub_order):
            use = decided[at]
            who, at_used = moving[local[use]], at[use]
            old = final[who]
            new = model.step(distances[at_used], old, margin)
            moved = new != old
            final[who] = new
            events.append(at_used[moved])
            olds.append(old[moved])
            news.append(new[moved])
    event = np.concatenate(events) if events else np.empty(0, np.intp)
    by_event = np.argsort(event, kind="stable")
    old_all = np.concatenate(olds) if olds else np.empty(0, np.int64)
    new_all = np.concatenate(news) if news else np.empty(0, np.int64)
    return Moves(event[by_event], old_all[by_event], new_all[by_event]), final

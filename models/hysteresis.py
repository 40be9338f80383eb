"""Decide customers event by event: whoever holds a segment keeps it until another is clearly nearer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.events import F64, I64, Bool
from models.ranks import passes


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
    by_margin: int = 0
    """Decisions at which another segment was nearer, but not by the margin."""
    by_stay: int = 0
    """Decisions at which only the minimum stay kept a customer from moving."""


def settle(
    model: Steps,
    distances: F64,
    margin: float,
    current: I64,
    stayed_ms: I64 | None = None,
    min_stay_ms: int = 0,
) -> tuple[I64, Bool]:
    """Return what each row holds after one decision, and which rows only the minimum stay has kept.

    A minimum stay keeps no one out of a first segment, and in none that the model no longer has.

    Args:
        model: decides one step for many rows.
        distances: (n, k) from each row to the segments.
        margin: share by which another segment must be nearer.
        current: (n,) number held, 0 for none.
        stayed_ms: (n,) event time since the segment held was entered.
        min_stay_ms: event time that a segment is held at least; 0 for no minimum.
    """
    new = model.step(distances, current, margin)
    if min_stay_ms <= 0 or stayed_ms is None:
        return new, np.zeros(len(new), np.bool_)
    kept = (new != current) & (stayed_ms < min_stay_ms)
    if kept.any():  # at a margin of 1 nobody moves but those who hold nothing, or what is no more
        kept &= model.step(distances, current, 1.0) == current
    return np.where(kept, current, new), kept


def decide(
    model: Steps,
    distances: F64,
    margin: float,
    current: I64,
    order: NDArray[np.intp],
    start: NDArray[np.intp],
    decided: Bool,
    at_ms: I64 | None = None,
    since_ms: I64 | None = None,
    min_stay_ms: int = 0,
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
        at_ms: (n,) event time of each decision; needed with `min_stay_ms`.
        since_ms: (g,) when each customer entered what they hold; needed with `min_stay_ms`.
        min_stay_ms: event time that a segment is held at least before another may take its place.

    Raises:
        ValueError: there is a minimum stay, but no times.
    """
    if min_stay_ms > 0 and (at_ms is None or since_ms is None):
        raise ValueError("a minimum stay needs the time of each decision and since when each segment is held")
    when = np.zeros(len(decided), np.int64) if at_ms is None else at_ms
    since = np.zeros(len(start), np.int64) if since_ms is None else since_ms.astype(np.int64)
    group = np.repeat(np.arange(len(start)), np.diff(np.append(start, len(order))))
    held = np.zeros(len(decided), np.int64)  # the chunk may hold events of customers of another model
    held[order] = current[group]
    nearer = decided & (model.step(distances, held, 0.0) != held)
    would_move = decided & (model.step(distances, held, margin) != held)
    moving = np.zeros(len(start), np.bool_)
    moving[group[would_move[order]]] = True
    inside = moving[group]
    walk = _Walk(model, distances, margin, min_stay_ms, decided, when)
    final = current.copy()
    moves = _joined(walk.ranks(order[inside], group[inside], final, since) if moving.any() else ())
    moves.by_margin += int(nearer[order][~inside].sum())
    return moves, final


@dataclass(slots=True)
class _Walk:
    """Goes through events rank by rank: the first one of each customer, the second one of each, and so on."""

    model: Steps
    distances: F64
    margin: float
    min_stay_ms: int
    decided: Bool
    when: I64

    def ranks(
        self, order: NDArray[np.intp], group: NDArray[np.intp], held: I64, since: I64
    ) -> Iterator[Moves]:
        """Yield the moves of each rank.

        Args:
            order: (m,) events, sorted by customer.
            group: (m,) their customers.
            held: (g,) number that each customer holds; changes.
            since: (g,) since when; changes.
        """
        first = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
        whose = group[first]
        for local, at in passes(first, order):
            use = self.decided[at]
            who, events = whose[local[use]], at[use]
            distances, old, when = self.distances[events], held[who], self.when[events]
            new, kept = settle(self.model, distances, self.margin, old, when - since[who], self.min_stay_ms)
            moved = new != old
            held[who] = new
            since[who[moved]] = when[moved]
            nearer = self.model.step(distances, old, 0.0) != old
            by_margin, by_stay = int(nearer[~moved & ~kept].sum()), int(kept.sum())
            yield Moves(events[moved], old[moved], new[moved], by_margin, by_stay)


def _joined(found: Iterable[Moves]) -> Moves:
    """Return the moves of all ranks in the order of their events."""
    none = np.empty(0, np.int64)
    all_ = [Moves(none.astype(np.intp), none, none), *found]
    event = np.concatenate([moves.event for moves in all_])
    order = np.argsort(event, kind="stable")
    return Moves(
        event[order],
        np.concatenate([moves.old for moves in all_])[order],
        np.concatenate([moves.new for moves in all_])[order],
        sum(moves.by_margin for moves in all_),
        sum(moves.by_stay for moves in all_),
    )

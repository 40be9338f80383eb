"""Decide customers event by event: whoever holds a segment keeps it until another is clearly nearer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.events import F64, I64, Bool
from models.hysteresis_kernel import walk


class Steps(Protocol):
    """What a decision asks of a model."""

    def step(self, distances: F64, current: I64, margin: float) -> I64:
        """Return the number that each row holds after one decision."""
        ...


class Numbered(Protocol):
    """What many decisions, one after the other, ask of a model."""

    @property
    def numbers(self) -> I64:
        """Return (k,) the numbers of the segments, in the order of distances."""
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
    model: Numbered,
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

    The same as `settle` after every event, one after the other.

    Args:
        model: whose segments they are.
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
    held, found = current.astype(np.int64), np.empty((3, len(order)), np.int64)
    numbers = model.numbers.copy()  # those of a model that was read are not writable: another type of array
    count, by_margin, by_stay = walk(
        distances, numbers, float(margin), min_stay_ms, order, start, decided, when, held, since, found
    )
    event, old, new = found[:, np.argsort(found[0, :count])]
    return Moves(event, old, new, by_margin, by_stay), held


def prepare() -> None:
    """Have the kernel compiled, or loaded if it was compiled before: no event shall wait for it."""
    nobody, nowhere = np.empty(0, np.int64), np.empty((0, 1))
    decide(_One(nobody), nowhere, 0.0, nobody, nobody, nobody, np.empty(0, np.bool_))


@dataclass(slots=True)
class _One:
    numbers: I64

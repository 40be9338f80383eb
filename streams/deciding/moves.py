"""Decisions that change something: who moves, when, and from what to what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.audiences import Rules
from models.clusterer import Model
from models.events import F64, I64, Bool
from models.names import Names
from models.profiles.layout import AUDIENCES
from streams.codec.pieces import Pieces
from streams.partition import Partition

LATEST_S = 2**32 - 1
"""Latest time of a membership that a row can hold, in 2106."""


@dataclass(slots=True)
class Movers:
    """m customers at the decisions that move them; one may be there several times."""

    rows: NDArray[np.intp]
    parts: Sequence[Partition]
    """Whose customers they are, perhaps others too."""
    owner: NDArray[np.intp]
    """(m,) place in `parts`."""
    when: I64
    """(m,) place of the decision among those that are published together: of the event, or the time."""
    at: I64
    """(m,) event time of the decision."""
    after: NDArray[np.void]
    """(m,) the row as it is decided."""
    before: NDArray[np.void]
    """(m,) the row as it was decided before."""
    before_at: I64
    """(m,) time of that decision."""
    trigger: Pieces | None
    """(m,) the input record behind each, as `triggers_of` returns it; None: there is none."""

    def __len__(self) -> int:
        """Return the number of moves."""
        return len(self.rows)

    def books(self) -> Sequence[Names]:
        """Return the dictionaries of names of `parts`."""
        return [part.names for part in self.parts]

    def part(self, at: int) -> Partition:
        """Return the partition of a customer."""
        return self.parts[int(self.owner[at])]

    def triggers(self) -> Pieces:
        """Return (m,) the input records, empty where there is none."""
        return Pieces.one_of([""], np.zeros(len(self), np.intp)) if self.trigger is None else self.trigger


class Chains:
    """Moves of the same customers: a chain for each, in the order given.

    Attributes:
        order: (m,) places of the moves, those of a customer together.
        first: (g,) first position of each customer's moves in `order`.
        last: (g,) last position.
        sizes: (g,) number of moves.
    """

    __slots__ = ("first", "last", "order", "sizes")

    def __init__(self, rows: NDArray[np.intp]) -> None:
        self.order = np.argsort(rows, kind="stable")
        ends = np.append(np.diff(rows[self.order]) != 0, True)
        self.last = np.flatnonzero(ends)
        self.first = np.append(0, self.last[:-1] + 1)
        self.sizes = self.last - self.first + 1


@dataclass(slots=True)
class BehaviourMoves:
    """m moves between behaviour segments by one model."""

    who: Movers
    model: Model
    old: I64
    """(m,) number of the segment that is left, 0 for none."""
    new: I64
    seen: F64
    """(m, d) what the model saw."""
    distances: F64
    """(m, k)"""
    since: I64 = field(init=False)
    """(m,) when the membership that ends began; known once the move is written."""
    sure: F64 = field(init=False)
    """(m,) how sure the model is of the segment that is entered."""

    def __post_init__(self) -> None:
        """Make room."""
        self.since = np.zeros(len(self.who), np.int64)
        self.sure = self.model.confidence(self.distances, self.new)

    def __len__(self) -> int:
        """Return the number of moves."""
        return len(self.who)

    def rank(self) -> I64:
        """Return (m,) the places among the moves of one decision: the behaviour segment comes first."""
        return np.zeros(len(self), np.int64)

    def records(self) -> I64:
        """Return (m,) the number of records of each move."""
        return 1 + (self.old > 0)

    def write(self, slab: NDArray[np.void], order: NDArray[np.intp]) -> None:
        """Write the moves into their customers' rows, in this order."""
        if not len(order):
            return
        chain = Chains(self.who.rows[order])
        at, rows = self.who.at[order][chain.order], self.who.rows[order][chain.order]
        since = np.append(0, at[:-1])
        since[chain.first] = slab["behaviour_since"][rows[chain.first]]
        self.since[order[chain.order]] = since
        last = chain.last
        slab["behaviour"][rows[last]] = self.new[order][chain.order][last]
        slab["behaviour_since"][rows[last]] = at[last]
        slab["model_version"][rows[last]] = self.model.version


@dataclass(slots=True)
class AudienceMoves:
    """m customers that enter or leave an audience."""

    who: Movers
    rules: Rules
    model: Model | None
    """In force with the rules."""
    slot: I64
    entered: Bool
    numbers: I64
    """(m,) number of the behaviour segment that each holds."""
    former_numbers: I64
    """(m,) the same at the decision before."""
    sure: F64
    """(m,) how sure the model is of that segment, NaN where there is none."""
    since_ms: I64
    """(m,) when the membership that ends began, or the one that begins."""
    bits: I64 = field(init=False)
    """(m,) what each holds after the decision; known once the moves are written."""
    former_bits: I64 = field(init=False)
    """(m,) what each held before it."""

    def __post_init__(self) -> None:
        """Make room."""
        self.bits, self.former_bits = np.zeros((2, len(self.who)), np.int64)

    def __len__(self) -> int:
        """Return the number of moves."""
        return len(self.who)

    def rank(self) -> I64:
        """Return (m,) the places among the moves of one decision: who leaves comes before who enters."""
        return 1 + self.entered * AUDIENCES + self.slot

    def records(self) -> I64:
        """Return (m,) the number of records of each change."""
        return np.ones(len(self), np.int64)

    def write(self, slab: NDArray[np.void], order: NDArray[np.intp]) -> None:
        """Write the changes into their customers' rows, in this order.

        All changes of a decision learn what the customer holds after the last of them.
        """
        if not len(order):
            return
        chain = Chains(self.who.rows[order])
        order = order[chain.order]
        rows, slot = self.who.rows[order], self.slot[order]
        turned = np.bitwise_xor.accumulate(np.left_shift(1, slot))  # each change turns a bit
        held = np.repeat(slab["audience_bits"][rows[chain.first]].astype(np.int64), chain.sizes)
        held ^= turned ^ np.repeat(np.append(0, turned)[chain.first], chain.sizes)
        ends = np.append((np.diff(rows) != 0) | (np.diff(self.who.when[order]) != 0), True)
        last = np.flatnonzero(ends)
        first = np.append(0, last[:-1] + 1)
        sizes = last - first + 1
        self.bits[order] = np.repeat(held[last], sizes)
        self.former_bits[order] = np.repeat((held ^ np.left_shift(1, slot))[first], sizes)
        last = chain.last
        slab["audience_bits"][rows[last]] = held[last]
        slab["audience_since_s"][rows, slot] = np.minimum(self.who.at[order] // 1000, LATEST_S)
        slab["definitions_version"][rows[last]] = self.rules.version
        if self.model is not None:
            slab["model_version"][rows[last]] = self.model.version


Moves: TypeAlias = BehaviourMoves | AudienceMoves

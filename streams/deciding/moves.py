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
from models.profiles.layout import AUDIENCES
from streams.codec.changes import Trigger
from streams.partition import Partition

LATEST_S = 2**32 - 1
"""Latest time of a membership that a row can hold, in 2106."""


@dataclass(slots=True)
class Movers:
    """m customers at the decisions that move them; one may be there several times."""

    rows: NDArray[np.intp]
    parts: Sequence[Partition]
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
    trigger: Sequence[Trigger | None]

    def __len__(self) -> int:
        """Return the number of moves."""
        return len(self.rows)


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

    def __post_init__(self) -> None:
        """Make room."""
        self.since = np.zeros(len(self.who), np.int64)

    def __len__(self) -> int:
        """Return the number of moves."""
        return len(self.who)

    def rank(self) -> I64:
        """Return (m,) the places among the moves of one decision: the behaviour segment comes first."""
        return np.zeros(len(self), np.int64)

    def confidence(self) -> F64:
        """Return (m,) how sure the model is of the segment that is entered."""
        return self.model.confidence(self.distances, self.new)

    def write(self, row: np.void, i: int) -> int:
        """Write a move into its customer's row; return the number of its records."""
        self.since[i] = row["behaviour_since"]
        row["behaviour"] = self.new[i]
        row["behaviour_since"] = self.who.at[i]
        row["model_version"] = self.model.version
        return 1 + int(self.old[i] > 0)


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
    sure: F64
    """(m,) how sure the model is of that segment, NaN where there is none."""
    since_ms: I64
    """(m,) when the membership that ends began, or the one that begins."""
    bits: I64 = field(init=False)
    """(m,) what each holds after the decision; known once the moves are written."""

    def __post_init__(self) -> None:
        """Make room."""
        self.bits = np.zeros(len(self.who), np.int64)

    def __len__(self) -> int:
        """Return the number of moves."""
        return len(self.who)

    def rank(self) -> I64:
        """Return (m,) the places among the moves of one decision: who leaves comes before who enters."""
        return 1 + self.entered * AUDIENCES + self.slot

    def confidence(self) -> F64:
        """Return (m,) how sure the model is of the behaviour segment; NaN without one."""
        return self.sure

    def write(self, row: np.void, i: int) -> int:
        """Write a change into its customer's row; return the number of its records."""
        bit = 1 << int(self.slot[i])
        row["audience_bits"] = int(row["audience_bits"]) & ~bit | (bit if self.entered[i] else 0)
        row["audience_since_s"][self.slot[i]] = min(int(self.who.at[i]) // 1000, LATEST_S)
        row["definitions_version"] = self.rules.version
        if self.model is not None:
            row["model_version"] = self.model.version
        self.bits[i] = row["audience_bits"]
        return 1


Moves: TypeAlias = BehaviourMoves | AudienceMoves

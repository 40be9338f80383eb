"""Moves become change events: numbered per customer, written into the rows, kept for the commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.calendar import Calendar
from models.events import I64
from models.features import BY_NAME
from models.profiles import Slab
from streams.codec.changes import Change
from streams.codec.output_records import Cause
from streams.deciding.audience_records import audience_changes_of
from streams.deciding.moves import AudienceMoves, BehaviourMoves, Moves
from streams.deciding.records import changes_of
from streams.observer import EngineObserver
from streams.partition import Held
from streams.rules import EngineRules


@dataclass(slots=True)
class Journal:
    """Writes what was decided."""

    slab: Slab
    rules: EngineRules
    calendar: Calendar
    observer: EngineObserver

    def publish(self, cause: Cause, batches: Sequence[Moves]) -> None:
        """Write moves into the rows and keep their change events.

        A customer's moves are numbered in the order of their decisions; in one decision the behaviour segment
        comes first.

        Args:
            cause: why the customers were decided.
            batches: the moves, those of a batch in the order of their decisions.
        """
        batches = [moves for moves in batches if len(moves)]
        if not batches:
            return
        owner = np.concatenate([np.full(len(moves), i) for i, moves in enumerate(batches)])
        within = np.concatenate([np.arange(len(moves)) for moves in batches])
        rank = np.concatenate([moves.rank() for moves in batches])
        when = np.concatenate([moves.who.when for moves in batches])
        order = np.lexsort((rank, when))
        places = list(zip(owner[order].tolist(), within[order].tolist(), strict=True))
        sequence = [np.empty(len(moves), np.int64) for moves in batches]
        for batch, i in places:
            moves = batches[batch]
            row = self.slab.rows[moves.who.rows[i]]
            sequence[batch][i] = row["sequence"]
            row["sequence"] += moves.write(row, i)
        for moves in batches:
            if isinstance(moves, AudienceMoves):
                _settle(moves)
        found = [self._records(cause, moves, sequence[i]) for i, moves in enumerate(batches)]
        held = [moves.confidence().tolist() for moves in batches]
        for batch, i in places:
            self._keep(batches[batch], i, found[batch][i], held[batch][i])

    def _records(self, cause: Cause, moves: Moves, sequence: I64) -> list[list[Change]]:
        main = [BY_NAME[name] for name in self.rules.main_features]
        keys = self.slab.keys(moves.who.rows.tolist())
        if isinstance(moves, BehaviourMoves):
            return changes_of(moves, keys, sequence, cause, main, self.calendar, self.rules.run_id)
        return audience_changes_of(moves, keys, sequence, cause, main, self.calendar)

    def _keep(self, moves: Moves, i: int, records: list[Change], confidence: float) -> None:
        part, row = moves.who.parts[i], moves.who.rows[i : i + 1]
        part.changes.extend(records)
        part.changed[records[-1].customer_id.encode()] = Held(
            records[-1],
            confidence if confidence == confidence else None,  # noqa: PLR0124 - NaN is not itself
        )
        part.hot.append(row)
        if isinstance(moves, AudienceMoves):
            part.cold.append(row)
        for change in records:
            self.observer.change(change)


def _settle(moves: AudienceMoves) -> None:
    """Let all moves of a decision know what the customer holds after the last of them."""
    places = list(zip(moves.who.rows.tolist(), moves.who.when.tolist(), moves.rank().tolist(), strict=True))
    last = {(row, when): i for i, (row, when, _) in sorted(enumerate(places), key=lambda place: place[1][2])}
    moves.bits = moves.bits[[last[row, when] for row, when, _ in places]]

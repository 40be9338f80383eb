"""Moves become change events: numbered per customer, written into the rows, kept for the commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.events import I64
from models.features import BY_NAME
from models.profiles import Slab
from streams.codec.changes import Change
from streams.codec.output_records import Cause
from streams.deciding.audience_records import audience_changes_of
from streams.deciding.moves import AudienceMoves, BehaviourMoves, Chains, Moves
from streams.deciding.records import changes_of
from streams.observer import EngineObserver
from streams.partition import Held
from streams.reviewing import flow
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
        owner, within = owner[order], within[order]
        sequence = self._number(batches, owner, within)
        for i, moves in enumerate(batches):
            moves.write(self.slab.rows, within[owner == i])
        made = [self._records(cause, moves, sequence[i]) for i, moves in enumerate(batches)]
        self._keep(batches, made, list(zip(owner.tolist(), within.tolist(), strict=True)))
        self.observer.changes([change for records in made for changes in records for change in changes])

    def _number(
        self, batches: Sequence[Moves], owner: NDArray[np.intp], within: NDArray[np.intp]
    ) -> list[I64]:
        """Return the last sequence number before each move, by batch; the rows learn of the new ones."""
        start = np.cumsum([0, *(len(moves) for moves in batches)])
        place = start[owner] + within
        rows = np.concatenate([moves.who.rows for moves in batches])[place]
        records = np.concatenate([moves.records() for moves in batches])[place]
        chain = Chains(rows)
        rows, records = rows[chain.order], records[chain.order]
        after = np.cumsum(records)
        held = self.slab.rows["sequence"][rows[chain.first]].astype(np.int64)
        after += np.repeat(held - np.append(0, after)[chain.first], chain.sizes)
        self.slab.rows["sequence"][rows[chain.last]] = after[chain.last]
        before = np.empty(len(rows), np.int64)
        before[place[chain.order]] = after - records
        return np.split(before, start[1:-1])

    def _records(self, cause: Cause, moves: Moves, sequence: I64) -> list[list[Change]]:
        main = [BY_NAME[name] for name in self.rules.main_features]
        keys = self.slab.keys(moves.who.rows.tolist())
        if isinstance(moves, BehaviourMoves):
            return changes_of(moves, keys, sequence, cause, main, self.calendar, self.rules.run_id)
        return audience_changes_of(moves, keys, sequence, cause, main, self.calendar)

    def _keep(
        self, batches: Sequence[Moves], made: Sequence[list[list[Change]]], places: Sequence[tuple[int, int]]
    ) -> None:
        """Keep the change events for the commit of their partitions, and the rows that it has to write."""
        sure = [moves.confidence().tolist() for moves in batches]
        for batch, i in places:
            part, records, confidence = batches[batch].who.parts[i], made[batch][i], sure[batch][i]
            part.changes.extend(records)
            part.changed[records[-1].customer_id.encode()] = Held(
                records[-1],
                confidence if confidence == confidence else None,  # noqa: PLR0124 - NaN is not itself
            )
        for moves in batches:
            rows: dict[int, list[int]] = {}
            parts = {part.number: part for part in moves.who.parts}
            for part, row in zip(moves.who.parts, moves.who.rows.tolist(), strict=True):
                rows.setdefault(part.number, []).append(row)
            for number, theirs in rows.items():
                parts[number].hot.append(np.array(theirs, np.intp))
                if isinstance(moves, AudienceMoves):
                    parts[number].cold.append(parts[number].hot[-1])
            if isinstance(moves, BehaviourMoves):
                for part, old, new in zip(
                    moves.who.parts, moves.old.tolist(), moves.new.tolist(), strict=True
                ):
                    flow(part, old, new)

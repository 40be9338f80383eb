"""Moves become change events: numbered per customer, written into the rows, kept for the commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.events import F64, I64
from models.features import BY_NAME
from models.profiles import Slab
from streams.codec.changes import Change
from streams.codec.output_records import Cause
from streams.deciding.audience_records import audience_changes_of
from streams.deciding.moves import AudienceMoves, BehaviourMoves, Chains, Moves
from streams.deciding.records import changes_of
from streams.observer import EngineObserver
from streams.partition import Held
from streams.reviewing import flow, turn
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
        rows = np.concatenate([moves.who.rows for moves in batches])
        rank = np.concatenate([moves.rank() for moves in batches])
        when = np.concatenate([moves.who.when for moves in batches])
        order = np.lexsort((rank, when))
        starts = np.cumsum([len(moves) for moves in batches])[:-1]
        sequences = np.split(self._number(batches, rows, order), starts)
        owner = np.searchsorted(starts, order, side="right")
        for i, (moves, begin) in enumerate(zip(batches, [0, *starts.tolist()], strict=True)):
            moves.write(self.slab.rows, order[owner == i] - begin)
        keys = self.slab.keys(rows.tolist())
        made: list[list[Change]] = []
        for moves, sequence in zip(batches, sequences, strict=True):
            made += self._records(cause, moves, keys[len(made) : len(made) + len(moves)], sequence)
        self._keep(batches, made, keys, order)
        self._mark(batches)

    def _number(self, batches: Sequence[Moves], rows: NDArray[np.intp], order: NDArray[np.intp]) -> I64:
        """Return the last sequence number before each move; the rows learn of the new ones."""
        records = np.concatenate([moves.records() for moves in batches])
        chain = Chains(rows[order])
        place = order[chain.order]
        rows, records = rows[place], records[place]
        after = np.cumsum(records)
        held = self.slab.rows["sequence"][rows[chain.first]].astype(np.int64)
        after += np.repeat(held - np.append(0, after)[chain.first], chain.sizes)
        self.slab.rows["sequence"][rows[chain.last]] = after[chain.last]
        before = np.empty(len(rows), np.int64)
        before[place] = after - records
        return before

    def _records(
        self, cause: Cause, moves: Moves, keys: Sequence[bytes], sequence: I64
    ) -> list[list[Change]]:
        main = [BY_NAME[name] for name in self.rules.main_features]
        if isinstance(moves, BehaviourMoves):
            return changes_of(moves, keys, sequence, cause, main, self.calendar, self.rules.run_id)
        return audience_changes_of(moves, keys, sequence, cause, main, self.calendar)

    def _keep(
        self,
        batches: Sequence[Moves],
        made: Sequence[list[Change]],
        keys: Sequence[bytes],
        order: NDArray[np.intp],
    ) -> None:
        """Keep the change events for the commit of their partitions."""
        parts = [part for moves in batches for part in moves.who.parts]
        rows = [row for moves in batches for row in moves.who.rows.tolist()]
        sure = [known for moves in batches for known in _known(moves.sure)]
        told: list[Change] = []
        for i in order.tolist():
            part, records = parts[i], made[i]
            part.changes += records
            part.changed[keys[i]] = Held(records[-1], rows[i], sure[i])
            told += records
        self.observer.changes(told)

    @staticmethod
    def _mark(batches: Sequence[Moves]) -> None:
        """Let the commit write the rows, and the review count the moves."""
        for moves in batches:
            numbers = [part.number for part in moves.who.parts]
            owner = np.array(numbers, np.intp)
            parts = dict(zip(numbers, moves.who.parts, strict=True))
            for number, part in parts.items():
                rows = moves.who.rows[owner == number]
                part.hot.append(rows)
                if isinstance(moves, AudienceMoves):
                    part.cold.append(rows)
            if isinstance(moves, BehaviourMoves):
                ways = Counter(zip(numbers, moves.old.tolist(), moves.new.tolist(), strict=True))
                for (number, old, new), count in ways.items():
                    flow(parts[number], old, new, count)
            if isinstance(moves, AudienceMoves):
                turns = Counter(zip(numbers, moves.slot.tolist(), moves.entered.tolist(), strict=True))
                for (number, slot, entered), count in turns.items():
                    turn(parts[number], slot, count, entered=entered)


def _known(values: F64) -> list[float | None]:
    """Return numbers as plain ones, None for NaN."""
    return [value if value == value else None for value in values.tolist()]  # noqa: PLR0124 - NaN is not itself

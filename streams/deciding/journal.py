"""Moves become change events: numbered per customer, written into the rows, kept for the commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.events import I64
from models.features import BY_NAME
from models.packed import Packed
from models.profiles import Slab
from streams.codec.drafts import Columns, draft
from streams.codec.output_records import Cause
from streams.deciding.audience_records import audience_changes_of
from streams.deciding.moves import AudienceMoves, BehaviourMoves, Chains, Moves
from streams.deciding.records import changes_of
from streams.observer import EngineObserver
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
        keys = Packed.of(self.slab.keys(rows.tolist()))
        ends = np.append(starts, len(rows)).tolist()
        made = [
            self._changes(cause, moves, keys.take(np.arange(end - len(moves), end)), sequence)
            for moves, sequence, end in zip(batches, sequences, ends, strict=True)
        ]
        self._keep(batches, made, order)
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

    def _changes(self, cause: Cause, moves: Moves, keys: Packed, sequence: I64) -> Columns:
        main = [BY_NAME[name] for name in self.rules.main_features]
        if isinstance(moves, BehaviourMoves):
            return changes_of(moves, keys, sequence, cause, main, self.calendar, self.rules.run_id)
        return audience_changes_of(moves, keys, sequence, cause, main, self.calendar)

    def _keep(self, batches: Sequence[Moves], made: Sequence[Columns], order: NDArray[np.intp]) -> None:
        """Keep the change events for the commit of their partitions.

        Args:
            batches: the moves.
            made: what is told of each batch.
            order: (m,) of all moves.
        """
        parts = {part.number: part for moves in batches for part in moves.who.parts}
        owner = np.concatenate([_numbers(moves)[moves.who.owner] for moves in batches])
        order = order[np.argsort(owner[order], kind="stable")]
        counts = np.concatenate([moves.records() for moves in batches])
        first = np.cumsum(counts) - counts
        place = np.repeat(first[order] - (np.cumsum(counts[order]) - counts[order]), counts[order])
        changes = Columns.joined(made, place + np.arange(len(place)))
        drafts = draft(changes, self.rules.run_id, self.rules.app_id)
        numbers, sizes = np.unique(np.repeat(owner[order], counts[order]), return_counts=True)
        end = 0
        for number, size in zip(numbers.tolist(), sizes.tolist(), strict=True):
            parts[number].drafts.append(drafts.cut(end, end + size))
            end += size
        self.observer.changes(changes, drafts)

    @staticmethod
    def _mark(batches: Sequence[Moves]) -> None:
        """Let the commit write the rows, and the review count the moves."""
        for moves in batches:
            owner = _numbers(moves)[moves.who.owner]
            parts = {part.number: part for part in moves.who.parts}
            numbers = owner.tolist()
            for number in np.unique(owner).tolist():
                part, rows = parts[number], moves.who.rows[owner == number]
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


def _numbers(moves: Moves) -> NDArray[np.intp]:
    """Return the numbers of the partitions whose customers move."""
    return np.array([part.number for part in moves.who.parts], np.intp)

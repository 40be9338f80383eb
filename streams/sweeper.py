"""Sweeps: at each tick all customers are decided, a slice at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from time import thread_time

import numpy as np
from numpy.typing import NDArray

from models.audiences import Rules
from models.clusterer import Model
from models.events import Bool
from models.profiles import Slab
from streams.deciding import Decider
from streams.deciding.crowd import crowd_of
from streams.observer import EngineObserver
from streams.partition import Partition
from streams.reviewing import tally_of, tell
from streams.sweep import Sweep

SLICE = 1024
"""Most customers decided at a time: some milliseconds, and their rows fit the processor's cache."""
LONG_S = 0.03
"""A slice that takes more CPU, as many customers change, is followed by one of half the size. Not the wall
clock's: on a busy machine that would end in slices of one customer, which cost fifty times as much."""
LEAST = 64
"""A slice is never smaller: each has a price of its own."""


@dataclass(slots=True)
class Sweeper:
    """Begins sweeps and carries them on."""

    slab: Slab
    decider: Decider
    observer: EngineObserver
    size: int = SLICE
    """Customers of the next slice."""
    done: Bool = field(init=False)
    """By row: decided in the sweep under way, or made since it began."""

    def __post_init__(self) -> None:
        """Reserve a place for each row; memory is taken only as rows are used."""
        self.done = np.zeros(self.slab.capacity, np.bool_)

    def begin(
        self, parts: Iterable[Partition], tick_ms: int, model: Model | None, rules: Rules | None
    ) -> None:
        """Cross a tick: time, model and definitions move on now, the customers follow.

        What is left of an earlier sweep is done first.
        """
        for part in parts:
            self.finish([part])
            part.sweep = Sweep(
                part.tick_ms, part.model, part.rules, self._rows(part), tally_of(part.tick_ms, tick_ms)
            )
            part.tick_ms, part.moved = tick_ms, True
            if model is not None and (part.model is None or part.model.version < model.version):
                part.model = model
            if rules is not None and (part.rules is None or part.rules.version < rules.version):
                part.rules = rules

    def resume(self, part: Partition) -> None:
        """Begin again with a sweep that was under way when the partition was committed."""
        if part.sweep is not None:
            tally = tally_of(part.sweep.since_ms, part.tick_ms)
            part.sweep = replace(part.sweep, rows=self._rows(part), tally=tally)

    def _rows(self, part: Partition) -> NDArray[np.intp]:
        rows = np.fromiter(part.index.values(), np.intp, len(part.index))
        self.done[rows] = False
        return rows

    def first(self, parts: Iterable[Partition], rows: Sequence[NDArray[np.intp]]) -> None:
        """Decide customers whose turn has not come yet: an event of theirs is waiting.

        Args:
            parts: the partitions, once each.
            rows: the customers of each; a new one is marked as done.
        """
        under_way = [
            (part, theirs) for part, theirs in zip(parts, rows, strict=True) if part.sweep is not None
        ]
        left = [np.unique(theirs[~self.done[theirs]]) for _, theirs in under_way]
        self._decide([part for part, _ in under_way], left)

    def made(self, row: int) -> None:
        """Take note of a new customer, whom no sweep under way has to decide."""
        self.done[row] = True

    def go_on(self, part: Partition) -> None:
        """Decide the next customers of a sweep; it ends when there are none."""
        sweep = part.sweep
        if sweep is None:
            return
        started = thread_time()
        rows = sweep.next(min(self.size, SLICE))
        self._decide([part], [rows[~self.done[rows]]])
        long = thread_time() - started > LONG_S
        self.size = max(LEAST, self.size // 2) if long else min(SLICE, 2 * self.size)
        if not sweep.left():
            self._end(part)

    def finish(self, parts: Sequence[Partition]) -> None:
        """Decide all who are left, of all partitions together."""
        under_way = [part for part in parts if part.sweep is not None]
        rows = [part.sweep.next(part.sweep.left()) for part in under_way if part.sweep is not None]
        left = [theirs[~self.done[theirs]] for theirs in rows]
        while any(len(theirs) for theirs in left):
            room, here = SLICE, []
            for i, theirs in enumerate(left):
                here.append(theirs[:room])
                left[i] = theirs[room:]
                room -= len(here[-1])
            self._decide(under_way, here)
        for part in under_way:
            self._end(part)

    def _decide(self, parts: Sequence[Partition], rows: Sequence[NDArray[np.intp]]) -> None:
        chosen = [(part, theirs) for part, theirs in zip(parts, rows, strict=True) if len(theirs)]
        if chosen:
            crowd = crowd_of([part for part, _ in chosen], [theirs for _, theirs in chosen], self.slab)
            self.decider.at_tick(crowd)
            self.done[crowd.rows] = True

    def _end(self, part: Partition) -> None:
        """What is learnt from now on is learnt against the model in force."""
        if part.sweep is not None and part.sweep.tally is not None:
            tell(part, part.sweep.tally)
        part.sweep, part.moved = None, True
        if part.model is not None and part.accumulator.model is not part.model:
            part.accumulator.adopt(part.model)
        self.observer.sweep(part.number, len(part.index))

"""Sweeps: at each tick all customers whom time may have changed are decided, a slice at a time.

For each it is looked ahead: until when can nothing about them change, unless they have an event? Sweeps
before that time leave them out, and what is written is the same as if everyone were decided each time. This
is kept in memory only: after a restart everyone is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from time import thread_time

import numpy as np
from numpy.typing import NDArray

from models.audiences import Rules
from models.clusterer import Model
from models.events import I64, Bool
from models.profiles import Slab
from streams.deciding import Decider
from streams.deciding.crowd import crowd_of
from streams.deciding.foresight import TOUCHED, WAITS
from streams.observer import EngineObserver
from streams.partition import Partition
from streams.reviewing import tally_of, tell
from streams.sweep import Sweep

SLICE = 8192
"""Most customers decided at a time: some 20 ms. With 2,048 a customer costs a half more."""
TOGETHER = 2048
"""The same where a sweep is done at once, as the order of what is written depends on it; where something
newer comes in force, which may change many; and of the first slice."""
LONG_S = 0.03
"""A slice that takes more CPU, as many customers change, is followed by one of half the size. Not the wall
clock's: on a busy machine that would end in slices of one customer, which cost fifty times as much."""
FIRST = 256
"""The first slice by a newer model or definitions, which may change everyone; it grows if they do not."""
LEAST = 64
"""A slice is never smaller: each has a price of its own."""


@dataclass(slots=True)
class Sweeper:
    """Begins sweeps and carries them on."""

    slab: Slab
    decider: Decider
    observer: EngineObserver
    size: int = TOGETHER
    """Customers of the next slice."""
    done: Bool = field(init=False)
    """By row: not to be decided in the sweep under way: decided already, not due, or made since it began."""
    due: I64 = field(init=False)
    """By row: time before which no tick changes the customer, see `streams.deciding.foresight`."""

    def __post_init__(self) -> None:
        """Reserve a place for each row; memory is taken only as rows are used."""
        self.done = np.zeros(self.slab.capacity, np.bool_)
        self.due = np.zeros(self.slab.capacity, np.int64)

    def begin(
        self, parts: Iterable[Partition], tick_ms: int, model: Model | None, rules: Rules | None
    ) -> None:
        """Cross a tick: time, model and definitions move on now, the customers follow.

        What is left of an earlier sweep is done first.
        """
        self.size = min(self.size, TOGETHER)
        for part in parts:
            self.finish([part])
            rows, since_ms = part.rows(), part.tick_ms
            part.sweep = Sweep(since_ms, part.model, part.rules, rows)
            part.tick_ms, part.moved = tick_ms, True
            if model is not None and (part.model is None or part.model.version < model.version):
                part.model = model
                self._expect_changes(rows)
            part.sweep.tally = tally_of(part)
            if rules is not None and (part.rules is None or part.rules.version < rules.version):
                part.rules = rules
                self._expect_changes(rows)
            self.done[rows] = self.due[rows] > tick_ms

    def _expect_changes(self, rows: NDArray[np.intp]) -> None:
        self.due[rows] = TOUCHED
        self.size = min(self.size, FIRST)

    def resume(self, part: Partition) -> None:
        """Begin again with a sweep that was under way when the partition was committed."""
        if part.sweep is not None:
            rows = part.rows()
            part.sweep, self.done[rows] = replace(part.sweep, rows=rows, tally=tally_of(part)), False

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
        self._decide([part for part, _ in under_way], left, ahead=False)

    def made(self, row: int) -> None:
        """Take note of a new customer, whom no sweep under way has to decide."""
        self.done[row], self.due[row] = True, TOUCHED

    def touched(self, rows: NDArray[np.intp]) -> None:
        """Take note of customers who have had an event."""
        self.due[rows] = TOUCHED

    def forget(self, part: Partition) -> None:
        """Take note of customers who come from a changelog."""
        self.due[part.rows()] = TOUCHED

    def go_on(self, part: Partition) -> None:
        """Decide the next customers of a sweep; it ends when there are none."""
        sweep = part.sweep
        if sweep is None:
            return
        started = thread_time()
        if not sweep.at:
            sweep.rows = sweep.rows[~self.done[sweep.rows]]
        newer = part.model is not sweep.model or part.rules is not sweep.rules
        most = min(SLICE, TOGETHER) if newer else SLICE
        late = sweep.waiting() >= min(self.size, TOGETHER) or sweep.at == len(sweep.rows)
        size = min(self.size, most)
        rows = sweep.late(size) if late else sweep.next(size)
        self._decide([part], [rows[~self.done[rows]]], patient=not late)
        long = thread_time() - started > LONG_S
        self.size = max(LEAST, self.size // 2) if long else min(most, 2 * self.size)
        if not sweep.left():
            self._end(part)

    def finish(self, parts: Sequence[Partition]) -> None:
        """Decide all who are left, of all partitions together.

        Slices are cut before those who are not due are left out: so changes come in the same order with them.
        """
        under_way = [part for part in parts if part.sweep is not None]
        left = [
            np.concatenate([part.sweep.late(part.sweep.waiting()), part.sweep.next(part.sweep.left())])
            for part in under_way
            if part.sweep is not None
        ]
        while any(len(theirs) for theirs in left):
            room, here = TOGETHER, []
            for i, theirs in enumerate(left):
                here.append(theirs[:room])
                left[i] = theirs[room:]
                room -= len(here[-1])
            self._decide(under_way, [theirs[~self.done[theirs]] for theirs in here])
        for part in under_way:
            self._end(part)

    def _decide(
        self,
        parts: Sequence[Partition],
        rows: Sequence[NDArray[np.intp]],
        *,
        ahead: bool = True,
        patient: bool = False,
    ) -> None:
        """Decide customers, those whom something may change.

        Args:
            parts: the partitions, once each.
            rows: the customers of each.
            ahead: look ahead.
            patient: the few whom something may change wait for others like them.
        """
        chosen = [(part, theirs) for part, theirs in zip(parts, rows, strict=True) if len(theirs)]
        if not chosen:
            return
        crowd = crowd_of([part for part, _ in chosen], [theirs for _, theirs in chosen], self.slab)
        crowd.ahead, crowd.patient = ahead, patient
        until = self.decider.at_tick(crowd, self.due[crowd.rows])
        decided = until != WAITS
        self.due[crowd.rows[decided]] = until[decided]
        self.done[crowd.rows[decided]] = True
        for i, (part, theirs) in enumerate(chosen):
            if part.sweep is not None:
                waiting = crowd.rows[(crowd.owner == i) & ~decided]
                part.sweep.decided += len(theirs) - len(waiting)
                if len(waiting):
                    part.sweep.unsure.append(waiting)

    def _end(self, part: Partition) -> None:
        """What is learnt from now on is learnt against the model in force."""
        sweep, part.sweep, part.moved = part.sweep, None, True
        if sweep is not None and sweep.tally is not None:
            tell(part, sweep.tally)
        if part.model is not None and part.accumulator.model is not part.model:
            part.accumulator.adopt(part.model)
        self.observer.sweep(part.number, len(part.index), 0 if sweep is None else sweep.decided)

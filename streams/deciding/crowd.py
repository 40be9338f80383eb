"""Customers who are decided together at a tick."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.audiences import Rules
from models.clusterer import Model
from models.events import I64, Bool
from models.profiles import Slab, gather, newest_time
from streams.partition import Partition

Force: TypeAlias = tuple[Model | None, Rules | None]
"""What is in force in a partition."""


@dataclass
class Crowd:
    """n customers of some partitions."""

    parts: Sequence[Partition]
    owner: NDArray[np.intp]
    """(n,) index into `parts`."""
    rows: NDArray[np.intp]
    slab: Slab
    ahead: bool = True
    """It is looked ahead for them: futile for the few of whom an event is waiting."""
    patient: bool = False
    """The few of many whom something may change are not decided: that has a price of its own, they wait."""

    @cached_property
    def r(self) -> NDArray[np.void]:
        """Return copies (n,) of the rows, as they were when this was first asked for."""
        return gather(self.slab.rows, self.rows)

    @cached_property
    def newest(self) -> I64:
        """Return the time of each one's newest record."""
        return newest_time(self.slab.rows, self.rows)

    def __len__(self) -> int:
        """Return the number of customers."""
        return len(self.rows)

    def pick(self, at: NDArray[np.intp]) -> Crowd:
        """Return the customers at these places, ascending."""
        return self if len(at) == len(self.rows) else self.sorted(at)

    def where(self, chosen: Bool) -> Crowd:
        """Return the customers that are chosen."""
        return self.pick(np.flatnonzero(chosen))

    def sorted(self, order: NDArray[np.intp]) -> Crowd:
        """Return the customers in another order, or some of them."""
        some = Crowd(self.parts, self.owner[order], self.rows[order], self.slab)
        if "r" in self.__dict__:
            some.r = gather(self.r, order)
        return some

    def changed(self) -> Bool:
        """Return who has changed since their rows were copied: they have a greater sequence."""
        changed: Bool = self.slab.rows["sequence"][self.rows] != self.r["sequence"]
        return changed

    def refresh(self) -> None:
        """Take the rows as they are by now."""
        if self.changed().any():
            self.r = gather(self.slab.rows, self.rows)

    def numbers(self) -> I64:
        """Return the number of the behaviour segment that each holds."""
        return self.r["behaviour"].astype(np.int64)

    def at(self, time_ms: I64 | int) -> I64:
        """Return when each is decided: a decision's time never goes back."""
        return np.maximum(self.newest, time_ms)

    def owners(self, at: NDArray[np.intp]) -> list[Partition]:
        """Return the partition of the customers at these places."""
        return [self.parts[i] for i in self.owner[at].tolist()]

    def since(self) -> I64:
        """Return the tick before the one that is swept, of each."""
        sweeps = [part.sweep for part in self.parts]
        since = [sweep.since_ms if sweep is not None else 0 for sweep in sweeps]
        return np.array(since, np.int64)[self.owner]

    def tick(self) -> I64:
        """Return the last tick of each."""
        return np.array([part.tick_ms for part in self.parts], np.int64)[self.owner]

    def adopting(self) -> bool:
        """Return whether something else is in force somewhere from the tick on."""
        former = [_former(part) for part in self.parts]
        return any(
            part.model is not model or part.rules is not rules
            for part, (model, rules) in zip(self.parts, former, strict=True)
        )

    def _of(self, owners: Sequence[int]) -> Bool:
        """Return whose customers (n,) are those of some partitions."""
        everyone = len(owners) == len(self.parts)
        return np.ones(len(self), np.bool_) if everyone else np.isin(self.owner, owners)

    def by_former(self) -> Iterator[tuple[Force, Bool]]:
        """Yield what was in force before the tick, and the customers whom it still has to decide.

        Rows say by which versions they were decided last: one that is decided by the new ones is done.
        """
        former = [_former(part) for part in self.parts]
        for force, owners in _groups(former):
            theirs = self._of(owners)
            for i in owners:
                if former[i][0] is not self.parts[i].model or former[i][1] is not self.parts[i].rules:
                    theirs &= (self.owner != i) | ~self._adopted(former[i], self.parts[i])
            if theirs.any():
                yield force, theirs

    def _adopted(self, former: Force, part: Partition) -> Bool:
        adopted = np.zeros(len(self), np.bool_)
        if part.model is not None and part.model is not former[0]:
            adopted |= self.r["model_version"] == part.model.version
        if part.rules is not None and part.rules is not former[1]:
            adopted |= self.r["definitions_version"] == part.rules.version
        return adopted

    def by_new_model(self) -> Iterator[tuple[Force, Bool]]:
        """Yield each new model with the former rules, and whose customers it has to decide."""
        forces = [(part.model, _former(part)[1]) for part in self.parts]
        changed = [part.model is not _former(part)[0] for part in self.parts]
        done = np.zeros(len(self), np.bool_)
        for i, part in enumerate(self.parts):
            if part.rules is not None and part.rules is not _former(part)[1]:
                done |= (self.owner == i) & (self.r["definitions_version"] == part.rules.version)
        for force, theirs in self._those(forces, changed):
            if (theirs & ~done).any():
                yield force, theirs & ~done

    def by_new_rules(self) -> Iterator[tuple[Force, Bool]]:
        """Yield each model with its new rules, and whose customers they have to decide."""
        forces = [(part.model, part.rules) for part in self.parts]
        changed = [part.rules is not _former(part)[1] for part in self.parts]
        yield from self._those(forces, changed)

    def _those(self, forces: Sequence[Force], changed: Sequence[bool]) -> Iterator[tuple[Force, Bool]]:
        for force, owners in _groups(forces):
            theirs = self._of([i for i in owners if changed[i]])
            if theirs.any():
                yield force, theirs


def _former(part: Partition) -> Force:
    return (part.model, part.rules) if part.sweep is None else (part.sweep.model, part.sweep.rules)


def _groups(forces: Sequence[Force]) -> Iterator[tuple[Force, list[int]]]:
    """Yield each pair once, with the places where it stands."""
    places: dict[tuple[int, int], list[int]] = {}
    for i, (model, rules) in enumerate(forces):
        places.setdefault((id(model), id(rules)), []).append(i)
    for owners in places.values():
        yield forces[owners[0]], owners


def groups_of(parts: Sequence[Partition]) -> Iterator[tuple[Force, list[Partition]]]:
    """Yield what is in force in partitions, and where."""
    for force, owners in _groups([(part.model, part.rules) for part in parts]):
        yield force, [parts[i] for i in owners]


def crowd_of(parts: Sequence[Partition], rows: Sequence[NDArray[np.intp]], slab: Slab) -> Crowd:
    """Return customers as a crowd, from the rows of each partition."""
    owner = np.repeat(np.arange(len(parts)), [len(theirs) for theirs in rows])
    everyone = np.concatenate(rows) if rows else np.empty(0, np.intp)
    return Crowd(parts, owner, everyone, slab)

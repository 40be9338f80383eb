"""What definitions would do before they are in force: sizes, samples, overlaps, and who would change."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.audiences import Definitions, Rules, catalogue
from models.events import I64, Bool
from models.features import View
from models.profiles import gather
from streams.clock import Clock
from streams.deciding.columns import inputs_of, value_of
from streams.deciding.judge import standing_of
from streams.engine import Engine
from streams.partition import Partition
from streams.reader import Reader
from streams.settings import Settings
from streams.snapshot import partitions

SAMPLE = 5
"""Customers shown of each audience."""
SLICE = 65_536
"""Customers decided at a time."""


@dataclass(frozen=True, slots=True)
class Audience:
    """One audience as it would be."""

    id: str
    name: str
    size: int
    share: float
    """Of all customers."""
    entering: int
    """Customers who are not in it now."""
    leaving: int
    """Customers who are in it now and would not be."""
    sample: tuple[str, ...]
    """Some of its customers, always the same ones."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What definitions would do."""

    customers: int
    changing: int
    """Customers who would enter or leave any audience."""
    audiences: tuple[Audience, ...]
    """In the order of the file; those that would be no more at the end."""
    overlap: tuple[tuple[int, ...], ...]
    """Customers that are in both, for each pair of the audiences of the file."""


@dataclass(slots=True)
class Tally:
    """Counts memberships before and after; customers come in any number of portions.

    Args:
        made: what would be in force.
        removed: names by id of audiences that are in force and would be no more.
    """

    made: Definitions
    removed: dict[str, str] = field(default_factory=dict)
    customers: int = 0
    changing: int = 0
    _before: I64 = field(init=False)
    _after: I64 = field(init=False)
    _both: I64 = field(init=False)
    _entering: I64 = field(init=False)
    _samples: list[list[tuple[int, str]]] = field(init=False)

    def __post_init__(self) -> None:
        """Begin at zero."""
        count = len(self.ids)
        self._before, self._after, self._entering = (np.zeros(count, np.int64) for _ in range(3))
        self._both = np.zeros((count, count), np.int64)
        self._samples = [[] for _ in range(count)]

    @property
    def ids(self) -> list[str]:
        """Return the ids of the columns of `add`: the audiences of the file, then the removed ones."""
        return [definition.id for definition in self.made.audiences] + list(self.removed)

    def add(self, customers: Sequence[str], before: Bool, after: Bool) -> None:
        """Count n customers.

        Args:
            customers: their ids.
            before: (n, a) who is in which audience now.
            after: (n, a) and would be.
        """
        self.customers += len(customers)
        self.changing += int((before != after).any(axis=1).sum())
        self._before += before.sum(axis=0)
        self._after += after.sum(axis=0)
        self._entering += (after & ~before).sum(axis=0)
        wide = after.astype(np.float64)  # exact far beyond any number of customers, and quick
        self._both += (wide.T @ wide).astype(np.int64)
        order = np.array([zlib.crc32(customer.encode()) for customer in customers], np.int64)
        for column, sample in enumerate(self._samples):
            members = np.flatnonzero(after[:, column])
            first = members[np.argsort(order[members], kind="stable")[:SAMPLE]]
            found = [(int(order[i]), customers[i]) for i in first.tolist()]
            sample[:] = heapq.nsmallest(SAMPLE, [*sample, *found])

    def result(self) -> Preview:
        """Return what was counted."""
        names = {d.id: d.name for d in self.made.audiences} | self.removed
        kept = self._after - self._entering
        audiences = tuple(
            Audience(
                id=audience,
                name=names[audience],
                size=int(self._after[i]),
                share=int(self._after[i]) / max(self.customers, 1),
                entering=int(self._entering[i]),
                leaving=int(self._before[i] - kept[i]),
                sample=tuple(customer for _, customer in self._samples[i]),
            )
            for i, audience in enumerate(self.ids)
        )
        count = len(self.made.audiences)
        both = tuple(tuple(row) for row in self._both[:count, :count].tolist())
        return Preview(self.customers, self.changing, audiences, both)


def removed_by(previous: Definitions | None, made: Definitions) -> dict[str, str]:
    """Return name by id of the audiences in force that would be no more."""
    before = () if previous is None else previous.audiences
    return {definition.id: definition.name for definition in before if definition.id not in made.slots}


def preview_live(
    settings: Settings, reader: Reader, clock: Clock, previous: Definitions | None, made: Definitions
) -> Preview:
    """Return what definitions would do to the customers of a deployment, as of the last commits.

    Customers are decided as the workers would at their next tick, minimum stays and cooldowns included.

    Args:
        settings: the deployment's.
        reader: of its topics.
        clock: the wall clock.
        previous: in force; None for none.
        made: the successor of those.

    Raises:
        LiveSegmentsError: the topics cannot be read.
    """
    rules = Rules(made, catalogue())
    tally = Tally(made, removed_by(previous, made))
    slots = [made.slots.get(name, made.retired.get(name, 0)) for name in tally.ids]
    for engine in partitions(settings, reader, clock):
        for part in engine.parts.values():
            keys = list(part.index)
            for start in range(0, len(keys), SLICE):
                some = keys[start : start + SLICE]
                before, after = _decided(engine, part, some, rules)
                tally.add([key.decode() for key in some], _bits(before, slots), _bits(after, slots))
    return tally.result()


def _decided(
    engine: Engine, part: Partition, keys: Sequence[bytes], rules: Rules
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return what customers hold now, and after a decision by the rules."""
    r = gather(engine.slab.rows, np.array([part.index[key] for key in keys], np.intp))
    now = np.maximum(r["last_seen"], part.stream_ms)
    numbers, owner = r["behaviour"].astype(np.int64), np.zeros(len(keys), np.intp)
    view = View(r, now, engine.calendar, value_of(part.model))
    inputs = inputs_of(rules.columns, view, numbers, [part], owner, part.model)
    standing = standing_of(r)
    return standing.bits, rules.decide(inputs, standing, now)


def _bits(held: NDArray[np.uint32], slots: Sequence[int]) -> Bool:
    return (held[:, None] >> np.array(slots, np.uint32)) & np.uint32(1) > 0

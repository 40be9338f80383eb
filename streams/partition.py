"""What the engine knows of one partition number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.audiences import Rules
from models.clusterer import NOTHING, Accumulator, Model, Review
from models.names import Names
from streams.codec.drafts import Drafts
from streams.codec.profile_rows import Meta
from streams.ledger import Entry, Ledger
from streams.records import CUSTOMERS, INPUT_TOPICS, RawBatch, Record
from streams.sweep import Sweep

Flow: TypeAlias = Literal["entered", "left"]
MAX_CHANGES = 2_000
"""A partition with so many changes is not swept on before they are committed: a commit makes all its records
at once, 40 us of CPU each, while nothing else turns. And the broker may be away."""
MAX_ROWS = 10_000
"""The same of rows to write, 4 us each: at the first tick of a day something is learned of everyone."""
_GENERATIONS = count(1)
NOWHERE = -1
"""Position of an input topic of which nothing has been seen."""


@dataclass(slots=True)
class Partition:
    """State and uncommitted effects of one partition number of the input topics."""

    number: int
    accumulator: Accumulator
    index: dict[bytes, int] = field(default_factory=dict)
    """Customer id to row."""
    generation: int = field(default_factory=lambda: next(_GENERATIONS))
    """Another one as soon as a customer is struck off; no two partitions ever have the same."""
    names: Names = field(default_factory=Names)
    model: Model | None = None
    """The model in force; another one is adopted at ticks only."""
    rules: Rules | None = None
    """The definitions in force, adopted as models are."""
    sweep: Sweep | None = None
    """What is left to do of the last tick."""
    stream_ms: int = 0
    anchor_ms: int = 0
    tick_ms: int = 0
    positions: list[int] = field(default_factory=lambda: [NOWHERE] * len(INPUT_TOPICS))
    erased: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """Keyed hash of a customer id to (erased_before ms, last sequence)."""
    standing: Review = NOTHING
    """The segments of its customers as of the last review: what the merger has been told altogether."""
    flows: Counter[tuple[int, Flow]] = field(default_factory=Counter)
    """Moves into and out of segments, by number, of which the merger has not been told."""
    ledger: Ledger = field(default_factory=Ledger)
    """What became of each delivered record."""

    pending: int = 0
    """Records processed since the last commit."""
    reviewed: bool = False
    """The review differs from the committed one."""
    moved: bool = False
    """The meta row differs from the committed one."""
    hot: list[NDArray[np.intp]] = field(default_factory=list)
    cold: list[NDArray[np.intp]] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    fresh_erased: list[bytes] = field(default_factory=list)
    drafts: list[Drafts] = field(default_factory=list)
    """The changes since the last commit."""
    vacated: dict[int, int] = field(default_factory=dict)
    """Row of each customer who was erased since then, and how many of the drafts were there by that time."""
    dead_letters: list[Record] = field(default_factory=list)
    meta: Meta | None = None
    """The last meta row read, until the restore is done."""
    restoring: bool = False
    """It is being read from the changelog, and may be somebody else's."""
    _rows: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    """Rows of the first customers in `index`."""

    def rows(self) -> NDArray[np.intp]:
        """Return the rows of all customers in the order in which they came; not to be changed."""
        fresh = len(self.index) - len(self._rows)
        if fresh:
            last = np.fromiter(islice(reversed(self.index.values()), fresh), np.intp, fresh)
            self._rows = np.concatenate([self._rows, last[::-1]])
        return self._rows

    def forget(self, key: bytes) -> int:
        """Strike a customer off the index, and return the row."""
        self._rows = self._rows[:0]
        self.generation = next(_GENERATIONS)
        return self.index.pop(key)

    @property
    def counted(self) -> int:
        """Events counted."""
        return self.ledger.total(Entry.COUNTED)

    @property
    def dead(self) -> int:
        """Records sent to the dead letters."""
        return self.ledger.total(Entry.DEAD)

    @property
    def duplicates(self) -> int:
        """Events ignored because their id was known."""
        return self.ledger.total(Entry.DUPLICATE)

    @property
    def ignored(self) -> int:
        """Events older than the erasure of their customer."""
        return self.ledger.total(Entry.ERASED)

    def full(self) -> bool:
        """Return whether a sweep has made so much that it waits for a commit."""
        if self.sweep is None:
            return False
        return sum(map(len, self.drafts)) >= MAX_CHANGES or sum(map(len, self.hot)) >= MAX_ROWS

    def dirty(self) -> bool:
        """Return whether there is anything to commit."""
        return bool(self.pending or self.moved or self.hot or self.drafts)


def deliver(parts: Mapping[int, Partition], raw: RawBatch, now_ms: int) -> None:
    """Move the partitions' positions behind records, and enter these into the accounts.

    Stream time goes on from when the last record arrived in Kafka, however late it is processed: otherwise a
    partition that has no event after an outage would stay behind by what the outage has cost.

    Args:
        parts: by number.
        raw: the records; those of a topic partition in order.
        now_ms: wall clock.
    """
    place = raw.partition * len(INPUT_TOPICS) + raw.topic
    counts = np.bincount(place)
    last = np.zeros(len(counts), np.int64)
    last[place] = np.arange(len(place))  # the last of several stands
    for where in np.flatnonzero(counts).tolist():
        number, topic = divmod(where, len(INPUT_TOPICS))
        part, count = parts[number], int(counts[where])
        part.ledger.add(Entry.DELIVERED, topic, count)
        part.positions[topic] = int(raw.offset[last[where]]) + 1
        part.pending += count
        arrived_ms = (
            int(raw.timestamp[last[where]]) if topic != CUSTOMERS else now_ms
        )  # these keep times of their own
        part.anchor_ms = max(part.anchor_ms, min(arrived_ms, now_ms))

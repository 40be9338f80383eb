"""What became of each delivered input record: the account that must balance for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

import numpy as np

from models.events import I64
from streams.errors import InvariantError
from streams.records import INPUT_TOPICS

_EARLIER = len(INPUT_TOPICS)
"""Column of what was counted before accounts were kept by input."""
_NAMES = (*INPUT_TOPICS, "earlier")


class Entry(IntEnum):
    """A line of the account, in the order of the changelog's meta row."""

    DELIVERED = 0
    COUNTED = 1
    DEAD = 2
    DUPLICATE = 3
    ERASED = 4
    """Ignored, because the customer was erased later than it happened."""


class Ledger:
    """The account of one partition number, by input topic, since the partition was first processed.

    Each record that is delivered is counted, a dead letter, a duplicate, or ignored as erased. The two
    sides are counted at different places: a record that is lost or doubled between them is a breach.
    """

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: I64 = np.zeros((len(Entry), len(_NAMES)), np.int64)

    def add(self, entry: Entry, topic: int, count: int = 1) -> None:
        """Count records of a topic's index."""
        self.counts[entry, topic] += count

    def add_each(self, entry: Entry, counts: I64) -> None:
        """Count records by topic index; counts: as many as there are input topics."""
        self.counts[entry, :_EARLIER] += counts

    def total(self, entry: Entry) -> int:
        """Return the records of all inputs."""
        return int(self.counts[entry].sum())

    def check(self, partition: int) -> None:
        """Check that the account balances; costs some microseconds.

        Raises:
            InvariantError: it does not; with the first input's figures.
        """
        counts = self.counts
        missing = counts[Entry.DELIVERED] - counts[Entry.COUNTED :].sum(axis=0)
        if missing.any():
            topic = int(np.flatnonzero(missing)[0])
            delivered, *outcomes = counts[:, topic].tolist()
            named = zip(("counted", "dead letters", "duplicates", "erased"), outcomes, strict=True)
            raise InvariantError(
                f"partition {partition}, {_NAMES[topic]}: {delivered} records were delivered, but there are "
                f"{' + '.join(f'{count} {name}' for name, count in named)}: "
                f"{abs(int(missing[topic]))} {'lost' if missing[topic] > 0 else 'doubled'}; none of this was "
                "committed, a restart goes on from the last commit; report it"
            )

    # ---- in the changelog ----------------------------------------------------------------------------
    def to_inputs(self) -> dict[str, list[int]]:
        """Return the columns in use by name."""
        columns = zip(_NAMES, self.counts.T.tolist(), strict=True)
        return {name: column for name, column in columns if any(column)}

    @classmethod
    def restored(cls, inputs: Mapping[str, Sequence[int]] | None, outcomes: Sequence[int]) -> Ledger:
        """Return the account that was written; without one, the sums of the outcomes are what is known."""
        ledger = cls()
        if inputs is None:
            inputs = {_NAMES[_EARLIER]: [sum(outcomes), *outcomes]}
        for name, column in inputs.items():
            if name in _NAMES:
                ledger.counts[:, _NAMES.index(name)] = column
        return ledger

"""The life of one partition at one worker: its states, and its positions in its topics.

What leads from one state to the next is in `protocol`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from streams.errors import InvariantError


class State(Enum):
    """Where in its life a part is."""

    OPENING = "opening"
    ACTIVE = "active"
    FROZEN = "frozen"
    CLOSED = "closed"


class OutOfStepError(InvariantError):
    """An invariant of the protocol is broken; going on would lose or double records."""


@dataclass(slots=True, eq=False)
class Life:
    """Where a part is in its life and in its topics; every change of state is guarded here."""

    number: int
    topics: int
    state: State = State.OPENING
    epoch: int = 0
    """Grows at each activation: what was fetched in an earlier one is stale."""
    opened: bool = False
    """State, positions and the broker's offsets agree: fenced, restored, read."""
    doubtful: bool = False
    """Kept over a rebalance that this worker did not see all of: another one may have fenced it meanwhile."""
    fencing: bool = False
    committing: bool = False
    positions: list[int] = field(default_factory=list)
    """By topic: one more than the offset of the last processed record; what is committed and sought."""
    expected: list[int] = field(default_factory=list)
    """By topic: where the next slice must begin; ahead of `positions` by holes in the offsets."""
    committed: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin empty."""
        self.positions = [0] * self.topics
        self.committed = [0] * self.topics
        self.begin(0.0)

    def begin(self, now_s: float) -> None:  # noqa: ARG002 - for those that buffer
        """Forget what is buffered: it is fetched again from the positions."""
        self.expected = list(self.positions)

    def restored(self, offsets: list[int]) -> None:
        """Take over the committed offsets that belong to the restored state."""
        if self.state in (State.ACTIVE, State.CLOSED):
            raise OutOfStepError(f"partition {self.number} is {self.state.value}, it cannot be restored")
        self.positions, self.committed, self.opened = list(offsets), list(offsets), True
        self.doubtful = False

    def go_on_from(self, positions: list[int]) -> None:
        """Take over where the restored state ends; what is behind the group's offsets is committed next."""
        self.positions = list(positions)

    def discard(self) -> None:
        """Forget state and offsets: somebody else may have written in the meantime."""
        if self.state is State.ACTIVE:
            raise OutOfStepError(f"partition {self.number} is active, its state cannot be discarded")
        self.opened = False

    def activate(self, now_s: float) -> None:
        """Begin to process at the current positions; the consumer was moved there just now."""
        if self.state not in (State.OPENING, State.FROZEN) or not self.opened:
            raise OutOfStepError(f"partition {self.number} cannot go from {self.state.value} to active")
        self.state = State.ACTIVE
        self.epoch += 1
        self.begin(now_s)

    def freeze(self) -> None:
        """Stop processing; what is buffered is fetched again."""
        if self.state is State.ACTIVE:
            self.state = State.FROZEN
            self.begin(0.0)

    def close(self) -> None:
        """End; whatever still runs for it finds out by the state."""
        self.state = State.CLOSED
        self.opened = False
        self.begin(0.0)

    def is_over(self) -> bool:
        """Return whether it has ended."""
        return self.state is State.CLOSED

    def accepts(self, epoch: int) -> bool:
        """Return whether what was fetched in that epoch may be processed."""
        return self.state is State.ACTIVE and epoch == self.epoch

    def move(self, first: list[int], after: list[int], offsets: list[int]) -> None:
        """Move the positions behind records that are being processed.

        Args:
            first: consumer's positions before the records, by topic.
            after: and behind them.
            offsets: what to commit.

        Raises:
            OutOfStepError: a record before them is missing, they were processed already, or the part is
                not active.
        """
        if self.state is not State.ACTIVE or first != self.expected:
            raise OutOfStepError(
                f"partition {self.number} ({self.state.value}) is at {self.expected}, its next records "
                f"begin at {first}"
            )
        self.expected, self.positions = list(after), list(offsets)

    def moved(self) -> dict[int, int]:
        """Return the positions that differ from the committed ones, by topic."""
        return {
            topic: position
            for topic, (position, before) in enumerate(zip(self.positions, self.committed, strict=True))
            if position != before
        }

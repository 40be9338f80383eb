"""The life of one partition number at one worker: what may happen to it in which state.

    OPENING --activate--> ACTIVE --freeze--> FROZEN --activate--> ACTIVE
       any state --close--> CLOSED

A part is OPENING while its transactional id is fenced, its state restored and its committed offsets
read. Only an ACTIVE part is fetched, processed, swept and committed by time. It is FROZEN from the
moment a rebalance begins until it is known that it stays here; then only what it has processed
already is committed. A CLOSED part is never used again: a partition that comes back gets a new one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import Enum

from streams.transport.alignment import Aligner, Slice
from streams.transport.transactions import Transactor


class State(Enum):
    """Where in its life a part is."""

    OPENING = "opening"
    ACTIVE = "active"
    FROZEN = "frozen"
    CLOSED = "closed"


class OutOfStepError(AssertionError):
    """An invariant of the protocol is broken; going on would lose or double records."""


@dataclass(slots=True, eq=False)
class Part:
    """Everything this worker holds of one partition number, but for the engine's state."""

    number: int
    topics: int
    state: State = State.OPENING
    epoch: int = 0
    """Grows at each activation: slices of an earlier one are stale."""
    opened: bool = False
    """State, positions and the broker's offsets agree: fenced, restored, read."""
    in_engine: bool = False
    """The engine was told to open it."""
    positions: list[int] = field(default_factory=list)
    """By topic: one more than the offset of the last processed record; what is committed and sought."""
    expected: list[int] = field(default_factory=list)
    """By topic: where the next slice must begin; ahead of `positions` by holes in the offsets."""
    committed: list[int] = field(default_factory=list)
    aligner: Aligner = field(init=False)
    unprocessed: int = 0
    """Records handed to the agent and not processed yet."""
    transactor: Transactor | None = None
    commit: asyncio.Task[None] | None = None
    committed_at_s: float = 0.0
    """When it was last committed or activated (monotonic)."""
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Begin empty."""
        self.positions = [0] * self.topics
        self.committed = [0] * self.topics
        self._begin_at_positions(0.0)

    def _begin_at_positions(self, now_s: float) -> None:
        self.unprocessed = 0
        self.expected = list(self.positions)
        self.aligner = Aligner(self.positions, now_s)

    def restored(self, offsets: list[int]) -> None:
        """Take over the committed offsets that belong to the restored state."""
        if self.state is State.CLOSED:
            raise OutOfStepError(f"partition {self.number} is closed")
        self.positions, self.committed, self.opened = list(offsets), list(offsets), True

    def discard(self) -> None:
        """Forget state and offsets: somebody else may have written in the meantime."""
        self.opened = False

    def activate(self, now_s: float) -> None:
        """Begin to process at the current positions; the consumer was moved there just now."""
        if self.state not in (State.OPENING, State.FROZEN) or not self.opened:
            raise OutOfStepError(f"partition {self.number} cannot go from {self.state.value} to active")
        self.state = State.ACTIVE
        self.epoch += 1
        self.committed_at_s = now_s
        self._begin_at_positions(now_s)

    def freeze(self) -> None:
        """Stop processing; what is buffered is fetched again."""
        if self.state is State.ACTIVE:
            self.state = State.FROZEN
            self._begin_at_positions(0.0)

    def close(self) -> None:
        """End; whatever still runs for it finds out by the state."""
        self.state = State.CLOSED
        self.opened = False
        self._begin_at_positions(0.0)

    def accepts(self, epoch: int) -> bool:
        """Return whether a slice that was cut in that epoch may be processed."""
        return self.state is State.ACTIVE and epoch == self.epoch

    def processed(self, piece: Slice) -> None:
        """Move the positions behind a slice.

        Raises:
            OutOfStepError: a slice before it is missing, or it was processed already.
        """
        if piece.first != self.expected:
            raise OutOfStepError(
                f"partition {self.number} is at {self.expected}, its next records begin at {piece.first}"
            )
        self.expected = list(piece.after)
        self.positions = list(piece.offsets)
        self.unprocessed -= len(piece.raw)

    def remaining(self, topic: int, end: int) -> int:
        """Return how many offsets of a topic that ends there are not processed."""
        reached = self.expected[topic] if self.unprocessed else self.aligner.position(topic)
        return max(0, end - reached) if self.opened else 0

    def age_s(self, now_ms: int) -> float:
        """Return the age of the oldest record that waits, in seconds."""
        return max(self.aligner.age_s(topic, now_ms) for topic in range(self.topics))

    def moved(self) -> dict[int, int]:
        """Return the positions that differ from the committed ones, by topic."""
        return {
            topic: position
            for topic, (position, before) in enumerate(zip(self.positions, self.committed, strict=True))
            if position != before
        }

"""Everything that a worker holds of one partition number, but for the engine's state."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from streams.transport.alignment import Aligner, Slice
from streams.transport.fetched import Fetched
from streams.transport.life import Life, OutOfStepError, State
from streams.transport.restore import Replica
from streams.transport.transactions import Transactor

__all__ = ["OutOfStepError", "Part", "State"]


@dataclass(slots=True, eq=False)
class Part(Life):
    """A partition number's life, its buffers, and what runs for it."""

    aligner: Aligner = field(init=False)
    in_engine: bool = False
    """The engine was told to open it."""
    unprocessed: int = 0
    """Records handed to the agent and not processed yet."""
    committed_at_s: float = 0.0
    """When it was last committed or activated (monotonic)."""
    began_at_s: float = 0.0
    """When its last commit began, or it was activated."""
    has_committed: bool = False
    """Since it was activated."""
    has_turn: bool = False
    """It is one of those that may be opened at a time."""
    transactor: Transactor | None = None
    replica: Replica | None = None
    """It is being restored from this."""
    commit: asyncio.Task[None] | None = None
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def begin(self, now_s: float) -> None:
        """Forget what is buffered: it is fetched again from the positions."""
        self.expected = list(self.positions)
        self.unprocessed = 0
        self.began_at_s = self.committed_at_s = now_s
        self.has_committed = False
        self.aligner = Aligner(self.positions, now_s)

    # ---- what the collector fills --------------------------------------------------------------------
    def fetched_to(self, topic: int) -> int:
        """Return the position that the topic's next piece must start at."""
        return self.aligner.end(topic)

    def add(self, topic: int, got: Fetched, now_s: float) -> None:
        """Buffer what was fetched."""
        self.aligner.add(topic, got, now_s)

    def skip(self, topic: int, position: int) -> None:
        """Continue a topic at a later position: the broker no longer has the records between."""
        self.aligner.skip(topic, position)

    # ---- processing ----------------------------------------------------------------------------------
    def processed(self, piece: Slice) -> None:
        """Move the positions behind a slice.

        Raises:
            OutOfStepError: a slice before it is missing, it was processed already, or the part is not
                active.
        """
        self.move(piece.first, piece.after, piece.offsets)
        self.unprocessed -= len(piece.raw)

    def remaining(self, topic: int, end: int) -> int:
        """Return how many offsets of a topic that ends there are not processed."""
        reached = self.expected[topic] if self.unprocessed else self.aligner.position(topic)
        return max(0, end - reached) if self.opened else 0

    def age_s(self, now_ms: int) -> float:
        """Return the age of the oldest record that waits, in seconds."""
        return max(self.aligner.age_s(topic, now_ms) for topic in range(self.topics))

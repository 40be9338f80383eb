"""What a worker of the model has: its parts, its client's positions, its engine, and how it is weakened."""

from __future__ import annotations

from collections.abc import Generator, Hashable
from dataclasses import dataclass, field
from typing import Any

from streams.errors import LiveSegmentsError
from streams.transport import protocol
from streams.transport.life import Life
from streams.transport.protocol import FencedError, Step, Steps
from tests.protocol_kafka import TOPICS, Row

Task = Generator[None, None, Any]
Place = tuple[int, int]
"""Topic and partition."""


@dataclass(frozen=True)
class Variant:
    """The protocol as it is, or with one of its safeguards taken out."""

    torn_fetch: bool = False
    """Asking what is wanted and taking it are steps of their own."""
    torn_seek: bool = False
    """Seek and activation are steps of their own."""
    before_fence: type[Step] | None = None
    """This step comes before the fence."""
    trusting: bool = False
    """A retained partition is not verified."""
    own_ids: bool = False
    """The transactional id depends on the worker."""
    torn_commit: bool = False
    """What is written is taken a step after the offsets."""
    takes_as_is: bool = False
    """Who stood by takes over with what it has read before the fence."""
    follows_the_group: bool = False
    """The group's offsets count, though the state is ahead of them."""
    reads_open: bool = False
    """Who stands by reads what is not committed, too."""


class CommitError(Exception):
    """The broker refuses a write, or does not answer."""


@dataclass(eq=False)
class ModelPart(Life):
    """A part with the least of buffers."""

    fetched: list[int] = field(default_factory=lambda: [0] * TOPICS)
    producer: tuple[Hashable, int] | None = None
    busy: bool = False
    running: bool = False
    """It has a task that commits."""
    tasks: list[str] = field(default_factory=list)

    def begin(self, now_s: float) -> None:  # noqa: ARG002 - as its base
        """Forget what is buffered."""
        self.expected, self.fetched = list(self.positions), list(self.positions)


@dataclass(eq=False)
class Fetching:
    """The client's view of a topic partition for one assignment."""

    position: int
    paused: bool = True


@dataclass
class Engine:
    """The engine's state of a partition."""

    counts: dict[Row, int] = field(default_factory=dict)
    rows: dict[Row, int] = field(default_factory=dict)
    """Not committed."""
    outputs: list[Row] = field(default_factory=list)


@dataclass
class Replica:
    """What a worker that stands by has read of a changelog."""

    state: Engine = field(default_factory=Engine)
    at: int = 0
    """Transactions of the log that it is past."""


@dataclass
class Piece:
    """A slice of one topic on its way to the agent."""

    part: ModelPart
    epoch: int
    topic: int
    first: list[int]
    start: int
    end: int


def reordered(steps: Steps, early: type[Step]) -> Steps:
    """Let a step come before the fence, and not where it belongs."""
    answer: Any = None
    kept: list[Any] = []
    error: Exception | None = None
    while True:
        try:
            step = steps.send(answer) if error is None else steps.throw(error)
        except StopIteration:
            return
        answer = error = None
        try:
            if isinstance(step, early) and kept:
                answer = kept.pop()
                continue
            if isinstance(step, protocol.Fence):
                kept = [(yield early())]
            answer = yield step
        except (FencedError, LiveSegmentsError, CommitError) as raised:
            error = raised

"""The protocol of one partition at one worker: its states, and the order of operations.

Pure: no Kafka, no event loop, no clock. A generator yields one step after the other; whoever drives it
carries the step out and sends the answer back (or throws what went wrong). `Ownership` and `MergePart`
do it with Kafka, `tests/properties/test_protocol.py` with a model of Kafka that crashes, delays and
reorders. Whatever is written between two `yield`s happens at once; at a `yield` anything may come
between, but for the steps that say that they are one step.

    OPENING --activate--> ACTIVE --freeze--> FROZEN --activate--> ACTIVE
       any state --close--> CLOSED

A part is OPENING while its transactional id is fenced, its state restored and its committed offsets
read. Only an ACTIVE part is fetched, processed, swept and committed by time. It is FROZEN from the
moment a rebalance begins until it is known that it stays here; then only what it has processed
already is committed. A CLOSED part is never used again: a partition that comes back gets a new one.

What makes exactly once hold:

- Fence before the restore, restore before reading the offsets: then both are of the same transaction.
- The transactional id depends on the partition alone: the producer epoch keeps a former owner out,
  nothing else does. So nothing of a part is ever published outside of its transactions.
- Seek and activation are one step, and so are taking fetched records and asking whether they are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from streams.errors import InvariantError, StaleStateError

RETAINED_TRIES = 20
"""Times to ask for the offsets of a retained partition before it is opened anew; about a second."""
FENCE_TRIES = 100
"""Times that a flush looks whether a fence under way is done; about five seconds."""


class State(Enum):
    """Where in its life a part is."""

    OPENING = "opening"
    ACTIVE = "active"
    FROZEN = "frozen"
    CLOSED = "closed"


class OutOfStepError(InvariantError):
    """An invariant of the protocol is broken; going on would lose or double records."""


class FencedError(Exception):
    """Somebody else owns the transactional id now, or the broker ended the transaction."""


# ---- steps -------------------------------------------------------------------------------------------
class Step:
    """Something to be done for a part; its answer is None unless it says otherwise."""

    __slots__ = ()


class Turn(Step):
    """Wait until the part may be opened: what it needs is there, and not too many open at a time."""


class Fence(Step):
    """Take over the transactional id; done when the former owner's transaction is decided and applied."""


class Restore(Step):
    """Begin with an empty state and apply all of the log that is committed; none of it may be undecided."""


class ReadOffsets(Step):
    """Answer the group's committed offsets, by topic."""


class Check(Step):
    """Raise LiveSegmentsError if the restored state contradicts the positions."""


class ProveOwnership(Step):
    """Write the positions back as they are: raises FencedError if the part is somebody else's by now."""


class SeekAndActivate(Step):
    """Move the consumer to the positions and activate the part, unless the group has taken it away.

    One step: a fetch between the two would move the consumer past records that nobody takes.
    """


class Retire(Step):
    """Let go of the producer."""


@dataclass(frozen=True, slots=True)
class Write(Step):
    """Take what is to be written, then write it and the offsets in one transaction.

    It is taken at once, so that it is of the same moment as the offsets.
    """

    offsets: dict[int, int]
    """By topic, those that have moved."""


class Abort(Step):
    """Try to abort what is written, so that readers need not wait for the timeout."""


class CommitRest(Step):
    """Wait for the commit that runs, or make one; answer whether there was anything to commit."""


class Pause(Step):
    """Wait 50 ms."""


@dataclass(frozen=True, slots=True)
class Drop(Step):
    """Close the part, which is somebody else's; if it is still assigned to us later on, restart."""

    error: FencedError


Steps = Generator[Step, Any, None]


# ---- one partition -----------------------------------------------------------------------------------
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


# ---- the parts of one worker -------------------------------------------------------------------------
Part = TypeVar("Part", bound=Life)


class Share(Generic[Part]):
    """The parts that a worker has by the group's last word."""

    def __init__(self) -> None:
        self.parts: dict[int, Part] = {}
        self.assigned: frozenset[int] = frozenset()
        self.generation = 0
        """Grows when a rebalance begins and when it ends: what was under way before has no claim."""
        self.rebalancing = False
        """A rebalance has begun, or the end; nobody knows what will be whose."""
        self.group_generation = 0
        """The group's own count of its rebalances, as of the last assignment."""

    def freeze(self) -> list[Part]:
        """Begin a rebalance or the end; returns the parts that were active."""
        self.generation += 1
        self.rebalancing = True
        frozen = self.active()
        for part in frozen:
            part.freeze()
        return frozen

    def assign(
        self, numbers: Iterable[int], make: Callable[[int], Part], group_generation: int | None = None
    ) -> list[Part]:
        """Take over an assignment: keep what is retained, make what is new, return what is lost.

        Args:
            numbers: the partitions.
            make: returns a new part.
            group_generation: the group's; one that does not follow the last puts what is retained in doubt.
        """
        if group_generation is not None:
            seen_all = group_generation == self.group_generation + 1
            for part in self.parts.values():
                part.doubtful |= not seen_all
            self.group_generation = group_generation
        self.generation += 1
        self.rebalancing = False
        self.assigned = frozenset(numbers)
        lost = [self.parts.pop(number) for number in sorted(self.parts.keys() - self.assigned)]
        for number in sorted(self.assigned - self.parts.keys()):
            self.parts[number] = make(number)
        return lost

    def drop(self, part: Part) -> None:
        """Forget a part, unless the number belongs to another one by now."""
        if self.parts.get(part.number) is part:
            del self.parts[part.number]

    def claim(self, part: Part) -> Callable[[], bool]:
        """Return what tells whether the present assignment of a part still holds."""
        generation = self.generation
        return lambda: generation == self.generation and part.state is not State.CLOSED

    def active(self) -> list[Part]:
        """Return the parts that are fetched, processed, swept and committed by time."""
        return [part for part in self.parts.values() if part.state is State.ACTIVE]


# ---- the order of operations -------------------------------------------------------------------------
def bring_up(part: Life, claimed: Callable[[], bool]) -> Steps:
    """Assign: make a part active, unless another rebalance comes between; one at a time for a part."""
    if not claimed():
        return
    try:
        if part.opened and (yield from _was_elsewhere(part)) and part.opened:
            part.discard()
            yield Retire()
        if not part.opened:
            yield from _open(part, claimed)
        if part.opened and claimed():
            yield SeekAndActivate()
    except FencedError as error:
        if part.state is not State.CLOSED:
            yield Drop(error)


def _open(part: Life, claimed: Callable[[], bool]) -> Steps:
    yield Turn()
    if not claimed():  # a rebalance has begun: this fence could hit the next owner
        return
    part.fencing = True
    try:
        yield Fence()
    finally:
        part.fencing = False
    # A step may outlive the part: before Python 3.12 asyncio.wait_for can swallow a cancellation.
    if part.is_over():
        return
    yield Restore()
    offsets = yield ReadOffsets()
    if part.is_over():
        return
    part.restored(offsets)
    try:
        yield Check()
    except StaleStateError:
        # A worker that was frozen between restore and reading sees offsets newer than its state: no
        # contradiction, it is merely no longer the owner. Offsets that are older than the state are never
        # written back: whatever made them so, they would be in force then.
        yield ProveOwnership()
        raise


def _was_elsewhere(part: Life) -> Generator[Step, Any, bool]:
    """Return whether the group's offsets are not those that this part has committed last.

    Right after a commit the broker may still show the offsets before it; those are waited for.
    """
    for _ in range(RETAINED_TRIES):
        found = yield ReadOffsets()
        if found == part.committed:
            return (yield from _is_fenced(part))
        if any(at > mine for at, mine in zip(found, part.committed, strict=True)):
            break
        yield Pause()
    return True


def _is_fenced(part: Life) -> Generator[Step, Any, bool]:
    """Return whether another worker has opened a doubtful part without committing anything yet."""
    if part.doubtful:
        try:
            yield ProveOwnership()
        except FencedError:
            return True
        part.doubtful = False
    return False


def commit(part: Life) -> Steps:
    """Write everything processed so far in one transaction; a failure never returns to normal work.

    The call is the moment: processing goes on meanwhile, and what follows is of the next transaction.

    Raises:
        OutOfStepError: a commit is under way, or the part is not open.
    """
    if part.committing or not part.opened:
        raise OutOfStepError(f"partition {part.number} cannot commit now ({part.state.value})")
    part.committing = True
    return _commit(part, list(part.positions), part.moved())


def _commit(part: Life, positions: list[int], moved: dict[int, int]) -> Steps:
    try:
        yield Write(moved)
        part.committed = positions
    except FencedError as error:
        if part.state is not State.CLOSED:
            yield Drop(error)
    except Exception:
        if part.state is not State.CLOSED:
            yield Abort()
            raise
    finally:
        part.committing = False


def flush(part: Life) -> Steps:
    """Revoke, when the part is frozen: let nothing of it reach the broker later, commit what is processed."""
    for _ in range(FENCE_TRIES):
        if not part.fencing:
            break
        yield Pause()
    while part.opened and (yield CommitRest()):
        pass

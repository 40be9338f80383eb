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
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from streams.errors import StaleStateError
from streams.transport.life import Life, OutOfStepError, State

RETAINED_TRIES = 20
"""Times to ask for the offsets of a retained partition before it is opened anew; about a second."""
FENCE_TRIES = 100
"""Times that a flush looks whether a fence under way is done; about five seconds."""


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
    """Raise LiveSegmentsError if the restored state contradicts the positions; else answer where it ends.

    The state says itself which records it holds. Offsets of the group that are older are of no account: a
    coordinator that was loaded badly may show them, or somebody has turned the group back.
    """


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
        part.go_on_from((yield Check()))
    except StaleStateError:
        # A worker that was frozen between restore and reading sees offsets newer than its state: no
        # contradiction, it is merely no longer the owner.
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

"""A model of Kafka for the protocol: transactions, fencing, late markers, a group with generations.

It checks by itself, at each commit, that state, offsets and outputs become visible together: the rows are
exactly the records before the offsets, and each output comes once and in order.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from streams.transport.protocol import FencedError

TOPICS = 2
PARTITIONS = 2
Row = tuple[int, int]
"""Topic and offset of an input record: the key of its row in the state."""
TICK: Row = (-1, 0)
"""The row that a timer writes."""


def exactly(positions: list[int]) -> dict[Row, int]:
    """Return the state made of each record before the positions, counted once."""
    return {(topic, offset): 1 for topic, end in enumerate(positions) for offset in range(end)}


def without_ticks(rows: dict[Row, int]) -> dict[Row, int]:
    """Return a state without what timers wrote."""
    return {row: count for row, count in rows.items() if row != TICK}


@dataclass(eq=False)
class Transaction:
    """What one producer wrote between begin and end."""

    partition: int
    rows: dict[Row, int] = field(default_factory=dict)
    outputs: list[Row] = field(default_factory=list)
    offsets: dict[int, int] = field(default_factory=dict)
    committed: bool | None = None
    """None while it is open."""
    unmarked: set[str] = field(default_factory=lambda: {"log", "offsets"})
    """Where its end is not known yet."""


@dataclass
class Producer:
    """What the coordinator keeps of a transactional id."""

    epoch: int = 0
    current: Transaction | None = None


class Kafka:
    """Inputs, a changelog for each partition number, the group's offsets, transactional ids."""

    def __init__(self) -> None:
        self.now = 0
        self.inputs = {(topic, p): 0 for topic in range(TOPICS) for p in range(PARTITIONS)}
        self.logs: dict[int, list[Transaction]] = {p: [] for p in range(PARTITIONS)}
        self.offsets = {p: [0] * TOPICS for p in range(PARTITIONS)}
        """As OffsetFetch shows them."""
        self.shown: dict[int, list[tuple[int, list[int]]]] = {
            p: [(0, [0] * TOPICS)] for p in range(PARTITIONS)
        }
        """When which offsets were to be seen first."""
        self.producers: dict[Hashable, Producer] = {}
        self.state: dict[int, dict[Row, int]] = {p: {} for p in range(PARTITIONS)}
        """What a reader of committed rows has in the end, and `reached` the same of the offsets."""
        self.reached = {p: [0] * TOPICS for p in range(PARTITIONS)}
        self.published = {(topic, p): 0 for topic in range(TOPICS) for p in range(PARTITIONS)}
        self.group = Group()

    # ---- transactions --------------------------------------------------------------------------------
    def init_producer(self, name: Hashable) -> int | None:
        """Fence: return the new epoch, None as long as a transaction of the former one is undecided."""
        producer = self.producers.setdefault(name, Producer())
        if producer.current is not None:
            self.time_out(name)  # from now on the former owner is refused
            if producer.current.unmarked:
                return None
        producer.epoch += 1
        producer.current = None
        return producer.epoch

    def begin(self, name: Hashable, epoch: int, partition: int) -> Transaction | None:
        """Begin a transaction, None as long as the last one has no markers."""
        producer = self._check(name, epoch)
        if producer.current is not None and producer.current.unmarked:
            return None
        producer.current = Transaction(partition)
        return producer.current

    def write(self, name: Hashable, epoch: int, rows: dict[Row, int], outputs: list[Row]) -> None:
        """Append to changelog and outputs."""
        current = self._open(name, epoch)
        if current not in self.logs[current.partition]:
            self.logs[current.partition].append(current)
        current.rows.update(rows)
        current.outputs += outputs

    def add_offsets(self, name: Hashable, epoch: int, offsets: dict[int, int]) -> None:
        """Send offsets to the transaction (TxnOffsetCommit v0: the group's generation is not checked)."""
        self._open(name, epoch).offsets.update(offsets)

    def end(self, name: Hashable, epoch: int) -> None:
        """Commit: decided at once, marked later; what becomes visible is checked."""
        current = self._open(name, epoch)
        current.committed = True
        p = current.partition
        self.state[p].update(current.rows)
        for topic, offset in current.offsets.items():
            self.reached[p][topic] = offset
        assert without_ticks(self.state[p]) == exactly(self.reached[p]), "state and offsets differ"
        for topic, offset in current.outputs:
            assert offset == self.published[topic, p], "an output is missing, double or out of order"
            self.published[topic, p] += 1

    def abort(self, name: Hashable, epoch: int) -> None:
        """Abort what is open."""
        producer = self._check(name, epoch)
        if producer.current is not None and producer.current.committed is None:
            producer.current.committed = False

    def time_out(self, name: Hashable) -> None:
        """Abort an open transaction and fence its producer, as the coordinator does after the timeout."""
        producer = self.producers[name]
        if producer.current is not None and producer.current.committed is None:
            producer.current.committed = False
            producer.epoch += 1

    def unmarked(self) -> list[tuple[Transaction, str]]:
        """Return the markers that can be written now."""
        ends = [p.current for p in self.producers.values() if p.current and p.current.committed is not None]
        return [(end, place) for end in ends for place in sorted(end.unmarked)]

    def mark(self, transaction: Transaction, place: str) -> None:
        """Write a marker: from now on readers of that place know the end."""
        transaction.unmarked.discard(place)
        p = transaction.partition
        if place == "offsets" and transaction.committed and transaction.offsets:
            for topic, offset in transaction.offsets.items():
                self.offsets[p][topic] = offset
            self.shown[p].append((self.now, list(self.offsets[p])))

    def turn_back(self, p: int, back: int) -> None:
        """Show the offsets of a partition that were committed some commits ago."""
        self.offsets[p] = list(self.shown[p][max(0, len(self.shown[p]) - 1 - back)][1])
        self.shown[p].append((self.now, list(self.offsets[p])))

    def stable(self, partition: int) -> bool:
        """Return whether the last stable offset of the changelog is its end."""
        return not any("log" in transaction.unmarked for transaction in self.logs[partition])

    def seen_since(self, partition: int, since: int) -> list[list[int]]:
        """Return all offsets that could be read of a partition since a moment."""
        history = self.shown[partition]
        ends = [when for when, _ in history[1:]] + [self.now + 1]
        return [offsets for (_, offsets), end in zip(history, ends, strict=True) if end > since]

    def _check(self, name: Hashable, epoch: int) -> Producer:
        producer = self.producers[name]
        if producer.epoch != epoch:
            raise FencedError(f"{name}: epoch {epoch}, now {producer.epoch}")
        return producer

    def _open(self, name: Hashable, epoch: int) -> Transaction:
        current = self._check(name, epoch).current
        assert current is not None
        assert current.committed is None
        return current


class Group:
    """The group's coordinator with an eager protocol: all give up everything, then all join."""

    def __init__(self) -> None:
        self.generation = 0
        self.members: set[Hashable] = set()
        self.joined: set[Hashable] = set()
        self.balanced = True
        self.turn = 0
        """Moves the partitions on by so many members at the next rebalance."""
        self.assignment: dict[Hashable, list[int]] = {}

    def join(self, member: Hashable) -> None:
        """Join, which begins a rebalance; it ends when all known members have joined."""
        self.members.add(member)
        self.rebalance()
        self.joined.add(member)
        self._settle()

    def rebalance(self) -> None:
        """Ask all members to join anew."""
        if self.balanced:
            self.balanced, self.joined = False, set()

    def evict(self, member: Hashable) -> None:
        """Give up a member that has not been heard of."""
        if member in self.members:
            self.members.discard(member)
            self.joined.discard(member)
            self.assignment.pop(member, None)
            self.rebalance()
            self._settle()

    def _settle(self) -> None:
        if self.members and self.joined == self.members:
            self.generation += 1
            order = sorted(self.members, key=str)
            self.assignment = {member: [] for member in order}
            for p in range(PARTITIONS):
                self.assignment[order[(p + self.turn) % len(order)]].append(p)
            self.balanced = True

    def awaits_others(self, member: Hashable) -> bool:
        """Return whether a member has joined and others have not."""
        return member in self.joined and not self.balanced

    def sync(self, member: Hashable) -> list[int] | None:
        """Return what a member gets, None when it has to join anew."""
        return self.assignment[member] if self.balanced and member in self.members else None

    def is_settled(self, member: Hashable, generation: int) -> bool:
        """Answer a heartbeat: false when the member has to join anew."""
        return self.balanced and member in self.members and generation == self.generation

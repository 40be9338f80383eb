"""What the transport needs of its neighbours: the engine, the merger, and somebody who watches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from streams.records import Batch, RawBatch, Record
from streams.stages import Stage


class EnginePort(Protocol):
    """The state of all partitions that this worker owns, and what chunks do to it.

    Every method is synchronous: between two calls of the transport nothing else touches the state.
    """

    def open(self, partition: int) -> None:
        """Begin with an empty state; `restore` follows."""
        ...

    def restore(self, partition: int, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Apply changelog records in their order; None deletes. Called many times."""
        ...

    def knows(self, partition: int) -> bool:
        """Return whether all models that the restored state refers to were offered; `opened` waits for it."""
        ...

    def opened(self, partition: int, positions: dict[int, int]) -> dict[int, int]:
        """Take note that the restore is done; returns the positions to go on from, perhaps later ones.

        Args:
            partition: is restored.
            positions: the group's next offset by topic index.

        Raises:
            StaleStateError: the positions are beyond the restored state.
            LiveSegmentsError: they contradict it.
        """
        ...

    def close(self, partition: int) -> None:
        """Drop everything that belongs to the partition, if there is anything."""
        ...

    def process(self, raw: RawBatch) -> None:
        """Apply records; those of one partition number are in order.

        Raises:
            LiveSegmentsError: the worker cannot go on; it exits with the error's exit code.
        """
        ...

    def advance(self, partition: int, wall_ms: int) -> None:
        """Let time pass: the partition has no lag, and the wall clock shows wall_ms."""
        ...

    def sweep(self, partitions: Iterable[int]) -> bool:
        """Carry on, for some milliseconds, with what time has made due in partitions; is there more to do?"""
        ...

    def full(self, partition: int) -> bool:
        """Return whether a sweep of the partition waits for a commit."""
        ...

    def held_up(self, partition: int) -> bool:
        """Return whether the partition has to get on with a sweep before it gets more records."""
        ...

    def pending(self, partition: int) -> int:
        """Return how many records were processed since the last `take`."""
        ...

    def dirty(self, partition: int) -> bool:
        """Return whether there is anything to commit."""
        ...

    def take(self, partition: int, received_at_ms: int) -> Batch:
        """Return what the next transaction writes, and forget it.

        A batch that cannot be committed is never taken again: the partition is dropped, or the worker ends.
        """
        ...

    def offer_model(self, data: bytes) -> None:
        """Hand over a record of the model log; the last one offered is the newest."""
        ...


class MergePort(Protocol):
    """The merger's state: the owner of `model-deltas` partition 0 has one."""

    def open(self, last_model: bytes | None) -> None:
        """Begin from the newest record of the model log."""
        ...

    def process(self, offset: int, value: bytes) -> None:
        """Take in one delta."""
        ...

    def take(self) -> list[Record] | None:
        """Return the records of a new model, or None when none is due.

        Their transaction commits the offsets of all deltas processed so far; between two models
        nothing is committed, so after a crash the deltas since the last model are processed again.
        """
        ...


class Observer(Protocol):
    """Told about what happens; must not raise."""

    def on_chunk(self, records: int, seconds: float) -> None:
        """A chunk was processed."""
        ...

    def on_commit(self, partition: int, events: int, records: int, seconds: float) -> None:
        """A transaction was committed; the merger's partition is -1."""
        ...

    def on_restore(self, partition: int, records: int, total: int) -> None:
        """A restore has read this many of about total changelog records."""
        ...

    def on_state(self, partition: int, state: str) -> None:
        """A partition's state has changed: fencing, restoring, active, frozen or closed."""
        ...

    def on_assigned(self, partitions: set[int]) -> None:
        """The group gave these partitions to this worker, and no others."""
        ...

    def on_standby(self, partitions: int) -> None:
        """This worker stands by for so many partitions that others own."""
        ...

    def on_broker(self, up: bool) -> None:
        """The broker answered, or did not, when it was asked."""
        ...

    def on_lag(self, topic: str, partition: int, records: int, seconds: float) -> None:
        """A topic partition has this many records, and about this much time, still to go."""
        ...

    def on_stage(self, stage: Stage, seconds: float) -> None:
        """A stage of the work has used so much CPU time."""
        ...


class NullObserver:
    """Watches nothing."""

    def on_chunk(self, records: int, seconds: float) -> None:
        """Do nothing."""

    def on_commit(self, partition: int, events: int, records: int, seconds: float) -> None:
        """Do nothing."""

    def on_restore(self, partition: int, records: int, total: int) -> None:
        """Do nothing."""

    def on_state(self, partition: int, state: str) -> None:
        """Do nothing."""

    def on_assigned(self, partitions: set[int]) -> None:
        """Do nothing."""

    def on_standby(self, partitions: int) -> None:
        """Do nothing."""

    def on_broker(self, up: bool) -> None:
        """Do nothing."""

    def on_lag(self, topic: str, partition: int, records: int, seconds: float) -> None:
        """Do nothing."""

    def on_stage(self, stage: Stage, seconds: float) -> None:
        """Do nothing."""

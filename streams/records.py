"""Raw records as they were fetched: what a source hands to the engine."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct

from models.events import I64

INPUT_TOPICS = ("clicks", "product-views", "purchases", "customers")
"""The four input topics; a record's topic is an index into this tuple."""
CLICKS, VIEWS, PURCHASES, CUSTOMERS = range(4)


@dataclass(slots=True)
class RawBatch:
    """n records, each partition number's in delivery order; every list has n entries.

    Slices of several partitions and topics may lie in one batch.
    """

    partition: list[int] = field(default_factory=list)
    topic: list[int] = field(default_factory=list)
    offset: list[int] = field(default_factory=list)
    timestamp: list[int] = field(default_factory=list)
    """Kafka's record timestamp in epoch milliseconds (recorded files: the event's own time)."""
    key: list[bytes | None] = field(default_factory=list)
    value: list[bytes | None] = field(default_factory=list)
    _columns: dict[str, I64] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.key)

    def column(self, name: str) -> I64:
        """Return `partition`, `topic`, `offset` or `timestamp` as an array (n,); not to be written to."""
        found = self._columns.get(name)
        if found is None or len(found) != len(self):
            found = self._columns[name] = np.fromiter(getattr(self, name), np.int64, len(self))
        return found

    def append(
        self, partition: int, topic: int, offset: int, timestamp: int, key: bytes | None, value: bytes | None
    ) -> None:
        """Add one record."""
        self.partition.append(partition)
        self.topic.append(topic)
        self.offset.append(offset)
        self.timestamp.append(timestamp)
        self.key.append(key)
        self.value.append(value)

    def part(self, start: int, stop: int) -> RawBatch:
        """Return the records [start, stop) as a batch of their own."""
        return RawBatch(
            self.partition[start:stop],
            self.topic[start:stop],
            self.offset[start:stop],
            self.timestamp[start:stop],
            self.key[start:stop],
            self.value[start:stop],
        )

    def take(self, index: list[int]) -> RawBatch:
        """Return the records at these places as a batch of their own."""
        return RawBatch(
            [self.partition[i] for i in index],
            [self.topic[i] for i in index],
            [self.offset[i] for i in index],
            [self.timestamp[i] for i in index],
            [self.key[i] for i in index],
            [self.value[i] for i in index],
        )


class Record(Struct, gc=False):
    """One record to write; a commit has ten thousands, which the garbage collector need not look through."""

    topic: str
    """Name of the topic without the deployment's prefix."""
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(slots=True)
class Batch:
    """What one commit of a partition writes, beside the offsets of its inputs."""

    records: list[Record] = field(default_factory=list)
    """Written in this order for each topic partition."""
    events: int = 0
    """Input records that the batch covers."""

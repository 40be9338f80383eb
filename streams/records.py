"""Raw records as they were fetched: what a source hands to the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct

from models.events import I64, U8

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


@dataclass(slots=True, eq=False)
class Rows:
    """Records of one topic partition that are written without becoming objects: n keys, n values."""

    topic: str
    """As a record's."""
    partition: int
    key_prefix: bytes
    """One byte that all keys begin with."""
    keys: list[bytes]
    """What comes behind it."""
    value_prefix: bytes
    """One byte that all values begin with."""
    values: U8
    """(n, width) what comes behind it, in C order."""

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.keys)

    def __iter__(self) -> Iterator[Record]:
        """Yield each as a record."""
        for key, value in zip(self.keys, self.values, strict=True):
            yield Record(
                self.topic, self.partition, self.key_prefix + key, self.value_prefix + value.tobytes()
            )


@dataclass(slots=True)
class Batch:
    """What one commit of a partition writes, beside the offsets of its inputs."""

    contents: Sequence[Record | Rows] = ()
    """Written in this order for each topic partition."""
    events: int = 0
    """Input records that the batch covers."""

    def __len__(self) -> int:
        """Return the number of records."""
        return sum(len(some) if isinstance(some, Rows) else 1 for some in self.contents)

    @property
    def records(self) -> list[Record]:
        """The contents, each record for itself."""
        return [record for some in self.contents for record in (some if isinstance(some, Rows) else (some,))]

"""Raw records as they were fetched: what a source hands to the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.events import I64, U8
from models.packed import Packed

INPUT_TOPICS = ("clicks", "product-views", "purchases", "customers")
"""The four input topics; a record's topic is an index into this tuple."""
CLICKS, VIEWS, PURCHASES, CUSTOMERS = range(4)


@dataclass(slots=True, eq=False)
class RawBatch:
    """n records, each partition number's in delivery order; every column has n entries.

    Slices of several partitions and topics may lie in one batch.
    """

    partition: I64
    topic: I64
    offset: I64
    timestamp: I64
    """Kafka's record timestamp in epoch milliseconds (recorded files: the event's own time)."""
    key: Packed
    value: Packed

    @classmethod
    def joined(cls, batches: Sequence[RawBatch]) -> RawBatch:
        """Return the records of all batches, at least one."""
        return cls(
            np.concatenate([batch.partition for batch in batches]),
            np.concatenate([batch.topic for batch in batches]),
            np.concatenate([batch.offset for batch in batches]),
            np.concatenate([batch.timestamp for batch in batches]),
            Packed.joined([batch.key for batch in batches]),
            Packed.joined([batch.value for batch in batches]),
        )

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.topic)

    def take(self, at: NDArray[np.intp]) -> RawBatch:
        """Return the records at these places as a batch of their own."""
        return RawBatch(
            self.partition[at],
            self.topic[at],
            self.offset[at],
            self.timestamp[at],
            self.key.take(at),
            self.value.take(at),
        )


class RawList:
    """Records that come one by one, for a batch of them."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int, int, bytes | None, bytes | None]] = []

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._rows)

    def append(
        self, partition: int, topic: int, offset: int, timestamp: int, key: bytes | None, value: bytes | None
    ) -> None:
        """Add one record."""
        self._rows.append((partition, topic, offset, timestamp, key, value))

    def batch(self) -> RawBatch:
        """Return them as a batch."""
        partition, topic, offset, timestamp = (
            np.fromiter([row[field] for row in self._rows], np.int64, len(self)) for field in range(4)
        )
        key, value = Packed.of([row[4] for row in self._rows]), Packed.of([row[5] for row in self._rows])
        return RawBatch(partition, topic, offset, timestamp, key, value)


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


@dataclass(slots=True, eq=False)
class Bundle:
    """Records of one topic partition whose headers are called alike, as columns too: n keys, n values."""

    topic: str
    """As a record's."""
    partition: int
    keys: Packed
    values: Packed
    headers: tuple[tuple[str, bytes | Packed], ...] = ()
    """Names, and the text: one that all records have, or (n,), none of them null."""

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.keys)

    def __iter__(self) -> Iterator[Record]:
        """Yield each as a record."""
        names = [name for name, _ in self.headers]
        columns = [
            [text] * len(self) if isinstance(text, bytes) else text.filled() for _, text in self.headers
        ]
        rows = zip(*columns, strict=True) if columns else [()] * len(self)
        for key, value, texts in zip(self.keys, self.values, rows, strict=True):
            yield Record(self.topic, self.partition, key, value, tuple(zip(names, texts, strict=True)))


Content: TypeAlias = Record | Rows | Bundle


@dataclass(slots=True)
class Batch:
    """What one commit of a partition writes, beside the offsets of its inputs."""

    contents: Sequence[Content] = ()
    """Written in this order for each topic partition."""
    events: int = 0
    """Input records that the batch covers."""

    def __len__(self) -> int:
        """Return the number of records."""
        return sum(1 if isinstance(some, Record) else len(some) for some in self.contents)

    @property
    def records(self) -> list[Record]:
        """The contents, each record for itself."""
        return [
            record for some in self.contents for record in ((some,) if isinstance(some, Record) else some)
        ]

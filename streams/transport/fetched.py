"""What was fetched of a topic partition, and is not released yet: one buffer, and where records lie in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from models.events import U8
from models.packed import MARGIN

Records: TypeAlias = Any
RECORD = np.dtype(
    [
        ("offset", "<i8"),
        ("timestamp", "<i8"),
        ("running", "<i8"),
        ("key", "<i8"),
        ("key_size", "<i8"),
        ("value", "<i8"),
        ("value_size", "<i8"),
    ]
)
"""A record: key, value: where they begin in the buffer; sizes: -1 for null; running: the aligner's own."""


@dataclass(slots=True)
class Spans:
    """n records of one buffer."""

    letters: U8
    """Keys and values, and whatever lies between them, and MARGIN more bytes; read-only."""
    records: Records
    """(n,) dtype RECORD."""

    def text(self, field: str, at: int) -> bytes | None:
        """Return a copy of a record's key or value."""
        record = self.records[at]
        start, size = int(record[field]), int(record[field + "_size"])
        return None if size < 0 else self.letters[start : start + size].tobytes()


@dataclass(slots=True)
class Fetched:
    """Records of one topic partition as the consumer reports them: positions [start, end).

    Offsets may have holes (compaction, transaction markers), the positions of successive pieces not.
    """

    start: int
    end: int
    spans: Spans

    @classmethod
    def of(
        cls,
        start: int,
        end: int,
        offsets: Sequence[int] = (),
        timestamps: Sequence[int] = (),
        keys: Sequence[bytes | None] = (),
        values: Sequence[bytes | None] = (),
    ) -> Fetched:
        """Return a piece of records that are given by column."""
        records = np.zeros(len(offsets), RECORD)
        records["offset"], records["timestamp"] = offsets, timestamps
        at = 0
        for field, texts in (("key", keys), ("value", values)):
            sizes = np.fromiter([-1 if text is None else len(text) for text in texts], np.int64, len(texts))
            ends = at + np.cumsum(np.maximum(sizes, 0))
            records[field], records[field + "_size"] = ends - np.maximum(sizes, 0), sizes
            at = int(ends[-1]) if len(ends) else at
        letters = b"".join([*(text or b"" for text in (*keys, *values)), bytes(MARGIN)])
        return cls(start, end, Spans(np.frombuffer(letters, np.uint8), records))

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.spans.records)

    def column(self, field: str) -> list[int]:
        """Return the offset or the timestamp of each record."""
        found: list[int] = self.spans.records[field].tolist()
        return found

    def texts(self, field: str) -> list[bytes | None]:
        """Return a copy of each record's key or value."""
        return [self.spans.text(field, at) for at in range(len(self))]

"""What came out of the demo, collected from the output topics as any subscriber would."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from streams.codec.changes import decode_change
from streams.codec.output_records import ChangeRecord
from streams.reader import Row
from streams.records import INPUT_TOPICS
from streams.sizes import Segment, sized

WATCHED = ("segment-changes", "segments", "segment-definitions", "dead-letters")


@dataclass(slots=True)
class Summary:
    """Counts so far."""

    broker: str
    events: list[int] = field(default_factory=lambda: [0] * len(INPUT_TOPICS))
    """Sent, by topic index."""
    customers: int = 0
    changes: Counter[str] = field(default_factory=lambda: Counter(entered=0, left=0))
    dead_letters: int = 0
    seconds: float = 0.0
    """From the first event sent until all were processed."""
    first_change_s: float | None = None
    """When the first change was seen, from the start of the command."""
    memberships: dict[bytes, bytes] = field(default_factory=dict)
    definitions: dict[bytes, bytes] = field(default_factory=dict)

    def take(self, row: Row) -> ChangeRecord | None:
        """Count a record of an output topic; return it if it is a change."""
        if row.topic == "segment-changes" and row.value is not None:
            record = decode_change(row.value).record
            self.changes[record.properties.change] += 1
            return record
        if row.topic == "dead-letters":
            self.dead_letters += 1
        else:
            table = self.memberships if row.topic == "segments" else self.definitions
            if row.value is None:
                table.pop(row.key, None)
            else:
                table[row.key] = row.value
        return None

    def segments(self) -> list[Segment]:
        """Return the segments with their sizes."""
        return sized(self.definitions, self.memberships)

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as plain values for JSON."""
        total = sum(self.events)
        return {
            "broker": self.broker,
            "events": dict(zip(INPUT_TOPICS, self.events, strict=True)),
            "customers": self.customers,
            "changes": {"entered": self.changes["entered"], "left": self.changes["left"]},
            "dead_letters": self.dead_letters,
            "segments": [{"id": row.id, "name": row.name, "size": row.size} for row in self.segments()],
            "seconds": round(self.seconds, 3),
            "events_per_second": round(total / self.seconds, 1) if self.seconds else 0.0,
        }

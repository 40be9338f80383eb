"""A small engine and merger that count: what is lost or doubled shows in the sums."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from streams.errors import InterlockError, StaleStateError
from streams.records import Batch, RawBatch, Record


class CountingEngine:
    """Counts records by key, writes the count to the changelog and each count as a change."""

    def __init__(self, *, changes: bool = True, checked: bool = True, name: str = "") -> None:
        self.changes = changes
        self.checked = checked
        """Compare the counts with the positions when a partition was restored (inputs without holes)."""
        self.name = name
        """Each change says who wrote it."""
        self.counts: dict[int, dict[bytes, int]] = {}
        self.touched: dict[int, set[bytes]] = {}
        self.outputs: dict[int, list[Record]] = {}
        self.fresh: dict[int, int] = {}
        self.models: list[bytes] = []
        self.informed = True
        """It has all models that its rows refer to."""
        self.advanced: dict[int, int] = {}
        self.order: list[tuple[int, int, int]] = []

    def open(self, partition: int) -> None:
        """Begin empty."""
        self.counts[partition], self.touched[partition] = {}, set()
        self.outputs[partition], self.fresh[partition] = [], 0

    def restore(self, partition: int, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Take over counts."""
        counts = self.counts[partition]
        for key, value in zip(keys, values, strict=True):
            if value is None:
                counts.pop(key, None)
            else:
                counts[key] = int(value)

    def knows(self, partition: int) -> bool:
        """Know all there is to know."""
        return self.informed and partition in self.counts

    def opened(self, partition: int, positions: dict[int, int]) -> dict[int, int]:
        """Compare the counts with the positions; where they end in each topic is not known here."""
        total = sum(self.counts[partition].values())
        if self.checked and total != sum(positions.values()):
            stale = total < sum(positions.values())
            raise (StaleStateError if stale else InterlockError)(
                f"partition {partition}: counted {total}, positions {positions}"
            )
        return positions

    def close(self, partition: int) -> None:
        """Forget."""
        for held in (self.counts, self.touched, self.outputs, self.fresh):
            held.pop(partition, None)

    def process(self, raw: RawBatch) -> None:
        """Count."""
        for partition, topic, timestamp, key in zip(
            raw.partition.tolist(), raw.topic.tolist(), raw.timestamp.tolist(), raw.key, strict=True
        ):
            assert key is not None
            if key == b"poison":
                raise InterlockError("poison was delivered: drink something else")
            counts = self.counts[partition]
            counts[key] = counts.get(key, 0) + 1
            self.touched[partition].add(key)
            self.fresh[partition] += 1
            if self.changes:
                self.outputs[partition].append(self._change(partition, key, topic, timestamp))

    def _change(self, partition: int, key: bytes, topic: int, timestamp: int) -> Record:
        change = {
            "key": key.decode(),
            "n": self.counts[partition][key],
            "topic": topic,
            "time": timestamp,
            "worker": self.name,
            "model": self.models[-1].decode() if self.models else None,
        }
        return Record("segment-changes", partition, key, json.dumps(change).encode())

    def advance(self, partition: int, wall_ms: int) -> None:
        """Note the time."""
        self.advanced[partition] = wall_ms

    def sweep(self, partitions: Iterable[int]) -> bool:
        """Have nothing to do."""
        del partitions
        return False

    def held_up(self, partition: int) -> bool:
        """Be never held up."""
        del partition
        return False

    def full(self, partition: int) -> bool:
        """Be never full."""
        del partition
        return False

    def pending(self, partition: int) -> int:
        """Return the records since the last take."""
        return self.fresh[partition]

    def dirty(self, partition: int) -> bool:
        """Return whether there are any."""
        return self.fresh[partition] > 0

    def take(self, partition: int, received_at_ms: int) -> Batch:
        """Return rows and changes."""
        del received_at_ms
        counts = self.counts[partition]
        rows = [
            Record("profiles-changelog", partition, key, b"%d" % counts[key])
            for key in self.touched[partition]
        ]
        batch = Batch(rows + self.outputs[partition], self.fresh[partition])
        self.touched[partition], self.outputs[partition], self.fresh[partition] = set(), [], 0
        return batch

    def offer_model(self, data: bytes) -> None:
        """Keep the model."""
        self.models.append(data)


class CountingMerger:
    """Adds up deltas; a model for every three of them, whose text is the sum so far."""

    def __init__(self) -> None:
        self.total = 0
        self.new = 0

    def open(self, last_model: bytes | None) -> None:
        """Begin from the last sum."""
        self.total = int(last_model or b"0")
        self.new = 0

    def process(self, offset: int, value: bytes) -> None:
        """Add."""
        del offset
        self.total += int(value)
        self.new += 1

    def take(self) -> list[Record] | None:
        """Return the sum after three deltas."""
        if self.new < 3:
            return None
        self.new = 0
        return [Record("models", 0, b"model", b"%d" % self.total)]

"""What a seeded simulated shop makes of its customers, by the product's own replay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from streams.engine import Engine
from streams.outbox import BACKFILL
from streams.records import Record
from streams.replay import Replay
from streams.settings import Settings
from streams.shop.simulation import simulate

FILE = Path(__file__).with_name("shop.json")
EVENTS, CUSTOMERS, SEED = 9_000, 300, 20
START_MS, DAYS, DAY_MS = 1_767_225_600_000, 60, 86_400_000
SETTINGS = Settings(partitions=4, currency="GBP")


class Count:
    """A sink that counts the change records."""

    def __init__(self) -> None:
        self.changes: Counter[str] = Counter()
        self.audiences: dict[str, int] = {}

    def write(self, records: Sequence[Record]) -> None:
        """Count the changes of one commit."""
        for record in records:
            if record.topic == BACKFILL:
                said = orjson.loads(record.value or b"")["properties"]
                self.changes[f"{said['segment_set']} {said['change']} {said['cause']}"] += 1

    def finish(self, engine: Engine, report: bytes) -> None:  # noqa: ARG002 - the report is at hand
        """Look who is in which audience."""
        self.audiences = engine.audience_sizes()


def outcome() -> dict[str, Any]:
    """Return what comes of the shop: the same on every run."""
    sink = Count()
    replay = Replay(SETTINGS, sink, sweep_ms=DAY_MS)
    report = replay.run(simulate(EVENTS, CUSTOMERS, SEED, START_MS, START_MS + DAYS * DAY_MS))
    told = asdict(report)
    inputs = ("records", "counted", "dead_letters", "duplicates", "erased", "customers", "totals")
    return {
        "input": {name: told[name] for name in inputs},
        "model_version": report.model_version,
        "behaviour": {row["id"] or "none": row["size"] for row in report.segments},
        "names": {row["id"] or "none": row["name"] for row in report.segments},
        "audiences": sink.audiences,
        "changes": dict(sorted(sink.changes.items())),
    }

"""A minimum stay in event time holds at every decision, after events and at ticks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
import orjson

from streams.metrics import Metrics
from streams.outbox import BACKFILL
from streams.records import Record
from streams.telemetry import EngineMetrics
from tests.engine_runs import SETTINGS, Driver, replayed, rows_of
from tests.oracle.synthetic import DAY_MS, stream

STAY_DAYS = 4
STAYING = msgspec.structs.replace(SETTINGS, min_stay_s=STAY_DAYS * DAY_MS // 1000)


def changes(written: list[Record]) -> list[bytes | None]:
    """Return the change records."""
    return [record.value for record in written if record.topic == BACKFILL]


def shortest_stay(written: list[Record], cause: str) -> float:
    """Return the days of the shortest stay in a behaviour segment that such a decision has ended."""
    stays = []
    for value in changes(written):
        change: Any = orjson.loads(value or b"")
        said = change["properties"]
        if (said["segment_set"], said["change"], said["cause"]) == ("behaviour", "left", cause):
            stay = datetime.fromisoformat(change["timestamp"]) - datetime.fromisoformat(said["since"])
            stays.append(stay.total_seconds() / 86_400)
    assert len(stays) > 3
    return min(stays)


def test_no_stay_is_shorter_than_the_minimum() -> None:
    """Who leaves after an event or as time passes has stayed four days, in chunks of 7 and of 1000 alike."""
    records = stream(6, customers=20, days=90)
    _, free = replayed(records, 1000)
    one, written = replayed(records, 7, STAYING)
    other, also = replayed(records, 1000, STAYING)

    for cause in ("event", "time"):
        assert shortest_stay(free.records, cause) < STAY_DAYS
        assert shortest_stay(written.records, cause) >= STAY_DAYS
    assert rows_of(one.engine) == rows_of(other.engine)
    assert changes(written.records) == changes(also.records)


def test_moves_that_are_held_back_are_counted() -> None:
    """The metric tells those whom the margin holds from those whom only the minimum stay holds."""
    counted = {}
    for name, margin, stay_ms in (("margin", 0.9, 0), ("stay", 0.0, 100 * DAY_MS), ("none", 0.0, 0)):
        driver, metrics = Driver(), Metrics()
        decider = driver.engine.decider
        decider.rules = replace(decider.rules, margin=margin, min_stay_ms=stay_ms)
        decider.observer = EngineMetrics(metrics)
        driver.feed(stream(5, customers=10, days=20))
        counted[name] = [
            metrics.registry.get_sample_value("live_segments_moves_held_total", {"reason": reason}) or 0.0
            for reason in ("margin", "stay")
        ]

    assert counted["none"] == [0, 0]
    assert counted["margin"][0] > 0 == counted["margin"][1]
    assert counted["stay"][1] > 0 == counted["stay"][0]

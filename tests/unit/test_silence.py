"""Customers who fall silent leave when they are due, also after a stop of hours."""

from __future__ import annotations

from typing import Any

import orjson

from streams.clock import ManualClock
from streams.codec.rfc3339 import rfc3339
from streams.engine import Engine
from streams.outbox import CHANGELOG, CHANGES
from streams.records import VIEWS, RawList, Record
from streams.settings import Settings
from streams.wiring import make_engine
from tests.engine_runs import HOUR_MS, definitions, record
from tests.oracle.synthetic import DAY_MS, START_MS

SETTINGS = Settings(partitions=1)
GRID_MS = SETTINGS.sweep_interval_s * 1000
STAY_MS = HOUR_MS
HERE = '[[audience]]\nid = "here"\nname = "Here"\nenter = "days_since_seen * 24 < 1"\n'
MINUTE_MS = 60_000


def restarted(now_ms: int, written: list[Record]) -> Engine:
    """Return a worker's engine that has restored what was written."""
    engine = make_engine(SETTINGS, ManualClock(now_ms), recorded=True)
    engine.offer_model(definitions(HERE))
    engine.open(0)
    log = [r for r in written if r.topic == CHANGELOG]
    engine.restore(0, [r.key or b"" for r in log], [r.value for r in log])
    engine.opened(0, {})
    return engine


def in_force(written: list[Record]) -> Engine:
    """Return a worker's engine whose first tick, after a first customer, has put definitions in force."""
    engine = restarted(START_MS - DAY_MS, [])
    visited(engine, [START_MS - DAY_MS], START_MS - DAY_MS)
    written += passed(engine, START_MS - MINUTE_MS)
    return engine


def visited(engine: Engine, seen_ms: list[int], arrived_ms: int, offset: int = 0) -> None:
    """Let customers have a visit each, whose records have arrived in Kafka at a time."""
    raw = RawList()
    for i, at_ms in enumerate(seen_ms):
        name = f"c{offset + i}"
        value = record(VIEWS, name, offset + i, at_ms, product_id="p").value
        raw.append(0, VIEWS, offset + i, arrived_ms, name.encode(), value)
    engine.process(raw.batch())


def passed(engine: Engine, now_ms: int) -> list[Record]:
    """Let time pass until now and return what is written."""
    engine.advance(0, now_ms)
    while engine.sweep([0]):
        pass
    return engine.take(0, now_ms).records


def told(written: list[Record]) -> list[Any]:
    """Return the change records."""
    return [orjson.loads(r.value or b"") for r in written if r.topic == CHANGES]


def test_after_a_stop_of_hours_each_due_change_comes_once_with_its_true_time() -> None:
    """The time is the tick of the 30 s grid at which it was due, not that of the restart."""
    seen = [START_MS + 7_001 * i for i in range(60)]
    written: list[Record] = []
    engine = in_force(written)
    visited(engine, seen, seen[-1], 1)
    written += passed(engine, seen[-1] + MINUTE_MS)
    assert [change["properties"]["change"] for change in told(written)] == ["entered"] * 60

    back_ms = START_MS + 9 * HOUR_MS
    engine = restarted(back_ms, written)
    caught_up = passed(engine, back_ms)

    left = {change["userId"]: change for change in told(caught_up)}
    assert len(told(caught_up)) == len(left) == 60
    for i, seen_ms in enumerate(seen):
        due_ms = -(-(seen_ms + STAY_MS) // GRID_MS) * GRID_MS
        said = left[f"c{i + 1}"]["properties"]
        assert (said["change"], said["cause"], said["origin"]) == ("left", "time", "catchup")
        assert left[f"c{i + 1}"]["timestamp"] == rfc3339(due_ms)
        assert said["since"] == rfc3339(seen_ms // 1000 * 1000)
    engine = restarted(back_ms, written + caught_up)
    assert told(passed(engine, back_ms + HOUR_MS)) == []


def test_a_quiet_partition_is_not_behind_after_an_outage() -> None:
    """Who was last seen while the worker was away leaves when due, though no event comes after that.

    Stream time once went on from when the last event was processed: three hours late here, for ever.
    """
    written: list[Record] = []
    in_force(written)
    engine = restarted(START_MS + 3 * HOUR_MS, written)
    visited(engine, [START_MS], START_MS, 1)

    found = told(passed(engine, START_MS + 3 * HOUR_MS))
    assert [change["timestamp"] for change in found] == [rfc3339(START_MS), rfc3339(START_MS + STAY_MS)]


def test_recorded_history_ages_at_its_own_time() -> None:
    """Old events that arrive in Kafka now throw nobody out: time goes on from the newest of them."""
    now_ms = START_MS + 300 * DAY_MS
    written: list[Record] = []
    in_force(written)
    engine = restarted(now_ms, written)
    visited(engine, [START_MS], now_ms, 1)
    before, after = (told(passed(engine, now_ms + STAY_MS + more)) for more in (-MINUTE_MS, MINUTE_MS))

    assert [change["properties"]["change"] for change in before] == ["entered"]
    assert [change["properties"]["change"] for change in after] == ["left"]

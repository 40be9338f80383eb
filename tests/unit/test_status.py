"""The worker's page and metrics tell how many customers are in each segment and audience."""

from __future__ import annotations

from collections import Counter

import orjson

from streams.metrics import Metrics
from streams.records import CLICKS, PURCHASES
from streams.status import WorkerStatus
from streams.telemetry import KEPT_CHANGES, EngineMetrics
from tests.engine_runs import Driver, record
from tests.oracle.synthetic import DAY_MS, START_MS, stream


def test_sizes_are_those_that_the_changes_add_up_to() -> None:
    """Entered less left, by segment, equals the rows of the page and the samples of the metric."""
    metrics = Metrics()
    counters = EngineMetrics(metrics)
    driver = Driver()
    counters.watch(driver.engine)
    driver.feed(stream(5, customers=15, days=20)).commit()
    members: Counter[tuple[str, str]] = Counter()
    for _, value in driver.changes():
        said = orjson.loads(value or b"")["properties"]
        members[said["segment_set"], said["audience_key"]] += 1 if said["change"] == "entered" else -1

    rows = WorkerStatus(driver.engine, counters, "none").snapshot()["segments"]
    shown = {(row["segment_set"], row["id"]): row["size"] for row in rows}
    page = metrics.page().decode()

    assert +Counter(shown) == +members
    assert {segment_set for segment_set, _ in +members} == {"behaviour", "audience"}
    for (segment_set, name), size in (+members).items():
        sample = f'live_segments_segment_size{{segment="{name}",segment_set="{segment_set}"}} {float(size)}'
        assert sample in page


def test_the_last_changes_are_the_newest_of_all_partitions() -> None:
    """The page shows the newest change first, whatever partition it was made in.

    Caught a bug: of a chunk for several partitions it showed those of the last partition.
    """
    counters = EngineMetrics(Metrics())
    driver = Driver(observer=counters)
    day_ms = START_MS + DAY_MS
    for topic, time_ms in ((CLICKS, START_MS), (CLICKS, day_ms), (PURCHASES, day_ms + 99)):
        driver.feed([record(topic, f"c-{i}", f"{i} {time_ms}", time_ms + i) for i in range(60)])
    driver.commit()
    made = [orjson.loads(value or b"")["timestamp"] for _, value in driver.changes()]

    shown = [row["timestamp"] for row in WorkerStatus(driver.engine, counters, "none").snapshot()["changes"]]

    assert shown == sorted(made, reverse=True)[:KEPT_CHANGES]

"""The worker's page and metrics tell how many customers are in each segment and audience."""

from __future__ import annotations

from collections import Counter

import orjson

from streams.metrics import Metrics
from streams.status import WorkerStatus
from streams.telemetry import EngineMetrics
from tests.engine_runs import Driver
from tests.oracle.synthetic import stream


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

"""Where the worker's CPU time goes, as metrics."""

from __future__ import annotations

from time import thread_time

import pytest

from streams.metrics import PREFIX, Metrics
from streams.stages import STAGES, Stage, StageClock
from streams.telemetry import EngineMetrics, Telemetry
from tests.engine_runs import Driver
from tests.oracle.synthetic import stream

ENGINE_STAGES = set(STAGES) - {"fetch", "commit"}
"""The rest belongs to the transport."""


def told_by(metrics: Metrics) -> dict[str, float]:
    """Return the seconds of each stage that the page shows."""
    found = {
        stage: metrics.registry.get_sample_value(PREFIX + "stage_seconds_total", {"stage": stage})
        for stage in STAGES
    }
    return {stage: seconds for stage, seconds in found.items() if seconds is not None}


def test_laps_put_all_time_since_the_beginning_down_to_stages_once() -> None:
    """The laps add up to the thread's CPU time between `begin` and the last of them."""
    told: dict[Stage, float] = dict.fromkeys(STAGES, 0.0)

    def tell(stage: Stage, seconds: float) -> None:
        told[stage] += seconds

    clock = StageClock(tell)
    before = thread_time()
    clock.begin()
    for stage in ("decode", "index", "decode"):
        sum(range(50_000))
        clock.lap(stage)
    spent = thread_time() - before

    assert told["decode"] > told["index"] > 0
    assert sum(told.values()) == pytest.approx(spent, rel=0.1)


def test_every_stage_of_the_engine_shows_on_the_page_and_together_they_are_its_time() -> None:
    """A new piece of the engine's work that is in no stage would make the budget lie."""
    metrics = Metrics()
    driver = Driver()
    counters = EngineMetrics(metrics)
    driver.engine.observer = counters
    driver.engine.stages._told = counters.stage

    spent = 0.0
    records = list(stream(seed=3, customers=20, days=20))
    for start in range(0, len(records), 200):
        before = thread_time()
        driver.feed(records[start : start + 200]).commit()
        spent += thread_time() - before

    told = told_by(metrics)
    assert {stage for stage, seconds in told.items() if seconds > 0} == ENGINE_STAGES
    assert 0.7 * spent < sum(told.values()) <= spent


def test_what_the_transport_measures_is_added_up() -> None:
    """Fetches and commits are counted by the same metric."""
    telemetry = Telemetry()
    telemetry.on_stage("fetch", 0.25)
    telemetry.on_stage("commit", 0.5)
    telemetry.on_stage("fetch", 0.25)

    told = told_by(telemetry.metrics)

    assert told == dict.fromkeys(STAGES, 0.0) | {"fetch": 0.5, "commit": 0.5}

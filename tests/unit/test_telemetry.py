"""What the transport reports, as metrics."""

from __future__ import annotations

from streams.metrics import Metrics
from streams.telemetry import EngineMetrics, Telemetry

PROGRESS = "live_segments_restore_progress_ratio"


def progress(telemetry: Telemetry) -> float | None:
    """Return the progress that the page shows for partition 3."""
    return telemetry.metrics.registry.get_sample_value(PROGRESS, {"partition": "3"})


def test_a_restore_shows_how_far_it_is() -> None:
    """From 0 at its start to 1 when the partition is active, also where there was nothing to read."""
    telemetry = Telemetry()
    seen = []
    telemetry.on_state(3, "restoring")
    seen.append(progress(telemetry))
    telemetry.on_restore(3, 250, 1000)
    seen.append(progress(telemetry))
    telemetry.on_state(3, "active")
    seen.append(progress(telemetry))

    assert seen == [0, 0.25, 1]


def test_a_lost_partition_shows_no_progress() -> None:
    """Its last share would stay on the page for ever, and a report that comes late does not bring it back."""
    telemetry = Telemetry()
    telemetry.on_state(3, "restoring")
    telemetry.on_restore(3, 250, 1000)
    telemetry.on_state(3, "closed")
    telemetry.on_restore(3, 500, 1000)

    assert progress(telemetry) is None


def test_sweeps_count_whom_they_decide_and_whom_they_leave_out() -> None:
    """Over all partitions; who is erased meanwhile makes neither negative."""
    metrics = Metrics()
    counters = EngineMetrics(metrics)
    for partition, customers, decided in ((0, 100, 7), (1, 50, 50), (1, 50, 51)):
        counters.sweep(partition, customers, decided)

    counted = [
        metrics.registry.get_sample_value("live_segments_swept_customers_total", {"outcome": outcome})
        for outcome in ("decided", "not_due")
    ]
    assert counted == [108, 93]

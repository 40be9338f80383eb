"""The table of metrics and what is made from it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streams.metrics import METRICS, PARTITION_STATES, PREFIX, Metrics, table


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(PREFIX + name, labels)


def test_every_declared_metric_is_on_the_page_under_its_name() -> None:
    """A metric that is declared is exported, with its type and its help, even before it moves."""
    families = {f.name: f for f in text_string_to_metric_families(Metrics().page().decode())}

    for metric in METRICS:
        family = families[metric.name.removesuffix("_total")]
        assert metric.moves == family.documentation
        assert metric.kind.__name__.lower() == family.type


def test_names_follow_the_conventions_of_prometheus() -> None:
    """Names carry the prefix, counters end in _total and nothing else does, times are in seconds."""
    for metric in METRICS:
        assert re.fullmatch(r"live_segments_[a-z]+(_[a-z]+)*", metric.name)
        assert (metric.kind.__name__ == "Counter") == metric.name.endswith("_total")
        assert not re.search(r"_(ms|millis|minutes)(_|$)", metric.name)


def test_no_label_can_hold_a_customer() -> None:
    """Labels are few, known words; none of them names a customer, a session or an event."""
    allowed = {
        *("topic", "partition", "state", "reason", "stage", "outcome"),
        *("segment_set", "segment", "change", "cause", "version", "python"),
    }

    assert {label for metric in METRICS for label in metric.labels} <= allowed


def test_every_metric_says_when_it_moves_and_what_to_do() -> None:
    """Both texts are there, short, and safe inside a Markdown table."""
    for metric in METRICS:
        for text in (metric.moves, metric.act):
            assert 5 < len(text) < 160
            assert "|" not in text
            assert "\n" not in text


def test_two_workers_in_one_process_count_apart() -> None:
    """Each Metrics has a registry of its own: no global state, no clash of names."""
    one, two = Metrics(), Metrics()

    one.events_total.labels("clicks").inc(3)

    assert sample(one, "events_total", topic="clicks") == 3
    assert sample(two, "events_total", topic="clicks") is None


def test_a_partition_is_in_exactly_one_state() -> None:
    """Setting a state clears the one before."""
    metrics = Metrics()

    for state in PARTITION_STATES:
        metrics.set_partition_state(3, state)
        shown = {s: sample(metrics, "partition_state", partition="3", state=s) for s in PARTITION_STATES}
        assert shown == {s: float(s == state) for s in PARTITION_STATES}


def test_an_unknown_state_is_refused() -> None:
    """A misspelt state would be a series that no rule and no panel looks at."""
    with pytest.raises(ValueError, match="partition state actve: one of"):
        Metrics().set_partition_state(3, "actve")


def test_a_partition_that_went_leaves_nothing_behind() -> None:
    """The last lag of a partition that another worker has now would raise alerts for ever."""
    metrics = Metrics()
    for partition in (3, 4):
        metrics.set_partition_state(partition, "active")
        metrics.input_lag_seconds.labels(partition).set(99)
        metrics.input_lag_records.labels("clicks", partition).set(99)
        metrics.input_lag_records.labels("purchases", partition).set(99)
        metrics.last_commit_timestamp_seconds.labels(partition).set(99)
        metrics.customers.labels(partition).set(99)
        metrics.restore_progress_ratio.labels(partition).set(1)

    metrics.forget_partition(3)
    metrics.forget_partition(7)

    page = metrics.page().decode()
    assert 'partition="3"' not in page
    assert page.count('partition="4"') == len(PARTITION_STATES) + 6


def test_the_process_itself_is_on_the_page() -> None:
    """Memory, which follows the number of customers, and the version are there to be watched."""
    page = Metrics().page().decode()

    assert re.search(r'live_segments_build_info\{python="3[.\d]+",version="[^"]+"\} 1\.0', page)
    if sys.platform == "linux":
        assert "process_resident_memory_bytes" in page


def test_the_table_has_a_line_for_each_metric() -> None:
    """The docs are made by a command, and it prints every metric once."""
    command = [sys.executable, "-m", "streams.metrics", "--table"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    assert table() == printed
    assert [m.name for m in METRICS] == re.findall(r"^\| `(\w+)` \|", printed, re.MULTILINE)
    assert {5} == {line.count("|") - 1 for line in printed.splitlines()}


def test_the_command_refuses_what_it_does_not_know() -> None:
    """A wrong option is one line and a code that is not 0."""
    ran = subprocess.run(
        [sys.executable, "-m", "streams.metrics"], capture_output=True, text=True, check=False, timeout=60
    )

    assert ran.returncode != 0
    assert ran.stderr == "usage: python -m streams.metrics --table\n"

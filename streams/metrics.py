"""Every metric once: name, labels, when it moves, what to do about it; docs and rules follow this table."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, get_args, get_type_hints

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from streams.stages import STAGES

PREFIX = "live_segments_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PARTITION_STATES = ("fencing", "restoring", "active", "frozen", "closed")
"""The life of a partition in a worker; it takes part only while active."""

_FAST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_RECORDS = (1.0, 10.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0, 32000.0)

# Series named `_created` double the page and no rule uses them; the switch exists only for the whole process.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it unannotated


@dataclass(frozen=True, slots=True)
class Metric:
    """One line of the table of metrics."""

    name: str
    """With the prefix, as it stands on the page."""
    kind: type[Counter | Gauge | Histogram]
    labels: tuple[str, ...]
    moves: str
    """When it moves: also the help text on the page."""
    act: str
    """What to do about it."""
    buckets: tuple[float, ...]

    @property
    def series(self) -> tuple[str, ...]:
        """Return the names under which the samples appear on the page."""
        if self.kind is Histogram:
            return tuple(self.name + end for end in ("_bucket", "_count", "_sum"))
        return (self.name,)


@dataclass(frozen=True, slots=True)
class _What:
    moves: str
    act: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


class Metrics:
    """The metrics of one worker, in a registry of their own: any number of them may live in one process.

    Labels never hold a customer's id. Gauges speak of the partitions this worker owns: sum over workers
    for the whole, and call `forget_partition` when a partition goes, lest its last lag stay on the page.
    """

    events_total: Annotated[
        Counter,
        _What(
            "with each usable input record, duplicates included",
            "no movement while the shop is open: look at the producers, then at the lag",
            ("topic",),
        ),
    ]
    dead_letters_total: Annotated[
        Counter,
        _What(
            "with each input record that could not be used, by reason code",
            "read topic dead-letters for that reason and tell the producer's owner",
            ("reason",),
        ),
    ]
    duplicates_total: Annotated[
        Counter,
        _What(
            "with each event whose id was among its customer's last 8",
            "harmless; a steady share says that a producer retries without idempotence",
        ),
    ]
    late_events_total: Annotated[
        Counter,
        _What(
            "with each event that is older than one already applied to its customer",
            "harmless in small shares; a jump says that a producer delivers a backlog",
        ),
    ]
    unknown_fields_total: Annotated[
        Counter,
        _What(
            "with each field of an input record that the input contract does not know",
            "a jump after a producer's release is a new or misspelt field: compare with the contract",
        ),
    ]
    changes_total: Annotated[
        Counter,
        _What(
            "with each record written to segment-changes (change: entered or left)",
            "a jump by cause model or definition is a new version at work; by cause event, see the input",
            ("segment_set", "change", "cause"),
        ),
    ]
    moves_held_total: Annotated[
        Counter,
        _What(
            "with each event after which another behaviour segment is nearer, but the customer stays",
            "a large share of events_total: LIVE_SEGMENTS_MARGIN or _MIN_STAY_S keeps segments stale",
            ("reason",),
        ),
    ]
    input_lag_seconds: Annotated[
        Gauge,
        _What(
            "with each fetch: age of the partition's oldest record that is not processed; 0: none waits",
            "growing on all partitions: add workers; on one: a hot customer, or a stuck partition",
            ("partition",),
        ),
    ]
    input_lag_records: Annotated[
        Gauge,
        _What(
            "with each fetch: records of the topic's partition that are not processed",
            "divide by the rate of events_total to see how long catching up takes",
            ("topic", "partition"),
        ),
    ]
    chunk_seconds: Annotated[
        Histogram,
        _What(
            "with each chunk: time from raw records to outputs, without the commit",
            "above 0.25 s: the next ones get smaller; see stage_seconds_total for where it goes",
            (),
            _FAST_S,
        ),
    ]
    chunk_records: Annotated[
        Histogram,
        _What(
            "with each chunk: input records in it",
            "always at LIVE_SEGMENTS_MAX_CHUNK: the worker is behind; always few: it is idle",
            (),
            _RECORDS,
        ),
    ]
    stage_seconds_total: Annotated[
        Counter,
        _What(
            "with each chunk, sweep and commit: CPU seconds, by stage; what is in none is the Kafka client's",
            f"the stage whose share grows is the one to look into ({', '.join(STAGES)})",
            ("stage",),
        ),
    ]
    commit_seconds: Annotated[
        Histogram,
        _What(
            "with each commit: from the first output sent to the end of the transaction",
            "above 1 s: the brokers are slow (disk, replication) or too many partitions share a worker",
            (),
            _FAST_S,
        ),
    ]
    commit_records: Annotated[
        Histogram,
        _What(
            "with each commit: records written in it",
            "many times chunk_records: customers change segment far more often than usual",
            (),
            _RECORDS,
        ),
    ]
    last_commit_timestamp_seconds: Annotated[
        Gauge,
        _What(
            "with each commit of the partition: wall clock",
            "old while there is lag: the partition is stuck, see the runbook LiveSegmentsStuck",
            ("partition",),
        ),
    ]
    customers: Annotated[
        Gauge,
        _What(
            "when a customer is seen first or erased, and when partitions come and go",
            "memory follows it: plan 1.5 KiB for each",
            ("partition",),
        ),
    ]
    swept_customers_total: Annotated[
        Counter,
        _What(
            "with each sweep, by its customers (outcome: decided; not_due: time cannot change them yet)",
            "few not_due, except at midnight: most customers have events between two sweeps",
            ("outcome",),
        ),
    ]
    segment_size: Annotated[
        Gauge,
        _What(
            "when customers change segment: members among this worker's customers",
            "a segment that empties or doubles within an hour: `live-segments explain` one of its customers",
            ("segment_set", "segment"),
        ),
    ]
    model_version: Annotated[
        Gauge,
        _What(
            "when the worker takes up a new model; 0 = none yet",
            "workers that differ for minutes: one of them no longer reads the topic models",
        ),
    ]
    definitions_version: Annotated[
        Gauge,
        _What(
            "when the worker takes up new definitions of the audiences; 0 = none yet",
            "workers that differ for minutes: one of them no longer reads the topic models",
        ),
    ]
    definitions_refused_total: Annotated[
        Counter,
        _What(
            "with definitions that this worker cannot use, its own file among them; the old ones stay",
            "read the worker's log for what is wrong; `live-segments definitions show` says what is in force",
        ),
    ]
    advised_clusters: Annotated[
        Gauge,
        _What(
            "when this worker's merger opens or makes a model: number of segments with the highest "
            "silhouette; 0: none yet",
            "far from LIVE_SEGMENTS_N_CLUSTERS: see the silhouettes in `live-segments segments`; advice only",
        ),
    ]
    model_age_seconds: Annotated[
        Gauge,
        _What(
            "all the time: since when this worker knows the newest model, 0 while there is none",
            "more than a week: the merger does not run, see the runbook LiveSegmentsModelStale",
        ),
    ]
    partition_state: Annotated[
        Gauge,
        _What(
            f"when a partition changes state ({', '.join(PARTITION_STATES)}): 1 for the present one, else 0",
            "not active for minutes: see restore_seconds and the worker's log",
            ("partition", "state"),
        ),
    ]
    restores_total: Annotated[
        Counter,
        _What(
            "with each partition whose profiles were read back from the changelog",
            "without restarts or rebalances there are none",
        ),
    ]
    restore_seconds: Annotated[
        Histogram,
        _What(
            "with each restored partition: how long it took",
            "it grows with customers and an uncompacted changelog: run `live-segments topics check`",
            (),
            _SLOW_S,
        ),
    ]
    restore_progress_ratio: Annotated[
        Gauge,
        _What(
            "while a partition is read back from the changelog: share of it that is read, 1 when done",
            "standing still below 1: the broker does not deliver; see the worker's log for records/s",
            ("partition",),
        ),
    ]
    invariant_breaches_total: Annotated[
        Counter,
        _What(
            "when the supervisor restarts a worker that stopped dead on a broken invariant (exit code 6)",
            "must be 0 for ever: see the runbook LiveSegmentsInvariantBroken",
        ),
    ]
    rebalances_total: Annotated[
        Counter,
        _What(
            "with each assignment of partitions to this worker",
            "several an hour without deployments: workers are killed or miss heartbeats (CPU, timeout)",
        ),
    ]
    standby_partitions: Annotated[
        Gauge,
        _What(
            "with each assignment: partitions whose state is read here while others still own them",
            "above 0 for minutes: a move does not end; look for `standing by` in the log and at the broker",
        ),
    ]
    build_info: Annotated[
        Gauge,
        _What("never: 1, with the versions as labels", "compare workers in a rollout", ("version", "python")),
    ]

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self.before_page: Callable[[], None] = lambda: None
        for metric in METRICS:
            options: dict[str, Any] = {"buckets": metric.buckets} if metric.kind is Histogram else {}
            made = metric.kind(metric.name, metric.moves, metric.labels, registry=self.registry, **options)
            setattr(self, metric.name.removeprefix(PREFIX), made)
        ProcessCollector(registry=self.registry)
        self.build_info.labels(product_version(), platform.python_version()).set(1)

    def page(self) -> bytes:
        """Return all samples in Prometheus' text format; its content type is `CONTENT_TYPE`."""
        self.before_page()
        return generate_latest(self.registry)

    def set_partition_state(self, partition: int, state: str) -> None:
        """Say which of `PARTITION_STATES` a partition is in.

        Raises:
            ValueError: there is no such state.
        """
        if state not in PARTITION_STATES:
            raise ValueError(f"partition state {state}: one of {', '.join(PARTITION_STATES)}")
        for known in PARTITION_STATES:
            self.partition_state.labels(partition, known).set(known == state)

    def forget_partition(self, partition: int) -> None:
        """Take a partition that went to another worker off the page; unknown ones are ignored."""
        for metric in METRICS:
            if "partition" in metric.labels:
                made = getattr(self, metric.name.removeprefix(PREFIX))
                made.remove_by_labels({"partition": str(partition)})


def product_version() -> str:
    """Return the version of the installed package, `unknown` when it runs from a bare folder."""
    try:
        return version("live-segments")
    except PackageNotFoundError:
        return "unknown"


def _declared() -> tuple[Metric, ...]:
    rows = []
    for name, hint in get_type_hints(Metrics, include_extras=True).items():
        kind, what = get_args(hint)
        rows.append(Metric(PREFIX + name, kind, what.labels, what.moves, what.act, what.buckets))
    return tuple(rows)


METRICS: tuple[Metric, ...] = _declared()
"""The table, in the order of the declaration."""


def table() -> str:
    """Return the table of metrics in Markdown, for the docs."""
    lines = ["| metric | type | labels | moves | what to do about it |", "|---|---|---|---|---|"]
    for metric in METRICS:
        kind = metric.kind.__name__.lower()
        labels = ", ".join(metric.labels) or "–"  # noqa: RUF001 - the dash of the other tables
        lines.append(f"| `{metric.name}` | {kind} | {labels} | {metric.moves} | {metric.act} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] != ["--table"]:
        sys.exit("usage: python -m streams.metrics --table")
    sys.stdout.write(table())

"""What the transport reports, passed on to the metrics page and to the health answers."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Sequence

from models.events import Bool
from streams.codec.drafts import Columns, Drafts
from streams.engine import Engine
from streams.health import Health
from streams.metrics import Metrics
from streams.records import INPUT_TOPICS
from streams.stages import STAGES, Stage
from streams.supervisor import BREACHES

log = logging.getLogger(__name__)

KEPT_CHANGES = 20
"""Changes kept for the worker's page."""


class Telemetry:
    """An observer of the transport that keeps metrics and health in step."""

    def __init__(self, metrics: Metrics | None = None, health: Health | None = None) -> None:
        self.metrics = metrics or Metrics()
        self.health = health or Health()
        self._restoring: dict[int, float] = {}
        self._stages = {stage: self.metrics.stage_seconds_total.labels(stage) for stage in STAGES}
        self.metrics.invariant_breaches_total.inc(int(os.environ.get(BREACHES, "0")))

    def on_chunk(self, records: int, seconds: float) -> None:
        """A chunk was processed."""
        self.metrics.chunk_records.observe(records)
        self.metrics.chunk_seconds.observe(seconds)

    def on_commit(self, partition: int, events: int, records: int, seconds: float) -> None:  # noqa: ARG002 - events are counted by the engine
        """A transaction was committed."""
        self.metrics.commit_records.observe(records)
        self.metrics.commit_seconds.observe(seconds)
        self.metrics.last_commit_timestamp_seconds.labels(partition).set_to_current_time()
        self.health.on_commit(partition)

    def on_restore(self, partition: int, records: int, total: int) -> None:
        """A restore read on."""
        if partition in self._restoring:
            self.metrics.restore_progress_ratio.labels(partition).set(records / total if total else 1.0)
        self.health.on_restore(partition)

    def on_state(self, partition: int, state: str) -> None:
        """A partition's state has changed."""
        now = time.monotonic()
        if state == "restoring":
            self._restoring[partition] = now
            self.metrics.restore_progress_ratio.labels(partition).set(0)
        elif state == "active" and (since := self._restoring.pop(partition, None)) is not None:
            self.metrics.restore_progress_ratio.labels(partition).set(1)
            self.metrics.restores_total.inc()
            self.metrics.restore_seconds.observe(now - since)
        self.metrics.set_partition_state(partition, state)
        if state == "closed":
            self._restoring.pop(partition, None)
            self.metrics.forget_partition(partition)
        self.health.on_state(partition, state)

    def on_assigned(self, partitions: set[int]) -> None:
        """The group gave these partitions to this worker."""
        self.metrics.rebalances_total.inc()
        self.health.on_assigned(partitions)

    def on_standby(self, partitions: int) -> None:
        """This worker stands by for so many partitions."""
        self.metrics.standby_partitions.set(partitions)
        self.health.on_standby(partitions)

    def on_broker(self, up: bool) -> None:
        """The broker answered, or did not."""
        self.health.on_broker(up)

    def on_lag(self, topic: str, partition: int, records: int, seconds: float) -> None:
        """A topic partition has this much to go."""
        self.metrics.input_lag_records.labels(topic, partition).set(records)
        self.health.on_lag(topic, partition, records, seconds)

    def on_partition_lag(self, partition: int, seconds: float) -> None:
        """The oldest waiting record of a partition has this age."""
        self.metrics.input_lag_seconds.labels(partition).set(seconds)

    def on_stage(self, stage: Stage, seconds: float) -> None:
        """A stage of the work has used CPU time."""
        self._stages[stage].inc(seconds)


class EngineMetrics:
    """What the engine reports, as metrics, and the last changes for the page."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.processed = dict.fromkeys(INPUT_TOPICS, 0)
        """Usable records since the start, by topic."""
        self.dead_letters = 0
        self.last_changes: deque[tuple[Drafts, int]] = deque(maxlen=KEPT_CHANGES)
        self._told: set[tuple[str, str]] = set()
        self._stages = {stage: metrics.stage_seconds_total.labels(stage) for stage in STAGES}
        self._model_version = 0
        self._model_since = 0.0
        metrics.model_age_seconds.set_function(self._model_age_s)

    def _model_age_s(self) -> float:
        return time.monotonic() - self._model_since if self._model_version else 0.0

    def watch(self, engine: Engine) -> None:
        """Count the segments' members of an engine whenever somebody asks for the page."""

        def refresh() -> None:
            sizes = engine.segment_sizes()
            self._metrics.segment_size.clear()
            for number, size in sizes.items():
                self._metrics.segment_size.labels("behaviour", f"b-{number}" if number else "none").set(size)
            for name, size in engine.audience_sizes().items():
                self._metrics.segment_size.labels("audience", name).set(size)

        self._metrics.before_page = refresh

    def records(self, usable: Sequence[int], unknown_fields: int) -> None:
        """Records were decoded."""
        for name, count in zip(INPUT_TOPICS, usable, strict=True):
            if count:
                self.processed[name] += count
                self._metrics.events_total.labels(name).inc(count)
        if unknown_fields:
            self._metrics.unknown_fields_total.inc(unknown_fields)

    def dead_letter(self, topic: str, reason: str, detail: str) -> None:
        """A record went to the dead letters; the first of each topic and reason is logged."""
        self.dead_letters += 1
        if (topic, reason) not in self._told:
            self._told.add((topic, reason))
            log.warning("%s: first dead letter with reason %s: %s", topic, reason, detail)
        self._metrics.dead_letters_total.labels(reason).inc()

    def events(self, accepted: Bool, late: Bool) -> None:
        """Events were applied; those not accepted are duplicates."""
        self._metrics.duplicates_total.inc(len(accepted) - int(accepted.sum()))
        self._metrics.late_events_total.inc(int(late.sum()))

    def changes(self, made: Columns, drafts: Drafts) -> None:
        """Change events were made; and the same as records."""
        newest = drafts.timestamp_ms.argsort(kind="stable")[-KEPT_CHANGES:]  # of all partitions
        self.last_changes.extend((drafts, place) for place in newest.tolist())
        for side, count in zip(made.sides, made.counts().tolist(), strict=True):
            if count:
                what = "entered" if side.entered else "left"
                self._metrics.changes_total.labels(side.segment_set, what, side.cause).inc(count)

    def held(self, by_margin: int, by_stay: int) -> None:
        """After so many events another behaviour segment was nearer, but the customer stayed."""
        self._metrics.moves_held_total.labels("margin").inc(by_margin)
        self._metrics.moves_held_total.labels("stay").inc(by_stay)

    def sweep(self, partition: int, customers: int, decided: int) -> None:
        """A sweep over the customers of a partition has ended; so many were decided, the others not due."""
        self._metrics.customers.labels(partition).set(customers)
        self._metrics.swept_customers_total.labels("decided").inc(decided)
        self._metrics.swept_customers_total.labels("not_due").inc(max(customers - decided, 0))

    def versions(self, model: int, definitions: int) -> None:
        """The newest model and definitions known are these."""
        if model != self._model_version:
            self._model_version, self._model_since = model, time.monotonic()
        self._metrics.model_version.set(model)
        self._metrics.definitions_version.set(definitions)

    def stage(self, stage: Stage, seconds: float) -> None:
        """A stage of the work has used CPU time."""
        self._stages[stage].inc(seconds)

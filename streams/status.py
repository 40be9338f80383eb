"""What the worker's page shows: read from the engine at the moment somebody looks."""

from __future__ import annotations

import orjson

from streams.engine import Engine
from streams.telemetry import EngineMetrics
from streams.web import ChangeRow, SegmentRow, Snapshot


class WorkerStatus:
    """A worker's state for its page."""

    def __init__(self, engine: Engine, counters: EngineMetrics, broker: str) -> None:
        self._engine = engine
        self._counters = counters
        self._broker = broker

    def snapshot(self) -> Snapshot:
        """Return the state as of now; costs a pass over the customers' memberships."""
        engine, model = self._engine, self._engine.versions.model
        return Snapshot(
            customers=sum(len(part.index) for part in engine.parts.values() if not part.restoring),
            events=self._counters.processed,
            dead_letters=self._counters.dead_letters,
            model_version=model.version if model else 0,
            broker=self._broker,
            segments=[*self._behaviour(), *self._audiences()],
            changes=[_row(drafts.text(place)) for drafts, place in reversed(self._counters.last_changes)],
        )

    def _behaviour(self) -> list[SegmentRow]:
        model = self._engine.versions.model
        if model is None:
            return []
        sizes = self._engine.segment_sizes()
        return [
            SegmentRow(segment_set="behaviour", id=info.id, name=info.name, size=sizes.get(info.number, 0))
            for info in model.segments
        ]

    def _audiences(self) -> list[SegmentRow]:
        rules = self._engine.versions.newest_rules
        if rules is None:
            return []
        sizes = self._engine.audience_sizes()
        return [
            SegmentRow(segment_set="audience", id=one.id, name=one.name, size=sizes.get(one.id, 0))
            for one in rules.definitions.audiences
        ]


def _row(record: bytes) -> ChangeRow:
    document = orjson.loads(record)
    properties = document["properties"]
    return ChangeRow(
        timestamp=document["timestamp"],
        change=properties["change"],
        segment_set=properties["segment_set"],
        segment_name=properties["segment_name"],
        cause=properties["cause"],
        reason=properties["reason"],
    )

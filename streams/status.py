"""What the worker's page shows: read from the engine at the moment somebody looks."""

from __future__ import annotations

from streams.engine import Engine
from streams.profiles import segment_sizes
from streams.telemetry import EngineMetrics
from streams.web import SegmentRow, Snapshot


class WorkerStatus:
    """A worker's state for its page."""

    def __init__(self, engine: Engine, counters: EngineMetrics, broker: str) -> None:
        self._engine = engine
        self._counters = counters
        self._broker = broker

    def snapshot(self) -> Snapshot:
        """Return the state as of now; costs a pass over the customers' segment numbers."""
        engine, model = self._engine, self._engine.newest
        return Snapshot(
            customers=sum(engine.customers(number) for number in engine.parts),
            events=self._counters.processed,
            dead_letters=self._counters.dead_letters,
            model_version=model.version if model else 0,
            broker=self._broker,
            segments=self._segments(),
            changes=(),
        )

    def _segments(self) -> list[SegmentRow]:
        model = self._engine.newest
        if model is None:
            return []
        sizes = segment_sizes(self._engine)
        return [
            SegmentRow(segment_set="behaviour", id=info.id, name=info.name, size=sizes.get(info.number, 0))
            for info in model.segments
        ]

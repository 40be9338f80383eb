"""Drive the engine with recorded events, in event time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from streams.clock import ManualClock
from streams.codec.hashing import partition_for
from streams.engine import Engine
from streams.merging import MODELS, Merging
from streams.outbox import BACKFILL, CHANGES, DELTAS
from streams.records import INPUT_TOPICS, RawList, Record
from streams.replay.sinks import Sink
from streams.settings import Settings
from streams.shop.record import ShopRecord
from streams.wiring import make_engine, make_merging

HOUR_MS = 3_600_000
DEFAULT_CHUNK = 4000


@dataclass(slots=True)
class Report:
    """What a replay did; the same for the same history."""

    records: dict[str, int] = field(default_factory=lambda: dict.fromkeys(INPUT_TOPICS, 0))
    counted: int = 0
    dead_letters: int = 0
    duplicates: int = 0
    erased: int = 0
    customers: int = 0
    totals: dict[str, float] = field(default_factory=dict)
    """Sums over all customers."""
    changes: dict[str, int] = field(default_factory=lambda: {"entered": 0, "left": 0})
    causes: dict[str, int] = field(default_factory=dict)
    model_version: int = 0
    segments: list[dict[str, Any]] = field(default_factory=list)
    first_event_ms: int = 0
    last_event_ms: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    """Rows of the files that made no record, by reason."""

    def to_json(self) -> bytes:
        """Return the report as indented JSON with a line end."""
        return orjson.dumps(msgspec.to_builtins(self), option=orjson.OPT_INDENT_2) + b"\n"


class _Properties(msgspec.Struct):
    change: str
    cause: str


class _ChangeHead(msgspec.Struct):
    properties: _Properties


_decode_change = msgspec.json.Decoder(_ChangeHead).decode


class Replay:
    """One run over recorded events.

    Args:
        settings: the deployment's.
        sink: where the effects go.
        sweep_ms: event time between sweeps, rounded up to the grid of the settings' sweep interval.
        chunk: most events per call of the engine; the result does not depend on it.
        run_id: part of the message ids.

    Raises:
        InputFileError: the definitions of the settings cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        sink: Sink,
        *,
        sweep_ms: int = HOUR_MS,
        chunk: int = DEFAULT_CHUNK,
        run_id: str = "replay",
    ) -> None:
        self._settings = settings
        self._sink = sink
        grid = settings.sweep_interval_s * 1000
        self._sweep_ms = sweep_ms = -(-sweep_ms // grid) * grid
        self._chunk = chunk
        self.clock = ManualClock(0)
        self.merging: Merging = make_merging(settings)
        self.merging.define(None)  # before the engine is built, which may take a minute
        self.engine: Engine = make_engine(
            settings, self.clock, recorded=True, sweep_ms=sweep_ms, run_id=run_id, origin="backfill"
        )
        self.report = Report()
        self.ticks = 0
        """Sweeps so far; models and definitions come into force at them."""
        self._offsets: dict[tuple[int, int], int] = {}
        self._deltas = 0
        for partition in range(settings.partitions):
            self.engine.open(partition)
        self._publish(self.merging.take_definitions() or [])

    def run(self, records: Iterable[ShopRecord]) -> Report:
        """Process all records, in the order given, and return the report.

        Ticks are those of the newest event time so far, for all partitions at once; before the first event
        after a tick, everyone is decided as of the tick.

        Raises:
            LiveSegmentsError: the input is such that going on makes no sense.
        """
        batch = RawList()
        newest = 0
        partitions: dict[bytes, int] = {}
        for record in records:
            if record.time_ms > newest:
                if newest and record.time_ms // self._sweep_ms > newest // self._sweep_ms:
                    self._process(batch, newest)
                    batch = RawList()
                    self._tick(record.time_ms // self._sweep_ms * self._sweep_ms)
                newest = record.time_ms
                self.report.first_event_ms = self.report.first_event_ms or newest
            key = record.key
            number = partitions.get(key)
            if number is None:
                number = partitions[key] = partition_for(
                    key, self._settings.partitions, self._settings.partitioner
                )
            place = (number, record.topic)
            offset = self._offsets.get(place, 0)
            self._offsets[place] = offset + 1
            batch.append(number, record.topic, offset, record.time_ms, key, record.value)
            if len(batch) >= self._chunk:
                self._process(batch, newest)
                batch = RawList()
        self._process(batch, newest)
        self._commit()
        self._finish(newest)
        return self.report

    def _process(self, batch: RawList, now_ms: int) -> None:
        if not len(batch):
            return
        self.clock.set(max(now_ms, self.clock.now_ms()))
        raw = batch.batch()
        for topic in raw.topic.tolist():
            self.report.records[INPUT_TOPICS[topic]] += 1
        self.engine.process(raw)

    def _tick(self, tick_ms: int) -> None:
        self.ticks += 1
        self.clock.set(max(tick_ms, self.clock.now_ms()))
        self.engine.advance_to(self.engine.parts, tick_ms, tick_ms)
        self._commit()

    def _commit(self) -> None:
        now_ms = self.clock.now_ms()
        for number in self.engine.parts:
            if self.engine.dirty(number):
                self._write(self.engine.take(number, now_ms).records)
        made = self.merging.take()
        if made is not None:
            self._publish(made)

    def _publish(self, made: list[Record]) -> None:
        """Hand on what the merger has made."""
        for record in made:
            if record.topic == MODELS and record.value is not None:
                self.engine.offer_model(record.value)
        self._write(made)

    def _write(self, records: list[Record]) -> None:
        for record in records:
            if record.topic == DELTAS and record.value is not None:
                self.merging.process(self._deltas, record.value)
                self._deltas += 1
            elif record.topic in {CHANGES, BACKFILL} and record.value is not None:
                head = _decode_change(record.value).properties
                self.report.changes[head.change] += 1
                self.report.causes[head.cause] = self.report.causes.get(head.cause, 0) + 1
        self._sink.write(records)

    def _finish(self, newest: int) -> None:
        report, parts = self.report, self.engine.parts.values()
        report.last_event_ms = newest
        report.counted = sum(p.counted for p in parts)
        report.dead_letters = sum(p.dead for p in parts)
        report.duplicates = sum(p.duplicates for p in parts)
        report.erased = sum(p.ignored for p in parts)
        report.customers = sum(len(p.index) for p in parts)
        report.totals = totals(self.engine)
        sizes = self.engine.segment_sizes()
        model = self.merging.model
        report.model_version = model.version if model is not None else 0
        named = {s.number: s.name for p in parts if p.model for s in p.model.segments}
        report.segments = [
            {"id": f"b-{n}" if n else None, "name": named.get(n, "(none yet)"), "size": size}
            for n, size in sorted(sizes.items(), key=lambda pair: -pair[1])
        ]
        self._sink.finish(self.engine, report.to_json())


def totals(engine: Engine) -> dict[str, float]:
    """Return exact sums over all customers: buyers, orders, refunds, views, clicks, and money."""
    sums = dict.fromkeys(("orders", "refunds", "views", "clicks", "money_gross", "money_refunded"), 0)
    buyers = 0
    for part in engine.parts.values():
        rows = engine.slab.rows[list(part.index.values())]
        buyers += int((rows["orders"] > 0).sum())
        for name in sums:
            sums[name] += int(rows[name].sum())
    money = {f"{name}": sums.pop(f"money_{name}") / 10_000 for name in ("gross", "refunded")}
    return {"buyers": buyers, **sums, "money_gross": money["gross"], "money_refunded": money["refunded"]}

"""An engine driven chunk by chunk, and what it has made so far in a form that compares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np
import orjson

import streams.merging
from models.audiences import Definitions, catalogue, parse, successor
from models.features import FEATURES, View, evaluate
from models.profiles import gather
from streams.clock import ManualClock
from streams.codec.activation import is_definitions
from streams.codec.hashing import partition_for
from streams.engine import Engine
from streams.observer import NO_OBSERVER, EngineObserver
from streams.outbox import BACKFILL, CHANGELOG
from streams.records import RawList, Record
from streams.replay import Replay
from streams.settings import Settings
from streams.shop.record import ShopRecord
from streams.wiring import make_engine
from tests.oracle.synthetic import DAY_MS, stream

HOUR_MS = 3_600_000
SETTINGS = Settings(partitions=2, n_clusters=3, margin=0.02, min_events=2, timezone="Europe/Berlin")
"""Few partitions, and segments that customers leave easily."""


class Collect:
    """A sink that keeps all records."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def write(self, records: Sequence[Record]) -> None:
        """Keep the records of one commit."""
        self.records += records

    def finish(self, engine: Engine, report: bytes) -> None:
        """Do nothing."""


def record(topic: int, customer: str, number: object, time_ms: int, **fields: Any) -> ShopRecord:
    """Return a record of the input contract; a record of `purchases` gets an order id."""
    value = {"event_id": f"e-{number}", "customer_id": customer, "occurred_at": time_ms, "order_id": "o"}
    return ShopRecord(topic, customer.encode(), orjson.dumps(value | fields), time_ms)


def replayed(
    records: Iterable[ShopRecord], chunk: int, settings: Settings = SETTINGS
) -> tuple[Replay, Collect]:
    """Return a finished replay that makes its first model of a few customers, and all that it wrote."""
    sink = Collect()
    with patch.object(streams.merging, "WARMUP_ROWS", 40):
        replay = Replay(settings, sink, sweep_ms=DAY_MS, chunk=chunk)
        replay.run(records)
    return replay, sink


@cache
def trained_model() -> bytes:
    """Return a model that was learned from some customers."""
    _, sink = replayed(stream(seed=11, customers=20, days=30), 1000)
    made = [r.value for r in sink.records if r.topic == streams.merging.MODELS and r.value is not None]
    return [value for value in made if not is_definitions(value)][-1]


AUDIENCES = """
[[audience]]
id = "buyers"
name = "Buyers"
enter = "orders_total >= 1"

[[audience]]
id = "lapsed"
name = "Lapsed"
enter = "days_since_seen > 2 AND is_buyers"
leave = "days_since_seen <= 1"
cooldown = "1d"

[[audience]]
id = "lookers"
name = "Lookers"
enter = "views_7d >= 2 AND NOT is_buyers"
min_stay = "12h"

[[audience]]
id = "phones"
name = "Phone fans"
enter = "top_category = 'phones' OR behaviour_segment = 'b-2'"
"""
"""Audiences that need each other, behaviour segments, names, and time."""


def definitions(text: str = AUDIENCES, previous: bytes | None = None) -> bytes:
    """Return definitions as the model log holds them."""
    before = None if previous is None else Definitions.from_bytes(previous)
    made = successor(before, parse(text, catalogue()))
    assert made is not None
    return made.to_bytes()


class Driver:
    """An engine with all its partitions, a model and audiences, and what it has written."""

    sliced = False
    """Sweeps go on a slice at a time: `slices` of them after each chunk."""
    slices = 0
    sweep_ms = HOUR_MS

    def __init__(self, log: Sequence[bytes] | None = None, observer: EngineObserver = NO_OBSERVER) -> None:
        self.clock = ManualClock(0)
        self.log: list[bytes] = []
        """What was offered."""
        self.engine = make_engine(
            SETTINGS,
            self.clock,
            observer=observer,
            recorded=True,
            sweep_ms=self.sweep_ms,
            run_id="run",
            origin="backfill",
        )
        self.engine.rules = replace(self.engine.rules, sliced=self.sliced)
        for partition in range(SETTINGS.partitions):
            self.engine.open(partition)
        for data in [trained_model(), definitions()] if log is None else log:
            self.offer(data)
        self.written: list[Record] = []
        self._offsets: dict[tuple[int, int], int] = {}

    def offer(self, data: bytes) -> Driver:
        """Offer a record of the model log."""
        self.log.append(data)
        self.engine.offer_model(data)
        return self

    def feed(self, records: Sequence[ShopRecord]) -> Driver:
        """Process records as one chunk."""
        raw = RawList()
        for r in records:
            place = (partition_for(r.key, SETTINGS.partitions, SETTINGS.partitioner), r.topic)
            offset = self._offsets[place] = self._offsets.get(place, -1) + 1
            raw.append(*place, offset, r.time_ms, r.key, r.value)
        self.clock.set(max([self.clock.now_ms(), *(r.time_ms for r in records)]))
        if records:
            self.engine.process(raw.batch())
        for _ in range(self.slices):
            self.engine.sweep(self.engine.parts)
        return self

    def finish(self) -> Driver:
        """Carry all sweeps to their end."""
        while self.engine.sweep(self.engine.parts):
            pass
        return self

    def commit(self) -> Driver:
        """Write what is due."""
        for partition in self.engine.parts:
            self.written += self.engine.take(partition, 0).records
        return self

    def successor(self) -> Driver:
        """Return another driver whose engine starts from what this one has committed."""
        other = type(self)(self.log)
        other.clock.set(self.clock.now_ms())
        other.written, other._offsets = list(self.written), dict(self._offsets)
        for partition in other.engine.parts:
            log = [r for r in self.written if r.topic == CHANGELOG and r.partition == partition]
            other.engine.restore(partition, [r.key or b"" for r in log], [r.value for r in log])
            positions = {topic: offset + 1 for (p, topic), offset in self._offsets.items() if p == partition}
            other.engine.opened(partition, positions)
        return other

    def changes(self) -> list[tuple[bytes | None, bytes | None]]:
        """Return key and value of the change records, those of a partition in order."""
        made = [r for r in self.written if r.topic == BACKFILL]
        return [(r.key, r.value) for r in sorted(made, key=lambda r: r.partition)]

    def last_changes(self) -> dict[str, int]:
        """Return the last sequence of each customer, having checked that none is missing or repeated."""
        last: dict[str, int] = {}
        for key, value in self.changes():
            customer, properties = (key or b"").decode(), orjson.loads(value or b"{}")["properties"]
            assert properties["sequence"] == last.get(customer, 0) + 1
            last[customer] = properties["sequence"]
        return last

    def rows(self) -> dict[bytes, bytes]:
        """Return the row of each customer."""
        return rows_of(self.engine)

    def features(self, at_ms: int) -> dict[bytes, dict[str, float]]:
        """Return all features of all customers, names as codes."""
        found = {}
        for part in self.engine.parts.values():
            for key, row in part.index.items():
                view = View(
                    gather(self.engine.slab.rows, np.array([row])), np.array([at_ms]), self.engine.calendar
                )
                found[key] = {name: float(column[0]) for name, column in evaluate(view, FEATURES).items()}
        return found


def rows_of(engine: Engine) -> dict[bytes, bytes]:
    """Return the row of each customer as bytes."""
    return {
        key: engine.slab.bytes[row].tobytes()
        for part in engine.parts.values()
        for key, row in part.index.items()
    }


def names_of(engine: Engine) -> list[list[tuple[str, int, str]]]:
    """Return the names of each partition with their codes."""
    return [part.names.all() for _, part in sorted(engine.parts.items())]


def in_chunks(records: Sequence[ShopRecord], size: int) -> list[Sequence[ShopRecord]]:
    """Return the records in chunks of a size."""
    return [records[start : start + size] for start in range(0, len(records), size)]


def driven(chunks: Iterable[Sequence[ShopRecord]], after: Callable[[Driver], object] | None = None) -> Driver:
    """Return a driver that was fed with chunks; `after` is called after each."""
    driver = Driver()
    for chunk in chunks:
        driver.feed(chunk)
        if after is not None:
            after(driver)
    return driver.finish().commit()

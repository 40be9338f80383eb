"""Online Retail through the product's own replay: what was learned, who is there, who moved."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import orjson

from models.clusterer import Accumulator, Delta, Model
from models.events import F64, I64
from models.features import View, vectors
from models.profiles import gather
from streams.codec.activation import is_definitions
from streams.engine import Engine
from streams.merging import MODELS
from streams.outbox import BACKFILL, CHANGES
from streams.records import Record
from streams.replay import Replay
from streams.settings import load_settings
from streams.shop.formats import read_records
from streams.shop.record import ShopRecord
from tests.quality.flapping import DAY_MS, Entry

DATA = Path(os.environ.get("SHOP_DATA") or Path(__file__).parents[3] / "shared" / "data")
FILE = DATA / "online_retail_2010-12_2011-12.csv.gz"


class Recording(Accumulator):
    """Keeps the rows that were learned, in their order."""

    def __init__(self, like: Accumulator, rows: list[F64]) -> None:
        super().__init__(like.features, like.model, like.bootstrap_rows)
        self._rows = rows

    def learn(self, rows: F64) -> None:
        """Learn rows (n, d), and keep them."""
        self._rows.append(rows.copy())
        super().learn(rows)

    def take(self) -> list[Delta]:
        """Return what was learned."""
        return super().take()


@dataclass(frozen=True)
class Shop:
    """A finished replay."""

    learned: F64
    """(n, d) transformed rows in the order they were learned."""
    customers: F64
    """(m, d) all customers who have a segment, as they are at the end."""
    held: I64
    """(m,) number of the segment that each holds."""
    model: Model
    """In force at the end."""
    versions: list[Model]
    events: dict[str, list[int]]
    entries: dict[str, list[Entry]]

    @property
    def astray(self) -> float:
        """Return the share of customers who are held in a segment that is not the nearest."""
        return float((self.model.assign(self.customers) != self.held).mean())

    @property
    def cost_of_staying(self) -> float:
        """Return the squared distances to the segments held, as a multiple of those to the nearest ones."""
        squares = self.model.distances(self.customers) ** 2
        held = np.searchsorted(self.model.numbers, self.held)
        return float(squares[np.arange(len(held)), held].sum() / squares.min(axis=1).sum())


class Keep:
    """A sink that keeps the entries into segments, and the models."""

    def __init__(self) -> None:
        self.entries: dict[str, list[Entry]] = defaultdict(list)
        self.models: list[Model] = []

    def write(self, records: Sequence[Record]) -> None:
        """Keep what is asked for later."""
        for record in records:
            if record.value is None:
                continue
            if record.topic == MODELS and not is_definitions(record.value):
                self.models.append(Model.from_bytes(record.value))
            elif record.topic in {CHANGES, BACKFILL}:
                change = orjson.loads(record.value)
                said = change["properties"]
                if said["change"] == "entered" and said["segment_set"] == "behaviour":
                    time = datetime.fromisoformat(change["timestamp"]).timestamp()
                    self.entries[change["userId"]].append(
                        Entry(round(time * 1000), said["audience_key"], said["cause"])
                    )

    def finish(self, engine: Engine, report: bytes) -> None:
        """Do nothing."""


def replayed(margin: float | None = None, sweep_days: int = 7) -> Shop:
    """Replay all of Online Retail, sweeping every so many days."""
    settings = load_settings({}, {"currency": "GBP"} | ({} if margin is None else {"margin": str(margin)}))
    sink, rows = Keep(), list[F64]()
    replay = Replay(settings, sink, sweep_ms=sweep_days * DAY_MS)
    for part in replay.engine.parts.values():
        part.accumulator = Recording(part.accumulator, rows)
    events: dict[str, list[int]] = defaultdict(list)

    def heard() -> Iterator[ShopRecord]:
        for record in read_records([FILE], "online-retail"):
            events[record.key.decode()].append(record.time_ms)
            yield record

    report = replay.run(heard())
    engine = replay.engine
    places = [row for part in engine.parts.values() for row in part.index.values()]
    r = gather(engine.slab.rows, np.array(places))
    r = r[r["behaviour"] > 0]
    seen = vectors(View(r, np.maximum(r["last_seen"], report.last_event_ms), engine.calendar))
    for times in events.values():
        times.sort()
    held = r["behaviour"].astype(np.int64)
    model = next(iter(engine.parts.values())).model
    if model is None:
        raise ValueError("the history is too short for a model")
    return Shop(np.concatenate(rows), seen, held, model, sink.models, dict(events), dict(sink.entries))

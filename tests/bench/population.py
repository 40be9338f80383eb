"""An engine with as many customers as wanted, made from the rows of a simulated shop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streams.clock import ManualClock, SystemClock
from streams.engine import Engine
from streams.merging import MODELS
from streams.outbox import CHANGELOG
from streams.records import Record
from streams.replay import Replay
from streams.settings import Settings
from streams.shop.simulation import simulate
from streams.wiring import make_engine
from tests.bench.restore import DAY_MS, EVENTS_EACH, YEAR_MS, commits


class Kept:
    """A sink of a replay that keeps what an engine restores from."""

    def __init__(self) -> None:
        self.models: list[bytes] = []
        self.rows: dict[int, dict[bytes, Record]] = {}

    def write(self, records: Sequence[Record]) -> None:
        """Keep the models, and the newest row of each key."""
        for record in records:
            if record.topic == MODELS and record.value is not None:
                self.models.append(record.value)
            elif record.topic == CHANGELOG and record.key is not None:
                self.rows.setdefault(record.partition, {})[record.key] = record

    def finish(self, engine: Engine, report: bytes) -> None:
        """Do nothing."""


@dataclass(slots=True)
class Shop:
    """A year of a simulated shop, as it was committed."""

    settings: Settings
    end_ms: int
    kept: Kept

    def engine(self) -> tuple[Engine, ManualClock]:
        """Return a worker's engine without customers that knows the models and the audiences."""
        clock = ManualClock(self.end_ms)
        engine = make_engine(self.settings, clock)
        for data in self.kept.models:
            engine.offer_model(data)
        for partition in range(self.settings.partitions):
            engine.open(partition)
        return engine, clock

    def restore(self, engine: Engine, customers: int) -> None:
        """Restore so many customers, each one of the shop's under a name of its own."""
        partitions = self.settings.partitions
        for number in range(partitions):
            rows = list(self.kept.rows[number].values())
            share = customers // partitions + (number < customers % partitions)
            for batch in ([row for row in rows if not _of_customer(row)], *commits(rows, share)):
                engine.restore(number, [row.key or b"" for row in batch], [row.value for row in batch])
            engine.restored(number)
            positions = engine.parts[number].positions
            engine.opened(number, {topic: max(at, 0) for topic, at in enumerate(positions)})


def _of_customer(row: Record) -> bool:
    return (row.key or b"")[:1] in {b"h", b"c"}


def shop(settings: Settings, customers: int) -> Shop:
    """Return a year of a shop with so many customers, ending now."""
    kept, end_ms = Kept(), SystemClock().now_ms()
    replay = Replay(settings, kept, sweep_ms=DAY_MS)
    replay.run(simulate(customers * EVENTS_EACH, customers, 1, end_ms - YEAR_MS, end_ms))
    return Shop(settings, end_ms, kept)

"""Every feature of every customer against its second definition, in SQL over the raw records."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest

from streams.profiles import tables
from streams.replay import NullSink, Replay
from streams.settings import Settings
from streams.shop.formats import read_records
from streams.shop.record import ShopRecord
from streams.shop.simulation import simulate
from tests.oracle import value_oracle
from tests.oracle.features_oracle import BY_SQL, Oracle, Row, differences
from tests.oracle.synthetic import DAY_MS, START_MS, stream

DATA = Path(os.environ.get("SHOP_DATA") or Path(__file__).parents[3] / "shared" / "data")
recorded = pytest.mark.skipif(not DATA.is_dir(), reason=f"recorded shop data not at {DATA}; set SHOP_DATA")
WEEK_MS = 7 * DAY_MS
LATER_MS = (3_600_000, 20 * DAY_MS)
"""When the features are asked for, after the newest event: in their windows, and when some have run out."""


def compare(records: list[ShopRecord], settings: Settings, fewest: int) -> None:
    """Replay the records and compare all features of all customers, of whom there are at least `fewest`."""
    replay = Replay(settings, NullSink(), sweep_ms=WEEK_MS)
    report = replay.run(records)
    assert report.dead_letters == 0
    oracle = Oracle(records, settings.timezone)
    for later in LATER_MS:
        at_ms = report.last_event_ms + later
        engine = {row["customer_id"]: row for t in tables(replay.engine, at_ms) for row in t.to_pylist()}
        features, bounds = oracle.ask(at_ms)
        found = differences(engine, features, bounds)
        parts = replay.engine.parts.values()
        models = {key.decode(): part.model.value for part in parts if part.model for key in part.index}
        found += value_oracle.differences(engine, features, defaultdict(lambda: None, models))

        assert len(engine) >= fewest
        assert found == [], f"{len(found)} differ"


@pytest.fixture(scope="module")
def everything() -> list[ShopRecord]:
    """A stream with everything."""
    return stream(seed=7)


def test_every_feature_of_the_registry_has_its_sql(everything: list[ShopRecord]) -> None:
    """A feature without a second definition, and a definition without a feature, are found."""
    features, bounds = Oracle(everything[:50], "UTC").ask(START_MS)

    assert {name for row in features.values() for name in row} == {f.name for f in BY_SQL}
    assert features.keys() == bounds.keys()


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles"])
def test_a_stream_with_everything(everything: list[ShopRecord], zone: str) -> None:
    """Late events, duplicates, refunds, erasures and all: the same figures, in two time zones."""
    compare(everything, Settings(timezone=zone), fewest=35)


@pytest.mark.parametrize("seed", [1, 2])
def test_further_streams(seed: int) -> None:
    """Other seeds give the same figures too."""
    compare(stream(seed, customers=20, days=90), Settings(partitions=3, timezone="Europe/Berlin"), fewest=15)


def test_every_feature_is_known_of_someone(everything: list[ShopRecord]) -> None:
    """No feature is unknown, or the same for everyone, in the stream that it is tested on."""
    features, _ = Oracle(everything, "UTC").ask(max(record.time_ms for record in everything))
    values: dict[str, set[str]] = {f.name: set() for f in BY_SQL}
    for row in features.values():
        _collect(values, row)

    assert {name for name, seen in values.items() if len(seen) < 2} == set()


def _collect(values: dict[str, set[str]], row: Row) -> None:
    for name, value in row.items():
        if value is not None:
            values[name].add(str(value))


def test_the_simulated_shop() -> None:
    """The demo's customers: the same figures."""
    records = list(simulate(12_000, 300, seed=5, start_ms=START_MS, end_ms=START_MS + 120 * DAY_MS))

    compare(records, Settings(timezone="Europe/Berlin", currency="GBP"), fewest=250)


@recorded
@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "form", "currency", "customers"),
    [
        ("online_retail_2010-12_2011-12.csv.gz", "online-retail", "GBP", 4372),
        ("taobao_815_users.csv.gz", "taobao", "EUR", 815),
        ("retailrocket_5000_visitors.csv.gz", "retailrocket", "EUR", 5000),
    ],
)
def test_recorded_shops(name: str, form: str, currency: str, customers: int) -> None:
    """Every customer of the published data sets: the same figures."""
    compare(list(read_records([DATA / name], form)), Settings(currency=currency), fewest=customers - 10)

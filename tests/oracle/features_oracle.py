"""The features of all customers by SQL over the raw records, and how they differ from the engine's."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from models.features import FEATURES, Feature
from models.profiles.layout import BRAND_SLOTS, CATEGORY_SLOTS, CHANNEL_SLOTS, DEVICE_SLOTS, ORDER_DAYS
from streams.records import INPUT_TOPICS
from streams.shop.record import ShopRecord

HERE = Path(__file__).parent
REMEMBERED_IDS = 8
"""An event whose id is among so many accepted ones before it is ignored (the contract's number)."""
EXACT_DAYS = 16
"""A window with so many days with orders is exact; the rest of the ring holds what is older."""
DECAYED = 1e-9
ROUNDING = 1e-12
"""Relative tolerance of quotients: the same formula may round another way in another program."""

SLOTS = {
    "top_category": ("categories", CATEGORY_SLOTS),
    "top_category_share": ("categories", CATEGORY_SLOTS),
    "category_diversity": ("categories", CATEGORY_SLOTS),
    "top_brand": ("brands", BRAND_SLOTS),
    "top_brand_share": ("brands", BRAND_SLOTS),
    "channel_main": ("channels_used", CHANNEL_SLOTS),
    "device_main": ("devices", DEVICE_SLOTS),
}
"""Features that are exact while the customer's names fit the slots: the column of `bounds`, and the slots."""
WINDOWS = {
    f"{what}_{days}d": f"order_days_{days}d" for what in ("orders", "money") for days in (30, 90, 365)
} | {"campaign_orders_90d": "order_days_90d"}
"""Features that are exact while few enough days of the window have orders: the column of `bounds`."""
MONEY = {"money_total", "refunds_total", "money_30d", "money_90d", "money_365d"}
"""Sums of money, compared as whole numbers of 1/10,000."""

BY_SQL = tuple(feature for feature in FEATURES if feature.exact != "model")
"""Features that are counted; estimates have definitions of their own in `value_oracle`."""

Row = dict[str, Any]


@dataclass
class Known:
    """What is accepted of a customer so far."""

    ids: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED_IDS))
    rows: list[tuple[int, str, str, str]] = field(default_factory=list)
    erased_ms: int = 0


def accepted(records: Iterable[ShopRecord]) -> Iterator[tuple[int, str, str, str]]:
    """Yield (sequence, topic, customer, value) of the records that count: no duplicates, nobody erased."""
    customers: dict[str, Known] = {}
    for sequence, record in enumerate(records):
        value = json.loads(record.value)
        known = customers.setdefault(value["customer_id"], Known())
        if value.get("erase"):
            customers[value["customer_id"]] = Known(erased_ms=max(known.erased_ms, record.time_ms))
        elif record.time_ms > known.erased_ms and value["event_id"] not in known.ids:
            known.ids.append(value["event_id"])
            known.rows.append(
                (sequence, INPUT_TOPICS[record.topic], value["customer_id"], record.value.decode())
            )
    for known in customers.values():
        yield from known.rows


class Oracle:
    """DuckDB with the accepted records of a stream.

    Args:
        records: good records in delivery order.
        zone: time zone of the calendar days.
    """

    def __init__(self, records: Iterable[ShopRecord], zone: str) -> None:
        self._db = duckdb.connect()
        self._db.execute("SET TimeZone = 'UTC'; SET threads = 2")
        self._db.execute("CREATE TABLE place AS SELECT ? AS zone", [zone])
        rows = list(accepted(records))
        columns = [list(column) for column in zip(*rows, strict=True)]
        table = pa.table(dict(zip(("seq", "topic", "customer", "text"), columns, strict=True)))
        self._db.register("records", table)
        self._db.execute(
            "CREATE TABLE raw AS SELECT seq, topic, customer, CAST(text AS JSON) AS value FROM records"
        )
        self._db.execute((HERE / "events.sql").read_text())

    def ask(self, at_ms: int) -> tuple[dict[str, Row], dict[str, Row]]:
        """Return the tables `features` and `bounds` as of a time, by customer."""
        self._db.execute("CREATE OR REPLACE TABLE asked AS SELECT ?::BIGINT AS at_ms", [at_ms])
        self._db.execute((HERE / "features.sql").read_text())
        return self._table("features"), self._table("bounds")

    def _table(self, name: str) -> dict[str, Row]:
        found = self._db.sql(f"FROM {name}").to_arrow_table()
        return {row.pop("customer"): row for row in found.to_pylist()}


def differences(engine: dict[str, Row], features: dict[str, Row], bounds: dict[str, Row]) -> list[str]:
    """Return a line for each feature of each customer whose engine value is not the oracle's."""
    found = [f"{c}: known to one only" for c in engine.keys() ^ features.keys()]
    for customer in sorted(engine.keys() & features.keys()):
        mine, theirs, bound = engine[customer], features[customer], bounds[customer]
        for feature in BY_SQL:
            got, expected = mine[feature.name], theirs[feature.name]
            if not _agree(feature, got, expected, bound, mine):
                found.append(f"{customer} {feature.name}: engine {got!r}, SQL {expected!r}")
    return found


def _agree(feature: Feature, got: Any, expected: Any, bound: Row, mine: Row) -> bool:
    """Return whether a value is right, or within its bounds where the row cannot hold all that it needs."""
    name = feature.name
    if name in SLOTS and bound[SLOTS[name][0]] > SLOTS[name][1]:
        return got is not None and (feature.unit == "name" or 0 <= got <= 1)
    if name in WINDOWS and bound["order_days"] > ORDER_DAYS and bound[WINDOWS[name]] > EXACT_DAYS:
        return not mine["orders_exact"] and (name in MONEY or expected <= got <= mine["orders_total"])
    if got is None or expected is None:
        return got is expected
    return _equal(feature, got, expected, bound)


def _equal(feature: Feature, got: Any, expected: Any, bound: Row) -> bool:
    """Return whether two known values are the same, as far as the feature promises."""
    if isinstance(expected, list):  # of favourites that tie
        return got in expected
    if feature.name in MONEY:
        return round(got * 10_000) == int(expected)
    if isinstance(expected, str) or (feature.exact != "decayed" and feature.unit in {"count", "flag"}):
        return bool(got == expected)
    allowed = DECAYED if feature.exact == "decayed" else ROUNDING
    return abs(got - float(expected)) <= allowed * float(bound.get(feature.name, abs(expected)))

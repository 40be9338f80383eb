"""The simulated shop: what it emits, and that the same arguments give the same bytes."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any

import msgspec
import orjson
import pytest

from streams.codec.events import Decoder, InputRules
from streams.codec.hashing import partition_for
from streams.errors import UsageError
from streams.records import CLICKS, CUSTOMERS, PURCHASES, VIEWS, RawList
from streams.shop.catalogue import load
from streams.shop.customers import KINDS
from streams.shop.extract import EXTRACT
from streams.shop.record import ShopRecord
from streams.shop.simulation import live_shop, simulate

DAY_MS = 86_400_000
START_MS = 1_767_225_600_000
"""2026-01-01."""


class _Any(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    event_id: str
    customer_id: str
    occurred_at: int


class _Context(_Any, kw_only=True):
    session_id: str
    channel: str
    country: str
    device: str | None = None


class _Click(_Context, kw_only=True):
    action: str
    campaign_id: str | None = None
    offer_id: str | None = None
    rating: int | None = None
    product_id: str | None = None


class _View(_Context, kw_only=True):
    product_id: str
    price: float
    category: str | None = None
    brand: str | None = None
    dwell_seconds: float | None = None


class _Item(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    product_id: str
    quantity: int
    unit_price: float
    category: str | None = None
    brand: str | None = None
    discount: float = 0.0


class _Purchase(_Context, kw_only=True):
    order_id: str
    kind: str
    currency: str
    total: float
    items: list[_Item]
    campaign_id: str | None = None
    offer_id: str | None = None


class _Attributes(_Any, kw_only=True):
    attributes: dict[str, str | int | bool]


CONTRACT = {CLICKS: _Click, VIEWS: _View, PURCHASES: _Purchase, CUSTOMERS: _Attributes}


@cache
def season() -> list[ShopRecord]:
    """Return the simulation that the demo runs."""
    return list(simulate(20_000, 600, 7, START_MS, START_MS + 75 * DAY_MS))


def values(topic: int) -> list[dict[str, Any]]:
    """Return the decoded values of a topic."""
    return [orjson.loads(record.value) for record in season() if record.topic == topic]


def test_every_record_fits_the_input_contract() -> None:
    """Required members are there with the right types, no others, and key, id and time agree."""
    seen = set()
    for record in season():
        value = msgspec.json.decode(record.value, type=CONTRACT[record.topic])
        assert (value.customer_id.encode(), value.occurred_at) == (record.key, record.time_ms)
        seen.add(value.event_id)

    assert len(seen) == 20_000


def test_the_decoder_takes_every_record() -> None:
    """No record of the simulated shop is a dead letter or carries a field that is not in the contract."""
    raw = RawList()
    for offset, record in enumerate(season()[:5000]):
        partition = partition_for(record.key, 8, "murmur2")
        raw.append(partition, record.topic, offset, record.time_ms, record.key, record.value)

    decoded = Decoder(InputRules(8, "murmur2", "GBP", {}, check_future=False)).decode(raw.batch(), START_MS)

    assert (len(decoded.events), decoded.dead, decoded.unknown_fields) == (5000, [], 0)


def test_records_come_by_time_inside_the_span_as_many_as_asked() -> None:
    """Exactly the asked number, spread up to the last day."""
    times = [record.time_ms for record in season()]

    assert len(times) == 20_000
    assert times == sorted(times)
    assert times[0] >= START_MS
    assert START_MS + 74 * DAY_MS < times[-1] < START_MS + 75 * DAY_MS


def test_all_that_a_shop_can_send_occurs() -> None:
    """Every action, channel, device, kind of order, coupon, discount, attribute and tier is there."""
    clicks, orders, people = values(CLICKS), values(PURCHASES), values(CUSTOMERS)
    attributes = [person["attributes"] for person in people]

    assert {click["action"] for click in clicks} == {
        "link", "search", "add_to_cart", "remove_from_cart", "wishlist", "campaign", "offer", "rating",
    }  # fmt: skip
    assert {click["channel"] for click in clicks} == {"web", "app"}
    assert {order["channel"] for order in orders} == {"web", "app", "store"}
    assert {click["device"] for click in clicks} == {"mobile", "desktop", "tablet"}
    assert {order["kind"] for order in orders} == {"purchase", "refund"}
    assert any("offer_id" in order for order in orders)
    assert any("campaign_id" in order for order in orders)
    assert any("discount" in item for order in orders for item in order["items"])
    assert len({order["country"] for order in orders}) > 5
    assert {name for given in attributes for name in given} == {
        "birth_year", "gender", "country", "city", "loyalty_tier", "consent_marketing", "nps",
    }  # fmt: skip
    assert {"bronze", "silver", "gold"} <= {given.get("loyalty_tier") for given in attributes}
    assert {True, False} <= {given.get("consent_marketing") for given in attributes}


def test_orders_add_up() -> None:
    """A total is the sum of its lines less their discounts, and every order id is new."""
    orders = values(PURCHASES)
    for order in orders:
        lines = sum(
            item["quantity"] * Decimal(repr(item["unit_price"])) - Decimal(repr(item.get("discount", 0)))
            for item in order["items"]
        )
        assert Decimal(repr(order["total"])) == lines

    assert len({order["order_id"] for order in orders}) == len(orders)


def test_orders_are_the_recorded_ones() -> None:
    """An order has the lines, the weekday and the time of day of the invoice that it is named after."""
    recorded = {order.number: order for history in load()[1] for order in history.orders}
    for order in values(PURCHASES):
        invoice = recorded[order["order_id"].split("-")[0]]
        plain = [{name: item[name] for name in item if name != "discount"} for item in order["items"]]
        assert plain == invoice.lines
        assert (order["occurred_at"] - invoice.time_ms) % (7 * DAY_MS) == 0


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    """Nothing but the arguments decides; taking fewer records changes none of them."""
    again = simulate(20_000, 600, 7, START_MS, START_MS + 75 * DAY_MS)
    other = simulate(20_000, 600, 8, START_MS, START_MS + 75 * DAY_MS)

    assert [next(again) for _ in range(3000)] == season()[:3000]
    assert next(other) != season()[0]


def test_customers_come_stay_and_fall_silent() -> None:
    """Some appear only late, some are seen only early, some order again and again."""
    first: dict[bytes, int] = {}
    last: dict[bytes, int] = {}
    orders = Counter[bytes]()
    for record in season():
        first.setdefault(record.key, record.time_ms - START_MS)
        last[record.key] = record.time_ms - START_MS
        if record.topic == PURCHASES:
            orders[record.key] += 1

    assert sum(day > 30 * DAY_MS for day in first.values()) > 30
    assert sum(day < 40 * DAY_MS for day in last.values()) > 30
    assert sum(count >= 4 for count in orders.values()) > 20


def test_without_a_number_of_events_customers_come_at_a_natural_rate() -> None:
    """Half an event for each customer and day, about, until the end of the span."""
    made = list(simulate(None, 300, 1, START_MS, START_MS + 20 * DAY_MS))

    assert 2400 <= len(made) <= 3600
    assert made[-1].time_ms > START_MS + 19 * DAY_MS


@pytest.mark.parametrize(("events", "customers", "days"), [(500, 10, 0.01), (3000, 2000, 400), (1, 1, 30)])
def test_any_density_gives_the_asked_number(events: int, customers: int, days: float) -> None:
    """A crowd in a quarter of an hour, a year with few events, and a single one."""
    made = list(simulate(events, customers, 3, START_MS, START_MS + int(days * DAY_MS)))

    assert len(made) == events
    assert all(START_MS <= record.time_ms < START_MS + days * DAY_MS for record in made)


def test_long_simulations_repeat_the_histories() -> None:
    """After years there are still orders, and no id comes twice."""
    made = list(simulate(30_000, 50, 5, START_MS, START_MS + 1500 * DAY_MS))
    orders = [orjson.loads(record.value) for record in made if record.topic == PURCHASES]

    assert len({order["order_id"] for order in orders}) == len(orders)
    assert max(order["occurred_at"] for order in orders) > START_MS + 1400 * DAY_MS


def test_impossible_simulations_are_refused() -> None:
    """No customers, no events, or no time are one line at the call."""
    with pytest.raises(UsageError, match="customer"):
        simulate(None, 0, 1, 0, 1)
    with pytest.raises(UsageError, match="event"):
        simulate(0, 1, 1, 0, 1)
    with pytest.raises(UsageError, match="end"):
        simulate(1, 1, 1, 5, 5)


def test_the_kinds_of_customers_sum_up_and_say_what_they_do() -> None:
    """Shares sum to 1, names are unique, every kind has a sentence."""
    assert sum(kind.share for kind in KINDS) == pytest.approx(1)
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert all(kind.text.endswith(".") for kind in KINDS)


def test_the_extract_is_small_attributed_and_of_many_customers() -> None:
    """The file and its notice agree and stay below 300 kB."""
    with gzip.open(EXTRACT, "rt") as file:
        rows = list(csv.DictReader(file))
    notice = (EXTRACT.parent / "NOTICE.md").read_text()

    assert EXTRACT.stat().st_size < 300_000
    assert "Daqing Chen" in notice
    assert "CC BY 4.0" in notice
    for count, what in (
        (len({row["CustomerID"] for row in rows}), "customers"),
        (len({row["InvoiceNo"] for row in rows}), "invoices"),
        (len(rows), "lines"),
    ):
        assert f"{count:,} {what}" in notice


def test_a_live_shop_has_orders_too() -> None:
    """Though a customer orders once in weeks by the histories; fewer where the first come after years."""
    for customers, rate, least in ((600, 10.0, 0.02), (50, 20.0, 0.005)):
        live = list(islice(live_shop(customers, 42, rate, START_MS), 12_000))
        orders = sum(record.topic == PURCHASES for record in live)
        seconds = (live[-1].time_ms - live[0].time_ms) / 1000

        assert least < orders / len(live) < 0.06
        assert seconds == pytest.approx(len(live) / rate, rel=0.35)
        assert live == sorted(live, key=lambda record: record.time_ms)

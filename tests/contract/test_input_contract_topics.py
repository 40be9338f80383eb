"""The input contract: clicks, product views, purchases and customers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from models.events import Action, Attributes, Kind
from streams.records import CLICKS, CUSTOMERS, PURCHASES, VIEWS, RawList
from tests.codec_samples import (
    CUSTOMER,
    NOW_MS,
    add,
    body,
    decode,
    decode_one,
    refusal,
    refused,
)

MINUTE_MS = 60_000


def order(**fields: Any) -> tuple[int, int, int, int]:
    """Return kind, money, discount and items of an accepted purchase."""
    events = decode_one(PURCHASES, body(PURCHASES, **fields)).events
    assert len(events) == 1
    return int(events.kind[0]), int(events.money[0]), int(events.discount[0]), int(events.items[0])


@pytest.mark.parametrize(
    ("given", "action"),
    [(action.name.lower(), action) for action in Action]
    + [("dance", Action.LINK), ("", Action.LINK), (None, Action.LINK)],
)
def test_actions(given: str | None, action: Action) -> None:
    """The eight actions are told apart; any other, or none, is a link."""
    assert decode_one(CLICKS, body(CLICKS, action=given)).events.action.tolist() == [action]


@pytest.mark.parametrize("topic", [CLICKS, PURCHASES])
def test_campaign_and_offer(topic: int) -> None:
    """campaign_id and offer_id mark the touch and the coupon; empty is absent."""
    events = decode_one(topic, body(topic, campaign_id="spring", offer_id="-10%")).events
    empty = decode_one(topic, body(topic, campaign_id="", offer_id=None)).events

    assert (events.campaign.tolist(), events.offer.tolist()) == ([True], [True])
    assert (empty.campaign.tolist(), empty.offer.tolist()) == ([False], [False])


def test_ratings() -> None:
    """A rating is 0-10, kept in 1/1000; absent is -1."""
    for given, kept in ((0, 0), (10, 10_000), (4.5, 4_500), (None, -1)):
        assert decode_one(CLICKS, body(CLICKS, rating=given)).events.rating.tolist() == [kept]
    for given in (-0.1, 10.1, 1e300):
        assert refused(CLICKS, rating=given) == ("out_of_range", "rating")


def test_views() -> None:
    """A view has a category, a brand and a dwell time in milliseconds, -1 when absent."""
    events = decode_one(VIEWS, body(VIEWS)).events
    bare = decode_one(
        VIEWS, body(VIEWS, category="", brand=..., price=..., dwell_seconds=..., product_id=...)
    ).events

    assert (events.category.tolist(), events.brand.tolist(), events.dwell.tolist()) == (
        ["shoes"],
        ["acme"],
        [2500],
    )
    assert (bare.category.tolist(), bare.brand.tolist(), bare.dwell.tolist()) == ([None], [None], [-1])


@pytest.mark.parametrize(
    ("field", "value"), [("dwell_seconds", -1), ("dwell_seconds", 86_401), ("price", -0.01)]
)
def test_bounds_of_views(field: str, value: float) -> None:
    """Time spent is 0 s to a day, a price is not negative."""
    assert refused(VIEWS, **{field: value}) == ("out_of_range", field)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 400, "9" * 5000])
def test_huge_numbers(number: str) -> None:
    """A number that no float holds is out of range."""
    value = json.dumps(body(VIEWS, price="?")).replace('"?"', number).encode()

    assert refusal(decode_one(VIEWS, value)) == ("out_of_range", "price")


def test_total_defaults_to_the_lines() -> None:
    """Without a total, money is the sum over the lines of quantity * unit_price - discount."""
    lines = [{"quantity": 3, "unit_price": 0.1, "discount": 0.05}, {"unit_price": 19.99}, {"quantity": 2.0}]

    assert order(items=lines) == (Kind.PURCHASE, 3_000 - 500 + 199_900, 500, 6)
    assert order(items=lines, total=7) == (Kind.PURCHASE, 70_000, 500, 6)
    assert order(items=lines, total=0) == (Kind.PURCHASE, 0, 500, 6)


def test_no_price_is_money_0() -> None:
    """An order without prices counts, with money 0, with or without lines."""
    assert order(items=[{"product_id": "p-1", "discount": 1}]) == (Kind.PURCHASE, 0, 10_000, 1)
    assert order(items=...) == (Kind.PURCHASE, 0, 0, 0)


def test_refunds_are_positive() -> None:
    """A refund has a positive total; a negative total is refused for both kinds."""
    assert order(kind="refund", total=5.5) == (Kind.REFUND, 55_000, 0, 2)
    assert order(kind="purchase") == (Kind.PURCHASE, 199_800, 0, 2)
    for kind in ("purchase", "refund"):
        assert refused(PURCHASES, kind=kind, total=-5.5) == ("out_of_range", "total")
    assert refused(PURCHASES, kind="return") == ("out_of_range", "kind")


def test_lines_are_1_to_1000() -> None:
    """An order has 1-1000 lines; their categories and brands come with the index of their event."""
    line = {"category": "hats", "brand": "", "unit_price": 0.01}
    events = decode_one(PURCHASES, body(PURCHASES, items=[line] * 1000)).events

    assert (events.money.tolist(), events.items.tolist()) == ([100_000], [1000])
    assert events.lines.event.tolist() == [0] * 1000
    assert (set(events.lines.category.tolist()), set(events.lines.brand.tolist())) == ({"hats"}, {None})
    assert refused(PURCHASES, items=[line] * 1001) == ("out_of_range", "items")
    assert refused(PURCHASES, items=[]) == ("out_of_range", "items")


@pytest.mark.parametrize(
    ("line", "reason", "field"),
    [
        ({"quantity": 0}, "out_of_range", "items[1].quantity"),
        ({"quantity": 1.5}, "out_of_range", "items[1].quantity"),
        ({"quantity": 10**6 + 1}, "out_of_range", "items[1].quantity"),
        ({"quantity": True}, "wrong_type", "items[1].quantity"),
        ({"quantity": "1"}, "wrong_type", "items[1].quantity"),
        ({"unit_price": -1}, "out_of_range", "items[1].unit_price"),
        ({"discount": -1}, "out_of_range", "items[1].discount"),
        ({"category": 5}, "wrong_type", "items[1].category"),
        ({"brand": "x" * 257}, "out_of_range", "items[1].brand"),
        ({"unit_price": 1e10, "quantity": 11}, "out_of_range", "items"),
        ({"unit_price": 1, "discount": 9_999}, "out_of_range", "items"),
        (None, "missing_field", "items[1]"),
    ],
)
def test_bad_lines(line: dict[str, Any] | None, reason: str, field: str) -> None:
    """A bad line is named by its number, and so is what is wrong with it."""
    assert refused(PURCHASES, items=[{"unit_price": 1}, line]) == (reason, field)


def test_currencies() -> None:
    """The reporting currency needs no rate, others are converted, and one without a rate is refused."""
    lines = [{"unit_price": 100, "discount": 10}]

    assert order(items=lines, currency="EUR")[1:3] == (900_000, 100_000)
    assert order(items=lines, currency="")[1:3] == (900_000, 100_000)
    assert order(items=lines, currency="GBP")[1:3] == (1_080_000, 120_000)
    assert order(total=1, currency="JPY")[1] == 61
    assert refused(PURCHASES, currency="XYZ") == ("unknown_currency", "currency")
    assert refused(PURCHASES, total=1e11, currency="GBP") == ("out_of_range", "total")


def test_bad_purchases_leave_the_others_as_they_are() -> None:
    """A purchase that cannot be priced is refused alone; lines still point at their own events."""
    raw = RawList()
    for number, currency in enumerate(["EUR", "XYZ", "GBP", "XYZ", "EUR"]):
        add(raw, VIEWS, body(VIEWS, 10 + number))
        add(raw, PURCHASES, body(PURCHASES, number, currency=currency))
    decoded = decode(raw)

    assert [letter.index for letter in decoded.dead] == [3, 7]
    assert decoded.events.source.tolist() == [0, 1, 2, 4, 5, 6, 8, 9]
    assert decoded.events.lines.event.tolist() == [1, 4, 7]
    assert decoded.events.money.tolist() == [0, 199_800, 0, 0, 239_760, 0, 0, 199_800]


def test_attributes() -> None:
    """Attributes are handed on as given; those that are absent, null or empty are None."""
    full = {
        "birth_year": 1980, "gender": "f", "country": "FR", "city": "Lyon", "loyalty_tier": "gold",
        "consent_marketing": False, "nps": 9.0, "shoe_size": 38,
    }  # fmt: skip
    events = decode_one(CUSTOMERS, body(CUSTOMERS, attributes=full, erase=False)).events
    few = decode_one(CUSTOMERS, body(CUSTOMERS, attributes={"city": "", "nps": None})).events
    none = decode_one(CUSTOMERS, body(CUSTOMERS, attributes=...)).events

    assert events.kind.tolist() == [Kind.ATTRIBUTES]
    assert events.attributes == {
        0: Attributes(1980, "f", "FR", "Lyon", "gold", consent_marketing=False, nps=9)
    }
    assert few.attributes == none.attributes == {0: Attributes()}


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"birth_year": 80}, "out_of_range"), ({"birth_year": "1980"}, "wrong_type"),
        ({"nps": 11}, "out_of_range"), ({"nps": 8.5}, "out_of_range"), ({"city": "x" * 257}, "out_of_range"),
        ({"consent_marketing": 1}, "wrong_type"), ({"gender": 1}, "wrong_type"),
        ({"consent_marketing": "yes"}, "wrong_type"),
    ],
)  # fmt: skip
def test_bad_attributes(attributes: dict[str, Any], reason: str) -> None:
    """An attribute of the wrong type or outside its bounds is refused and named."""
    assert refused(CUSTOMERS, attributes=attributes) == (reason, f"attributes.{next(iter(attributes))}")


def test_erase() -> None:
    """`erase: true` is an erasure at occurred_at, whatever attributes come with it."""
    events = decode_one(CUSTOMERS, body(CUSTOMERS, erase=True), timestamp=NOW_MS + 1000).events

    assert (events.kind.tolist(), events.time.tolist(), events.attributes) == ([Kind.ERASE], [NOW_MS], {})


@pytest.mark.parametrize(
    ("timestamp", "time"),
    [
        (NOW_MS - 5000, NOW_MS - 5000),
        (-1, NOW_MS),
        (0, NOW_MS),
        (NOW_MS + 2**40, NOW_MS),
        (NOW_MS + MINUTE_MS,) * 2,
    ],
)
def test_null_value_of_a_customer_is_an_erasure(timestamp: int, time: int) -> None:
    """A null value erases at the record's timestamp; without a usable timestamp it erases now."""
    events = decode_one(CUSTOMERS, None, timestamp=timestamp).events

    assert (events.kind.tolist(), events.time.tolist()) == ([Kind.ERASE], [time])
    assert events.key.tolist() == [CUSTOMER.encode()]
    assert events.event_hash[0] != 0


@pytest.mark.parametrize("topic", [CLICKS, VIEWS, PURCHASES])
def test_null_value_of_an_event_is_a_dead_letter(topic: int) -> None:
    """On the event topics null means nothing."""
    assert refusal(decode_one(topic, None)) == ("null_value", None)

"""A seeded stream with everything that the input contract knows, in an order of delivery of its own."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson

from streams.records import CLICKS, CUSTOMERS, PURCHASES, VIEWS
from streams.shop.record import ShopRecord

DAY_MS = 86_400_000
START_MS = 1_767_225_600_000
"""2026-01-01; the end of March brings summer time to most of Europe."""
MINUTE_MS = 60_000
ACTIONS = (
    *("link", "search", "add_to_cart", "remove_from_cart", "wishlist"),
    *("campaign", "offer", "rating", "wave", None),
)
"""The contract's, one that it does not know, and none."""

Draft = tuple[int, int, dict[str, Any]]
"""(event time, topic, fields)."""


def stream(seed: int, customers: int = 40, days: int = 150) -> list[ShopRecord]:
    """Return the records in delivery order.

    Most are delivered in time, some late by up to 50 days, some twice. Among the customers are some that only
    ever get refunds or attributes, buyers with more than 17 days with orders, some that are erased and come
    back, and some with more categories, brands, channels and devices than a row has slots for.
    """
    rng = random.Random(seed)
    drafts = [
        (draft, f"c-{number}") for number in range(customers) for draft in _Person(rng, number, days).drafts()
    ]
    deliveries = [(t + _delay(rng), n) for n, ((t, _, _), _) in enumerate(drafts)]
    records = []
    for _, n in sorted(deliveries):
        (t, topic, fields), customer = drafts[n]
        value = {"event_id": f"e-{n}", "customer_id": customer, "occurred_at": _written(rng, t), **fields}
        record = ShopRecord(topic, customer.encode(), orjson.dumps(value), t)
        records.append(record)
        if rng.random() < 0.03:
            records.append(record)
    return records


def _delay(rng: random.Random) -> int:
    if rng.random() < 0.9:
        return 0
    return int(rng.choice((MINUTE_MS, 60 * MINUTE_MS, DAY_MS, 50 * DAY_MS)) * rng.random())


def _written(rng: random.Random, t: int) -> int | str:
    if rng.random() < 0.7:
        return t
    zone = timezone(timedelta(hours=rng.randrange(-9, 10)))
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=t)).astimezone(zone).isoformat()


class _Person:
    """One customer's history."""

    def __init__(self, rng: random.Random, number: int, days: int) -> None:
        self._rng, self._number, self._span = rng, number, days * DAY_MS
        wide = number % 4 == 3
        self._categories: list[str | None] = [f"cat-{rng.randrange(40)}" for _ in range(15 if wide else 5)]
        self._categories += ["", None]
        self._brands: list[str | None] = [f"brand {rng.randrange(30)}" for _ in range(9 if wide else 3)]
        self._brands.append(None)
        self._channels: list[str | None] = ["web", "app", "store", "mail", *(["phone", "kiosk"] * wide), None]
        self._devices: list[str | None] = ["phone", "laptop", "tablet", *(["tv", "watch"] * wide), "", None]

    def drafts(self) -> list[Draft]:
        """Return the events, in no order."""
        if self._number % 10 == 8:
            return [self._refund(self._when()) for _ in range(3)]
        found = [self._told(self._when()) for _ in range(self._rng.randrange(5))]
        if self._number % 10 == 9:
            return found
        for _ in range(self._rng.randrange(2, 25)):
            found += self._visit(self._when())
        orders = 45 if self._number % 5 == 1 else self._rng.randrange(6)
        found += [self._order(self._when()) for _ in range(orders)]
        found += [self._refund(self._when()) for _ in range(self._rng.randrange(3))]
        if self._number % 10 == 5:
            found.append((self._when(), CUSTOMERS, {"erase": True}))
        return found

    def _when(self) -> int:
        return START_MS + int(self._rng.random() * self._span)

    def _context(self, session: str | None) -> dict[str, Any]:
        rng = self._rng
        country = rng.choice(["DE", "FR", "NL"]) if rng.random() < 0.1 else None
        context = {
            "session_id": session,
            "channel": rng.choice(self._channels),
            "device": rng.choice(self._devices),
            "country": country,
        }
        return {name: value for name, value in context.items() if value is not None or rng.random() < 0.2}

    def _visit(self, at: int) -> list[Draft]:
        rng = self._rng
        session = f"s-{rng.randrange(10**9)}" if rng.random() < 0.5 else None
        found: list[Draft] = []
        for _ in range(rng.choice((1, 1, 2, 3, 8, 20))):
            kept = session if rng.random() < 0.9 else None
            found.append(self._view(at, kept) if rng.random() < 0.6 else self._click(at, kept))
            at += int(rng.choice((0.0, 1.0, 10.0, 29.9, 30.1, 50.0)) * rng.random() * MINUTE_MS)
        if rng.random() < 0.1:
            found.append(self._order(at, session))
        return found

    def _view(self, at: int, session: str | None) -> Draft:
        rng = self._rng
        fields = self._context(session) | {"product_id": "p", "price": 9.5}
        fields |= {"category": rng.choice(self._categories), "brand": rng.choice(self._brands)}
        if rng.random() < 0.4:
            fields["dwell_seconds"] = rng.choice((0, 12, 7.5, 0.0004, round(rng.random() * 900, 3)))
        return at, VIEWS, fields

    def _click(self, at: int, session: str | None) -> Draft:
        rng = self._rng
        action = rng.choice(ACTIONS)
        fields = self._context(session) | {"action": action}
        if action == "rating" and rng.random() < 0.8:
            fields["rating"] = round(rng.random() * 10, 2)
        for name in ("campaign_id", "offer_id"):
            if rng.random() < 0.1:
                fields[name] = rng.choice(("x", "", None))
        return at, CLICKS, fields

    def _order(self, at: int, session: str | None = None) -> Draft:
        rng = self._rng
        items = [self._item() for _ in range(rng.randrange(1, 6))]
        fields = self._context(session) | {"order_id": f"o-{at}", "items": items}
        if rng.random() < 0.3:
            fields["total"] = round(rng.random() * 500, rng.choice((0, 2, 4)))
        if rng.random() < 0.1:
            del fields["items"]
        for name in ("campaign_id", "offer_id"):
            if rng.random() < 0.3:
                fields[name] = "x"
        return at, PURCHASES, fields

    def _item(self) -> dict[str, Any]:
        rng = self._rng
        item: dict[str, Any] = {"category": rng.choice(self._categories), "brand": rng.choice(self._brands)}
        if rng.random() < 0.8:
            item["quantity"] = rng.choice((1, 2, 3.0, 12))
        if rng.random() < 0.9:
            item["unit_price"] = round(2 + rng.random() * 80, rng.choice((0, 2, 4)))
            if rng.random() < 0.3:
                item["discount"] = round(rng.random(), 2)
        return item

    def _refund(self, at: int) -> Draft:
        _, topic, fields = self._order(at)
        return at, topic, fields | {"kind": "refund"}

    def _told(self, at: int) -> Draft:
        rng = self._rng
        every = {
            "birth_year": rng.randrange(1940, 2010),
            "gender": rng.choice(("f", "m", "x", "")),
            "country": rng.choice(("DE", "US")),
            "city": rng.choice(("Lyon", "Bonn")),
            "loyalty_tier": rng.choice(("gold", "none")),
            "consent_marketing": rng.random() < 0.5,
            "nps": rng.randrange(11),
            "shoe_size": 43,
        }
        given = {name: value for name, value in every.items() if rng.random() < 0.5}
        return at, CUSTOMERS, {"attributes": given, **({"country": "CH"} if rng.random() < 0.2 else {})}

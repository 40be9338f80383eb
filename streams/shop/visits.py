"""What a simulated customer does in one visit, as records of the input topics."""

from __future__ import annotations

import math
import random
from bisect import bisect
from itertools import accumulate
from typing import Any

import orjson

from streams.records import CLICKS, CUSTOMERS, PURCHASES, VIEWS
from streams.shop.catalogue import Catalogue, Order
from streams.shop.population import CHANNELS, DEVICES, TOWNS, WEEK_MS, Customer
from streams.shop.record import ShopRecord

LONGEST_MS = 3_600_000
"""No visit with an order takes longer, and in no visit is a product looked at later."""
LONGEST_PAUSE_MS = 200_000
"""Time on one product or between two clicks, at most."""
MOST_VIEWS = 40
LOOKED_AT = 6
"""Products of an order that are looked at in the visit that ends with it, at most."""
OFFERS: tuple[tuple[str, float], ...] = (
    ("WELCOME10", 0.10),
    ("BUNDLE15", 0.15),
    ("SALE20", 0.20),
    ("LAST30", 0.30),
)
"""Coupons, each with the share it takes off every line of an order."""
CAMPAIGN_WEEKS = 2
"""A campaign lasts so long; then comes the next one."""
TIERS: tuple[tuple[int, str], ...] = ((3, "silver"), (6, "gold"), (12, "platinum"))
"""Loyalty tier from so many purchases on; bronze before."""

Step = tuple[int, int, dict[str, Any]]
"""(milliseconds since the start of the visit, topic, the record's own members)."""


class Visits:
    """Writes the records of visits, one customer at a time; the same draws give the same bytes."""

    def __init__(self, rng: random.Random, catalogue: Catalogue, prefix: str) -> None:
        self._rng = rng
        self._catalogue = catalogue
        self._prefix = prefix
        self._events = 0

    def browse(self, person: Customer, start_ms: int) -> list[ShopRecord]:
        """Return a visit without an order that starts at a time."""
        steps: list[Step] = []
        at = self._arrive(person, steps, start_ms)
        kind, draw = person.kind, self._rng.random
        for _ in range(self._count(kind.views)):
            position = self._product(person)
            at = self._look(person, steps, at, position)
            if at > LONGEST_MS:
                break
            if draw() < kind.wish:
                at = self._click(steps, at, action="wishlist", product_id=self._id(position))
            if draw() < kind.cart:
                at = self._click(steps, at, action="add_to_cart", product_id=self._id(position))
                person.cart.append(position)
        if person.cart and draw() < 0.2:
            dropped = person.cart.pop()
            at = self._click(steps, at, action="remove_from_cart", product_id=self._id(dropped))
        if draw() < 0.15:
            self._click(steps, at, action="link")
        return self._finish(person, steps, start_ms)

    def order(self, person: Customer, order: Order, time_ms: int, *, lean: bool) -> list[ShopRecord]:
        """Return the visit that ends with a real order or its cancellation; lean: that record alone."""
        steps: list[Step] = []
        at = 0
        if order.refund:
            return self._finish(person, [(0, PURCHASES, self._bought(person, order, None, None))], time_ms)
        kind, draw = person.kind, self._rng.random
        campaign = self._campaign(time_ms) if draw() < kind.campaign else None
        channel = self._channel(person)
        if not lean and channel != "store":
            at = self._arrive(person, steps, time_ms, campaign=campaign or "")
            for position in order.products[: self._count(LOOKED_AT / 2, LOOKED_AT)]:
                at = self._look(person, steps, at, position)
                at = self._click(steps, at, action="add_to_cart", product_id=self._id(position))
            at += self._pause(30)
            person.cart.clear()
        steps.append((at, PURCHASES, self._bought(person, order, campaign, channel)))
        person.purchases += 1
        tier = dict(TIERS).get(person.purchases)
        if tier is not None and person.known:
            steps.append((at + 1, CUSTOMERS, {"attributes": {"loyalty_tier": tier}}))
        return self._finish(person, steps, time_ms - at, channel)

    def introduce(self, person: Customer, time_ms: int) -> list[ShopRecord]:
        """Return the attributes of a customer when the shop knows them; nothing at later calls."""
        if person.introduced:
            return []
        person.introduced = True
        rng = self._rng
        person.known = rng.random() < person.kind.known
        if not person.known:
            return []
        attributes: dict[str, Any] = {
            "birth_year": round(min(max(rng.gauss(1981, 13), 1940), 2006)),
            "gender": rng.choices(("female", "male", "diverse"), (61, 37, 2))[0],
            "country": person.country,
            "loyalty_tier": "bronze",
            "consent_marketing": rng.random() < person.kind.consent,
        }
        if person.country in TOWNS:
            attributes["city"] = rng.choice(TOWNS[person.country])
        return self._finish(person, [(0, CUSTOMERS, {"attributes": attributes})], time_ms)

    def answer(self, person: Customer, time_ms: int) -> list[ShopRecord]:
        """Return what a customer says some days after an order: a rating, a survey answer, or both."""
        steps: list[Step] = []
        rng, kind = self._rng, person.kind
        mood = round(min(max(rng.gauss(kind.mood, 1.5), 0), 10))
        if rng.random() < 0.7:
            product = self._catalogue.products[self._product(person)]
            steps.append((0, CLICKS, {"action": "rating", "rating": mood, "product_id": product.product_id}))
        if not steps or rng.random() < 0.4:
            attributes: dict[str, Any] = {"nps": mood}
            if mood < 4:
                attributes["consent_marketing"] = False
            steps.append((500, CUSTOMERS, {"attributes": attributes}))
        return self._finish(person, steps, time_ms)

    def _arrive(self, person: Customer, steps: list[Step], time_ms: int, campaign: str | None = None) -> int:
        """Write how a visit starts: by the named campaign ("" for none), or as the kind has it."""
        kind, draw = person.kind, self._rng.random
        if campaign is None:
            campaign = self._campaign(time_ms) if draw() < kind.campaign else ""
        at = 0
        if campaign:
            at = self._click(steps, at, action="campaign", campaign_id=campaign)
        elif draw() < kind.search:
            at = self._click(steps, at, action="search")
        if draw() < kind.offer:
            at = self._click(steps, at, action="offer", offer_id=self._offer()[0])
        return at

    def _look(self, person: Customer, steps: list[Step], at: int, position: int) -> int:
        product = self._catalogue.products[position]
        stay = self._pause(person.kind.dwell_s)
        view: dict[str, Any] = {"product_id": product.product_id, "price": product.price}
        if product.category is not None:
            view["category"] = product.category
        if product.brand is not None:
            view["brand"] = product.brand
        if self._rng.random() < 0.8:
            view["dwell_seconds"] = stay / 1000
        steps.append((at, VIEWS, view))
        return at + stay + 500

    def _click(self, steps: list[Step], at: int, **members: str) -> int:
        steps.append((at, CLICKS, members))
        return at + self._pause(4)

    def _bought(
        self, person: Customer, order: Order, campaign: str | None, channel: str | None
    ) -> dict[str, Any]:
        value: dict[str, Any] = {
            "order_id": f"{order.number}-{person.customer_id}-{person.turn}",
            "kind": "refund" if order.refund else "purchase",
            "currency": "GBP",
            "total": order.total,
            "items": order.items,
        }
        if channel is None:
            return value
        kind, draw = person.kind, self._rng.random
        if campaign is not None:
            value["campaign_id"] = campaign
        offer, rate = self._offer()
        if draw() < kind.coupon:
            value["offer_id"] = offer
        if draw() < kind.discount:
            value["total"], value["items"] = order.discounted(rate)
        return value

    def _finish(
        self, person: Customer, steps: list[Step], start_ms: int, channel: str | None = None
    ) -> list[ShopRecord]:
        """Give the steps of a visit their times, ids and context."""
        context = self._context(person, channel) if any(topic != CUSTOMERS for _, topic, _ in steps) else {}
        key = person.customer_id.encode()
        made = []
        for offset, topic, members in steps:
            self._events += 1
            time_ms = start_ms + offset
            value: dict[str, Any] = {
                "event_id": f"{self._prefix}-{self._events}",
                "customer_id": person.customer_id,
                "occurred_at": time_ms,
            }
            if topic != CUSTOMERS:
                value |= context
            value |= members
            made.append(ShopRecord(topic, key, orjson.dumps(value), time_ms))
        return made

    def _context(self, person: Customer, channel: str | None) -> dict[str, str]:
        person.visits += 1
        channel = channel or self._channel(person, in_store=False)
        context = {
            "session_id": f"{self._prefix}-{person.customer_id}-{person.visits}",
            "channel": channel,
            "country": person.country,
        }
        if channel != "store":
            device = person.device if self._rng.random() < 0.85 else self._rng.choice(DEVICES)
            context["device"] = "mobile" if channel == "app" and device == "desktop" else device
        return context

    def _channel(self, person: Customer, *, in_store: bool = True) -> str:
        weights = list(accumulate(person.kind.channels if in_store else person.kind.channels[:2]))
        return CHANNELS[bisect(weights, self._rng.random() * weights[-1])]

    def _product(self, person: Customer) -> int:
        if self._rng.random() < person.kind.fan:
            return self._catalogue.draw_in(person.favourite, self._rng)
        return self._catalogue.draw(self._rng)

    def _id(self, position: int) -> str:
        return self._catalogue.products[position].product_id

    def _offer(self) -> tuple[str, float]:
        return OFFERS[int(self._rng.random() * len(OFFERS))]

    def _count(self, mean: float, most: int = MOST_VIEWS) -> int:
        """Return a geometric number from 1 to `most` with a mean (before the cut)."""
        if mean <= 1:
            return 1
        drawn = 1 + int(math.log(1 - self._rng.random()) / math.log(1 - 1 / mean))
        return min(drawn, most)

    def _pause(self, mean_s: float) -> int:
        """Return an exponential time in milliseconds, at least a second, at most `LONGEST_PAUSE_MS`."""
        return min(1000 + int(-mean_s * 1000 * math.log(1 - self._rng.random())), LONGEST_PAUSE_MS)

    @staticmethod
    def _campaign(time_ms: int) -> str:
        return f"campaign-{time_ms // (CAMPAIGN_WEEKS * WEEK_MS) % 100:02d}"

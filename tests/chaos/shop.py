"""The known content: a seeded shop whose customers differ, come, change their ways, go and are erased.

Records that the product must not count carry a header that says so (`expect`): the topics themselves hold
what a checker has to expect. Customers who use one topic only are the only ones whose events come twice,
because only for them it is certain which events lie between the two; and only customers whose events never
come twice are erased.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

CLICKS, VIEWS, PURCHASES, CUSTOMERS = TOPICS = ("clicks", "product-views", "purchases", "customers")
EXPECT = "expect"
"""Header of a record that is not simply counted."""
DEAD, DUPLICATE, ERASE = b"dead", b"duplicate", b"erase"

CATEGORIES = ("shoes", "phones", "books", "garden", "toys", "audio", "food", "sport")
VIEWER, SEARCHER, BUYER, DEALS, RATER = range(5)
KIND_WEIGHTS = (30, 25, 20, 17, 8)
SINGLE_TOPIC = frozenset({VIEWER, RATER})
ACTIONS = {
    SEARCHER: ("search", "search", "link", "wishlist"),
    BUYER: ("link", "add_to_cart", "add_to_cart", "search"),
    DEALS: ("campaign", "offer", "campaign", "add_to_cart", "remove_from_cart"),
    RATER: ("rating", "wishlist", "link"),
}
TOPIC_WEIGHTS = {
    VIEWER: ((VIEWS,), (1,)),
    SEARCHER: ((CLICKS, VIEWS, PURCHASES), (70, 29, 1)),
    BUYER: ((CLICKS, VIEWS, PURCHASES), (30, 45, 25)),
    DEALS: ((CLICKS, VIEWS, PURCHASES), (50, 35, 15)),
    RATER: ((CLICKS,), (1,)),
}
DEAD_SHARE = 0.004
DUPLICATE_SHARE = 0.03
"""Of the events of single-topic customers."""
ATTRIBUTE_SHARE = 0.01
ERASED_SHARE = 0.25
"""Of the multi-topic customers that go."""
DRIFT_EVENTS = 25
"""After so many events a multi-topic customer takes to another way."""


@dataclass(frozen=True, slots=True)
class Input:
    """A record to send."""

    topic: str
    key: bytes
    value: bytes | None
    expect: bytes | None = None


@dataclass(slots=True)
class _Customer:
    number: int
    kind: int
    events: int = 0

    @property
    def name(self) -> str:
        return f"c{self.number:07d}"

    def way(self) -> int:
        """Return what kind of customer it is at present."""
        if self.kind in SINGLE_TOPIC:
            return self.kind
        return 1 + (self.kind - 1 + self.events // DRIFT_EVENTS) % 3


class Shop:
    """Makes one record after the other; the same seed and calls give the same records but for their times."""

    def __init__(self, seed: int, customers: int) -> None:
        self._rng = random.Random(seed)
        self._active = [self._make(number) for number in range(customers)]
        self._next = customers
        self._event = 0

    def _make(self, number: int) -> _Customer:
        return _Customer(number, self._rng.choices(range(5), KIND_WEIGHTS)[0])

    def visit(self, now_ms: int) -> Iterator[Input]:
        """Yield what one customer does next: one event, perhaps twice, perhaps one that cannot be used."""
        rng = self._rng
        customer = self._active[rng.randrange(len(self._active))]
        if rng.random() < DEAD_SHARE:
            yield self._unusable(customer, now_ms)
            return
        customer.events += 1
        way = customer.way()
        if way not in SINGLE_TOPIC and rng.random() < ATTRIBUTE_SHARE:
            yield self._attributes(customer, now_ms)
            return
        topic = rng.choices(*TOPIC_WEIGHTS[way])[0]
        record = Input(
            topic, customer.name.encode(), orjson.dumps(self._event_of(customer, topic, way, now_ms))
        )
        yield record
        if way in SINGLE_TOPIC and rng.random() < DUPLICATE_SHARE:
            yield Input(record.topic, record.key, record.value, DUPLICATE)

    def turn_over(self, now_ms: int) -> Iterator[Input]:
        """Let a new customer take the place of one who never comes again and may be erased."""
        rng = self._rng
        place = rng.randrange(len(self._active))
        gone, self._active[place] = self._active[place], self._make(self._next)
        self._next += 1
        if gone.kind not in SINGLE_TOPIC and rng.random() < ERASED_SHARE:
            yield Input(
                CUSTOMERS,
                gone.name.encode(),
                orjson.dumps({**self._base(gone, now_ms), "erase": True}),
                ERASE,
            )

    def _base(self, customer: _Customer, now_ms: int) -> dict[str, object]:
        self._event += 1
        return {"event_id": f"e{self._event:09d}", "customer_id": customer.name, "occurred_at": now_ms}

    def _event_of(self, customer: _Customer, topic: str, way: int, now_ms: int) -> dict[str, object]:
        rng = self._rng
        event = self._base(customer, now_ms) | {
            "session_id": f"{customer.name}-{customer.events // 12}",
            "channel": "app" if customer.number % 3 else "web",
            "device": rng.choice(("mobile", "desktop")),
        }
        product: dict[str, object] = {
            "product_id": f"p{rng.randrange(2000)}",
            "category": CATEGORIES[(customer.number + rng.randrange(1 + way)) % len(CATEGORIES)],
        }
        if topic == CLICKS:
            event["action"] = action = rng.choice(ACTIONS[way])
            if action in {"campaign", "offer"}:
                event[f"{action}_id"] = f"{action}-{rng.randrange(5)}"
            if action == "rating":
                event["rating"] = rng.randrange(11)
        elif topic == VIEWS:
            event |= product | {"price": 9.5, "dwell_seconds": 5 + 40 * rng.random() * (way == VIEWER)}
        else:
            self._order(event, product, way)
        return event

    def _order(self, event: dict[str, object], product: dict[str, object], way: int) -> None:
        rng = self._rng
        event["order_id"] = f"o{self._event}"
        if rng.random() < 0.05:
            event |= {"kind": "refund", "total": 10.0}
            return
        price, quantity = rng.randrange(100, 5000) / 100, rng.choice((1, 1, 2))
        event["items"] = [product | {"quantity": quantity, "unit_price": price}]
        if way == DEALS:
            event |= {"offer_id": "coupon", "campaign_id": f"campaign-{rng.randrange(5)}"}

    def _attributes(self, customer: _Customer, now_ms: int) -> Input:
        attributes = {
            "birth_year": 1950 + customer.number % 50,
            "consent_marketing": self._rng.random() < 0.7,
            "loyalty_tier": self._rng.choice(("basic", "silver", "gold")),
        }
        value = orjson.dumps({**self._base(customer, now_ms), "attributes": attributes})
        return Input(CUSTOMERS, customer.name.encode(), value)

    def _unusable(self, customer: _Customer, now_ms: int) -> Input:
        """Return a record that cannot be used, of one of several kinds."""
        topic = self._rng.choice(TOPICS[:3])
        key, event = customer.name.encode(), self._base(customer, now_ms)
        broken: list[bytes | None] = [
            orjson.dumps(event)[:-7],  # cut off
            orjson.dumps({k: v for k, v in event.items() if k != "event_id"}),
            orjson.dumps({**event, "customer_id": "somebody-else", "order_id": "o"}),
            orjson.dumps({**event, "occurred_at": "yesterday", "order_id": "o"}),
            None,
        ]
        return Input(topic, key, self._rng.choice(broken), DEAD)

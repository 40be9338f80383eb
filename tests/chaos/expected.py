"""What the inputs, as Kafka has stored them, oblige the product to have done."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

CLICKS, VIEWS, PURCHASES, CUSTOMERS = INPUTS = ("clicks", "product-views", "purchases", "customers")
MONEY_UNIT = 10_000
WINDOW = 20_000
"""Records of a topic partition among which one that was stored twice is looked for."""


class Message(NamedTuple):
    """A record as a consumer sees it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    expect: bytes | None = None
    """The header by which the load says what has to become of the record."""


@dataclass(slots=True)
class Customer:
    """What one customer's stored events come to."""

    partition: int
    events: int = 0
    views: int = 0
    clicks: int = 0
    orders: int = 0
    refunds: int = 0
    items: int = 0
    money_gross: int = 0
    money_refunded: int = 0
    erased: bool = False

    def add(self, topic: str, value: bytes) -> None:
        """Count an event."""
        self.events += 1
        if topic == VIEWS:
            self.views += 1
        elif topic == CLICKS:
            self.clicks += 1
        elif topic == PURCHASES:
            self._purchase(orjson.loads(value))

    def _purchase(self, event: dict[str, Any]) -> None:
        if event.get("kind") == "refund":
            self.refunds += 1
            self.money_refunded += round(event["total"] * MONEY_UNIT)
            return
        self.orders += 1
        for line in event["items"]:
            self.items += line["quantity"]
            self.money_gross += round(line["quantity"] * line["unit_price"] * MONEY_UNIT)


@dataclass(slots=True)
class Repeats:
    """Finds events that a topic partition holds twice though they were sent once.

    librdkafka's idempotent producer does that when it has to begin a new epoch while a batch is
    unanswered: the batch is sent again, and stored again if the broker had stored it. Seen once in 4 M
    records, while a broker was stopped: six records from sequence 138548 of epoch 0 on, then again from
    sequence 0 of epoch 1 on.
    """

    _last: deque[int] = field(default_factory=deque)
    _known: set[int] = field(default_factory=set)

    def seen(self, value: bytes | None) -> bool:
        """Return whether an event with the same id came before, and remember it."""
        event_id = orjson.loads(value or b"{}").get("event_id")
        if event_id is None:
            return False
        found = hash(event_id)
        if found in self._known:
            return True
        self._known.add(found)
        self._last.append(found)
        if len(self._last) > WINDOW:
            self._known.remove(self._last.popleft())
        return False


@dataclass(slots=True)
class Expected:
    """The inputs' account."""

    customers: dict[str, Customer] = field(default_factory=dict)
    stored: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Records by topic and partition."""
    ends: dict[tuple[str, int], int] = field(default_factory=dict)
    """Offset behind the last record."""
    usable: Counter[int] = field(default_factory=Counter)
    """Records to be counted (or left out as older than an erasure), by partition number."""
    duplicates: Counter[int] = field(default_factory=Counter)
    dead: dict[tuple[str, int, int], str] = field(default_factory=dict)
    """Place of each unusable record, with the SHA-256 of its value."""
    by_topic: dict[str, Counter[str]] = field(default_factory=dict)
    """Records to be counted, by customer and topic."""
    twice: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Events that the load's producer stored once more, by topic and partition; they are duplicates."""
    repeats: dict[tuple[str, int], Repeats] = field(default_factory=dict)

    def add(self, message: Message) -> None:
        """Take in an input record."""
        topic, partition = message.topic, message.partition
        self.stored[topic, partition] += 1
        self.ends[topic, partition] = message.offset + 1
        if message.expect == b"dead":
            self.dead[topic, partition, message.offset] = sha256(message.value or b"").hexdigest()
            return
        if message.expect == b"duplicate":
            self.duplicates[partition] += 1
            return
        before = self.repeats.setdefault((topic, partition), Repeats())
        if topic != CUSTOMERS and before.seen(message.value):
            self.twice[topic, partition] += 1
            self.duplicates[partition] += 1
            return
        self.usable[partition] += 1
        name = (message.key or b"").decode()
        customer = self.customers.setdefault(name, Customer(partition))
        if message.expect == b"erase":
            customer.erased = True
            return
        self.by_topic.setdefault(name, Counter())[topic] += 1
        customer.add(topic, message.value or b"")

"""Raw records for tests of the input contract, and events in a form that compares."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import numpy as np

from models.events import Events
from streams.codec.events import Decoded, Decoder, InputRules
from streams.codec.hashing import partition_for
from streams.records import CLICKS, CUSTOMERS, PURCHASES, VIEWS, RawBatch, RawList

NOW_MS = 1_772_368_440_000
"""2026-03-01T12:34:00Z."""
NOW = "2026-03-01T12:34:00Z"
PARTITIONS = 8
RULES = InputRules(PARTITIONS, "murmur2", "EUR", {"GBP": 1.2, "JPY": 0.0061}, check_future=True)
CUSTOMER = "c-1"
TOPICS = range(4)
"""All input topics."""

_OWN: dict[int, dict[str, Any]] = {
    CLICKS: {"action": "search", "rating": 4.5, "product_id": "p-1"},
    VIEWS: {"product_id": "p-1", "category": "shoes", "brand": "acme", "price": 19.99, "dwell_seconds": 2.5},
    PURCHASES: {"order_id": "o-1", "items": [{"product_id": "p-1", "quantity": 2, "unit_price": 9.99}]},
    CUSTOMERS: {"attributes": {"birth_year": 1980, "city": "Lyon", "consent_marketing": True}},
}


def body(topic: int, number: int = 1, customer: str = CUSTOMER, **fields: Any) -> dict[str, Any]:
    """Return a good record of a topic, changed by fields; a field set to `...` is left out."""
    record: dict[str, Any] = {
        "event_id": f"e-{number}",
        "customer_id": customer,
        "occurred_at": NOW,
        "session_id": "s-1",
    }
    record |= deepcopy(_OWN[topic]) | fields
    return {name: value for name, value in record.items() if value is not ...}


def add(
    raw: RawList,
    topic: int,
    value: dict[str, Any] | bytes | None,
    *,
    key: bytes | None = CUSTOMER.encode(),
    timestamp: int = NOW_MS,
    partition: int | None = None,
) -> RawList:
    """Append a record; its partition is the right one unless given."""
    if partition is None:
        partition = partition_for(key or b"", PARTITIONS, "murmur2")
    raw.append(
        partition,
        topic,
        len(raw),
        timestamp,
        key,
        json.dumps(value).encode() if isinstance(value, dict) else value,
    )
    return raw


def decode(raw: RawList, now_ms: int = NOW_MS, rules: InputRules = RULES) -> Decoded:
    """Return what a new decoder makes of a batch."""
    return Decoder(rules).decode(raw.batch(), now_ms)


def part(raw: RawBatch, start: int, stop: int) -> RawBatch:
    """Return the records [start, stop), as far as there are so many."""
    return raw.take(np.arange(len(raw))[start:stop])


def decode_one(topic: int, value: dict[str, Any] | bytes | None, **where: Any) -> Decoded:
    """Return what a new decoder makes of one record."""
    return decode(add(RawList(), topic, value, **where))


def refusal(decoded: Decoded) -> tuple[str, str | None]:
    """Return reason and field of the only dead letter of a batch without events."""
    assert len(decoded.events) == 0, "the record was accepted"
    (letter,) = decoded.dead
    return letter.reason.value, letter.field


def refused(topic: int, **fields: Any) -> tuple[str, str | None]:
    """Return reason and field of a record that is good but for some fields."""
    return refusal(decode_one(topic, body(topic, **fields)))


def rows(events: Events) -> list[tuple[Any, ...]]:
    """Return all columns but `source` as one tuple an event, with its lines and attributes."""
    arrays = (
        events.partition, events.kind, events.time, events.event_hash, events.session, events.action,
        events.campaign, events.offer, events.rating, events.dwell, events.money, events.discount,
        events.items,
    )  # fmt: skip
    columns: list[list[Any]] = [column.tolist() for column in arrays]
    texts: list[list[Any]] = [
        events.key.tolist(),
        events.channel.tolist(),
        events.device.tolist(),
        events.country.tolist(),
        events.category.tolist(),
        events.brand.tolist(),
    ]
    lines: list[list[tuple[str | None, str | None]]] = [[] for _ in range(len(events))]
    for i, category, brand in zip(
        events.lines.event.tolist(), events.lines.category.tolist(), events.lines.brand.tolist(), strict=True
    ):
        lines[i].append((category, brand))
    attributes = [events.attributes.get(i) for i in range(len(events))]
    return list(zip(*columns, *texts, lines, attributes, strict=True))

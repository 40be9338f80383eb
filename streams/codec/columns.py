"""Parsed and checked records to the columns of `models.events.Events`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

import numpy as np

from models.events import F64, I32, I64, U8, Action, Attributes, Bool, Events, Kind, Lines, Texts
from models.packed import Packed
from streams.codec.hashing import SessionHashes, hash64_many
from streams.codec.orders import Orders
from streams.codec.schemas import Click, Customer, CustomerAttributes, Event, Purchase, View
from streams.records import CLICKS, CUSTOMERS, PURCHASES, VIEWS

_ACTIONS: dict[str | None, int] = {action.name.lower(): int(action) for action in Action}
_LINK = int(Action.LINK)
_NAN = float("nan")
_THOUSAND = 1000
_ABSENT = -1e-3
"""In units: -1 once it is in thousandths."""
_NOTHING = CustomerAttributes()


@dataclass(slots=True)
class Accepted:
    """n parsed records in delivery order; every column has n entries."""

    events: list[Event]
    topic: I64
    source: I64
    partition: I32
    key: list[bytes]
    time: I64

    def select(self, keep: Bool) -> Accepted:
        """Return the records of a mask."""
        at = np.flatnonzero(keep).tolist()
        return Accepted(
            [self.events[i] for i in at],
            self.topic[keep],
            self.source[keep],
            self.partition[keep],
            [self.key[i] for i in at],
            self.time[keep],
        )

    def of_topic(self, topic: int) -> tuple[I64, list[Event]]:
        """Return the positions and the events of a topic."""
        at = np.flatnonzero(self.topic == topic)
        return at, self.events if len(at) == len(self.events) else [self.events[i] for i in at.tolist()]

    def purchases(self) -> tuple[I64, list[Purchase]]:
        """Return the positions and the events of the topic of purchases."""
        at, events = self.of_topic(PURCHASES)
        return at, cast("list[Purchase]", events)


def to_events(accepted: Accepted, orders: Orders, sessions: SessionHashes) -> Events:
    """Return the columns; orders are the amounts of all accepted purchases, in their order."""
    events, n = accepted.events, len(accepted.events)
    columns = Events(
        source=accepted.source,
        partition=accepted.partition,
        key=Packed.of(accepted.key),
        kind=np.zeros(n, np.uint8),
        time=accepted.time,
        event_hash=hash64_many([event.event_id for event in events]),
        session=sessions.many([event.session_id for event in events]),
        action=np.zeros(n, np.uint8),
        campaign=np.zeros(n, np.bool_),
        offer=np.zeros(n, np.bool_),
        rating=np.full(n, -1, np.int32),
        dwell=np.full(n, -1, np.int64),
        money=np.zeros(n, np.int64),
        discount=np.zeros(n, np.int64),
        items=np.zeros(n, np.int64),
        channel=Texts.of(event.channel or None for event in events),
        device=Texts.of(event.device or None for event in events),
        country=Texts.of(event.country or None for event in events),
        category=Texts.of([None] * n),
        brand=Texts.of([None] * n),
        lines=Lines(np.zeros(0, np.int64), Texts.of([]), Texts.of([])),
    )
    _fill_clicks(columns, *accepted.of_topic(CLICKS))
    _fill_views(columns, *accepted.of_topic(VIEWS))
    _fill_purchases(columns, *accepted.purchases(), orders)
    _fill_customers(columns, *accepted.of_topic(CUSTOMERS))
    return columns


def _fill_clicks(columns: Events, at: I64, events: Sequence[Event]) -> None:
    """Fill in what only clicks have."""
    if not events:
        return
    clicks = cast("Sequence[Click]", events)
    columns.kind[at] = Kind.CLICK
    columns.action[at] = _small([action_of(click.action) for click in clicks])
    columns.campaign[at] = _flags([click.campaign_id for click in clicks])
    columns.offer[at] = _flags([click.offer_id for click in clicks])
    columns.rating[at] = _thousandths([click.rating for click in clicks])


def _fill_views(columns: Events, at: I64, events: Sequence[Event]) -> None:
    """Fill in what only product views have."""
    if not events:
        return
    views = cast("Sequence[View]", events)
    columns.kind[at] = Kind.VIEW
    columns.dwell[at] = _thousandths([view.dwell_seconds for view in views])
    category: list[str | None] = [None] * len(columns)
    brand = category.copy()
    for i, view in zip(at.tolist(), views, strict=True):
        category[i] = view.category or None
        brand[i] = view.brand or None
    columns.category, columns.brand = Texts.of(category), Texts.of(brand)


def _fill_purchases(columns: Events, at: I64, purchases: Sequence[Purchase], orders: Orders) -> None:
    """Fill in what only purchases have."""
    if not purchases:
        return
    refund, purchase = int(Kind.REFUND), int(Kind.PURCHASE)
    columns.kind[at] = _small([refund if order.kind == "refund" else purchase for order in purchases])
    columns.campaign[at] = _flags([order.campaign_id for order in purchases])
    columns.offer[at] = _flags([order.offer_id for order in purchases])
    columns.money[at] = orders.money
    columns.discount[at] = orders.discount
    columns.items[at] = orders.items
    lines = orders.lines
    columns.lines = Lines(
        at[orders.line_order],
        Texts.of(line.category or None for line in lines),
        Texts.of(line.brand or None for line in lines),
    )


def _fill_customers(columns: Events, at: I64, events: Sequence[Event]) -> None:
    """Fill in what only records of `customers` have."""
    for i, customer in zip(at.tolist(), cast("Sequence[Customer]", events), strict=True):
        if customer.erase:
            columns.kind[i] = Kind.ERASE
        else:
            columns.kind[i] = Kind.ATTRIBUTES
            columns.attributes[i] = _attributes(customer.attributes or _NOTHING)


def _attributes(given: CustomerAttributes) -> Attributes:
    """Return the attributes as the core keeps them."""
    return Attributes(
        birth_year=None if given.birth_year is None else int(given.birth_year),
        gender=given.gender or None,
        country=given.country or None,
        city=given.city or None,
        loyalty_tier=given.loyalty_tier or None,
        consent_marketing=given.consent_marketing,
        nps=None if given.nps is None else int(given.nps),
    )


def _small(values: Sequence[int]) -> U8:
    """Return a column of codes."""
    return np.fromiter(values, np.uint8, len(values))


def _flags(values: Iterable[str | None]) -> Bool:
    """Return which texts are there."""
    return np.array([bool(value) for value in values], np.bool_)


def action_of(text: str | None) -> int:
    """Return the code of an action; one that is absent or unknown is a link."""
    return _ACTIONS.get(text, _LINK)


def _thousandths(values: Sequence[float | None]) -> I64:
    """Return the values in 1/1000, -1 for those that are absent."""
    return in_thousandths(
        np.fromiter([_NAN if value is None else value for value in values], np.float64, len(values))
    )


def in_thousandths(units: F64) -> I64:
    """Return numbers in 1/1000, -1 for NaN."""
    return np.rint(np.where(np.isnan(units), _ABSENT, units) * _THOUSAND).astype(np.int64)


def merged(one: Events, other: Events) -> Events:
    """Return the events of both by ascending source; no source is in both; only one's texts have names."""
    source = np.concatenate([one.source, other.source])
    order = np.argsort(source, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    lines = np.concatenate([place[one.lines.event], place[other.lines.event + len(one)]])
    by_event = np.argsort(lines, kind="stable")
    attributes = {int(place[i]): given for i, given in one.attributes.items()}
    attributes |= {int(place[len(one) + i]): given for i, given in other.attributes.items()}
    return Events(
        **{name: _joined(getattr(one, name), getattr(other, name), order) for name in _PER_EVENT},
        lines=Lines(
            lines[by_event],
            _joined(one.lines.category, other.lines.category, by_event),
            _joined(one.lines.brand, other.lines.brand, by_event),
        ),
        attributes=attributes,
    )


def _joined(first: Any, second: Any, order: I64) -> Any:
    """Return two columns as one, in another order."""
    if isinstance(first, Texts):
        return Texts(_joined(first.numbers, second.numbers, order), first.names, second.others)
    if isinstance(first, Packed):
        return Packed.joined([first, second]).take(order)
    return np.concatenate([first, second])[order]


_PER_EVENT = [field.name for field in fields(Events) if field.name not in {"lines", "attributes"}]

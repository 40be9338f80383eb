"""Events to numbers: names become the codes of their partition's dictionary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.events import F64, I32, Attributes, Events, Kind
from models.names import Names
from models.profiles import Columns
from models.profiles.attributes import NPS_SHIFT
from models.profiles.layout import ATTRIBUTE_FIELDS

_VIEW = int(Kind.VIEW)
VIEW_WEIGHT = 1.0
MAX_INTERESTS = 40
"""Pairs of category and brand that one order tells of, the most frequent first: each is a pass of its own."""
LAST_DAY = 0xFFFF
"""The row's days end in 2149; only recorded files, whose times nobody checks, may say more."""
LINE_WEIGHT = 3.0
"""An order line tells three times as much of an interest as a view."""

_NAMED_ATTRIBUTES = frozenset({"gender", "country", "city", "loyalty_tier"})


def to_columns(events: Events, names: Mapping[int, Names], calendar: Calendar) -> Columns:
    """Return the events as numbers.

    Args:
        events: n accepted events.
        names: dictionaries by partition; new names are added to them.
        calendar: local days.
    """
    books = [names[p] for p in events.partition.tolist()]
    interest, category, brand, weight = _interests(events, books)
    country = _countries(events, books)  # before the attributes, so that codes follow the order of events
    attribute, values = _attributes(events.attributes, books)
    day = np.minimum(calendar.day(events.time), LAST_DAY)
    return Columns(
        kind=events.kind,
        time=events.time,
        day=day,
        weekend=calendar.weekend(events.time),
        evening=calendar.evening(events.time),
        event_hash=events.event_hash,
        session=events.session,
        action=events.action,
        campaign=events.campaign,
        offer=events.offer,
        rating=events.rating,
        dwell=events.dwell,
        money=events.money,
        discount=events.discount,
        items=events.items,
        channel=_codes("channel", events.channel, books),
        device=_codes("device", events.device, books),
        country=country,
        interest=interest,
        attribute=attribute,
        interest_category=category,
        interest_brand=brand,
        interest_weight=weight,
        attributes=values,
        calendar=calendar,
    )


def _codes(space: str, texts: list[str | None], books: list[Names]) -> I32:
    codes = [0 if t is None else book.code(space, t) for t, book in zip(texts, books, strict=True)]
    return np.array(codes, np.int32)


def _interests(events: Events, books: list[Names]) -> tuple[I32, I32, I32, F64]:
    """Return what events say of interests: (n, 2) spans, and categories, brands, weights of the entries.

    The lines of an order that name the same category and brand are one entry.
    """
    spans = np.zeros((len(events), 2), np.int32)
    lines = events.lines
    views = [
        i
        for i in np.flatnonzero(events.kind == _VIEW).tolist()
        if events.category[i] is not None or events.brand[i] is not None
    ]
    ordered, first = np.unique(lines.event, return_index=True)
    ends = np.append(first, len(lines.event))[1:].tolist()
    orders = dict(zip(ordered.tolist(), zip(first.tolist(), ends, strict=True), strict=True))
    entries: list[tuple[int, int, float]] = []
    for i in sorted([*views, *orders]):  # in the order of events, so that codes do not depend on the chunk
        book, start = books[i], len(entries)
        if i in orders:
            here = slice(*orders[i])
            told = Counter(zip(lines.category[here], lines.brand[here], strict=True))
            weights = [(pair, LINE_WEIGHT * count) for pair, count in told.most_common(MAX_INTERESTS)]
        else:
            weights = [((events.category[i], events.brand[i]), VIEW_WEIGHT)]
        for (category, brand), weight in weights:
            if category is not None or brand is not None:
                codes = (
                    0 if category is None else book.code("category", category),
                    0 if brand is None else book.code("brand", brand),
                )
                entries.append((*codes, weight))
        spans[i] = start, len(entries)
    table = np.array(entries, np.float64).reshape(-1, 3)
    return spans, table[:, 0].astype(np.int32), table[:, 1].astype(np.int32), table[:, 2].copy()


def _countries(events: Events, books: list[Names]) -> I32:
    """Return the codes of the events' countries; those in attributes get theirs at their event's turn."""
    if not events.attributes:
        return _codes("country", events.country, books)
    codes = np.zeros(len(events), np.int32)
    for i, (country, book) in enumerate(zip(events.country, books, strict=True)):
        codes[i] = 0 if country is None else book.code("country", country)
        given = events.attributes.get(i)
        if given is not None and given.country is not None:
            book.code("country", given.country)
    return codes


def _attributes(given: Mapping[int, Attributes], books: list[Names]) -> tuple[I32, I32]:
    """Return (n,) the place of each event's attributes, and (a, 7) their values."""
    place = np.full(len(books), -1, np.int32)
    values: NDArray[np.int32] = np.full((len(given), len(ATTRIBUTE_FIELDS)), -1, np.int32)
    for k, (i, attributes) in enumerate(sorted(given.items())):
        place[i] = k
        for j, field in enumerate(ATTRIBUTE_FIELDS):
            value = getattr(attributes, field)
            if value is None:
                continue
            if field in _NAMED_ATTRIBUTES:
                values[k, j] = books[i].code(field, value)
            else:
                values[k, j] = int(value) + (NPS_SHIFT if field == "nps" else 0)
    return place, values

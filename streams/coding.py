"""Events to numbers: names become the codes of their partition's dictionary."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.events import F64, I32, I64, Bool, Events, Kind
from models.names import Names
from models.profiles import Columns
from models.profiles.kernel import NPS_SHIFT
from models.profiles.layout import ATTRIBUTE_FIELDS

_VIEW = int(Kind.VIEW)
VIEW_WEIGHT = 1.0
MAX_INTERESTS = 40
"""Pairs of category and brand that one order tells of, the most frequent first: each is a pass of its own."""
LAST_DAY = 0xFFFF
"""The row's days end in 2149; only recorded files, whose times nobody checks, may say more."""
LINE_WEIGHT = 3.0
"""An order line tells three times as much of an interest as a view."""

Where: TypeAlias = slice | list[int]
Run: TypeAlias = tuple[Names, Where]
"""The events of one partition, with its dictionaries."""
Pair: TypeAlias = tuple[str | None, str | None]
"""Category and brand."""

_NAMED_ATTRIBUTES = frozenset({"gender", "country", "city", "loyalty_tier"})


def to_columns(events: Events, names: Mapping[int, Names], calendar: Calendar) -> Columns:
    """Return the events as numbers.

    Args:
        events: n accepted events.
        names: dictionaries by partition; new names are added to them.
        calendar: local days.
    """
    runs = _runs(events, names)
    interest, category, brand, weight = _interests(events, runs)
    country = _countries(events, runs)  # before the attributes, so that codes follow the order of events
    attribute, values = _attributes(events, names)
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
        channel=_codes("channel", events.channel, runs),
        device=_codes("device", events.device, runs),
        country=country,
        interest=interest,
        attribute=attribute,
        interest_category=category,
        interest_brand=brand,
        interest_weight=weight,
        attributes=values,
        calendar=calendar,
    )


def _runs(events: Events, names: Mapping[int, Names]) -> list[Run]:
    """Return the events of each partition; those of a worker's chunk lie together, a replay's do not."""
    partition = events.partition
    if (np.diff(partition) < 0).any():
        numbers = np.unique(partition).tolist()
        return [(names[number], np.flatnonzero(partition == number).tolist()) for number in numbers]
    ends = (np.flatnonzero(np.append(np.diff(partition) != 0, len(events) > 0)) + 1).tolist()
    return [
        (names[int(partition[start])], slice(start, stop))
        for start, stop in zip([0, *ends], ends, strict=False)
    ]


def _pick(texts: list[str | None], where: Where) -> list[str | None]:
    return texts[where] if isinstance(where, slice) else [texts[i] for i in where]


def _codes(space: str, texts: list[str | None], runs: list[Run]) -> I32:
    codes = np.empty(len(texts), np.int32)
    for book, where in runs:
        codes[where] = book.codes(space, _pick(texts, where))
    return codes


def _interests(events: Events, runs: list[Run]) -> tuple[I32, I32, I32, F64]:
    """Return what events say of interests: (n, 2) spans, and categories, brands, weights of the entries.

    The lines of an order that name the same category and brand are one entry.
    """
    viewed, orders = _viewed(events), _ordered(events)
    counts = viewed.astype(np.int64)
    counts[list(orders)] = [len(pairs) for pairs in orders.values()]
    spans = np.empty((len(events), 2), np.int32)
    categories: list[int] = []
    brands: list[int] = []
    weights = [np.empty(0)]
    for book, where in runs:
        after = np.cumsum(counts[where])
        spans[where, 0], spans[where, 1] = len(brands) + after - counts[where], len(brands) + after
        told = _told(events, np.arange(len(events))[where], viewed[where], orders)
        categories += book.codes("category", told[0])
        brands += book.codes("brand", told[1])
        weights.append(told[2])
    return spans, np.array(categories, np.int32), np.array(brands, np.int32), np.concatenate(weights)


def _told(
    events: Events, index: I64, viewed: Bool, orders: Mapping[int, list[tuple[Pair, int]]]
) -> tuple[list[str | None], list[str | None], F64]:
    """Return category, brand and weight of what some events tell, in their order: codes depend on it."""
    categories: list[str | None] = []
    brands: list[str | None] = []
    weights: list[float] = []
    places = index[viewed].tolist()
    begun = 0
    for order in [i for i in index.tolist() if i in orders] if orders else ():
        passed = bisect_left(places, order, begun)
        categories += [events.category[i] for i in places[begun:passed]]
        brands += [events.brand[i] for i in places[begun:passed]]
        weights += [VIEW_WEIGHT] * (passed - begun)
        begun = passed
        for (category, brand), lines in orders[order]:
            categories.append(category)
            brands.append(brand)
            weights.append(LINE_WEIGHT * lines)
    categories += [events.category[i] for i in places[begun:]]
    brands += [events.brand[i] for i in places[begun:]]
    weights += [VIEW_WEIGHT] * (len(places) - begun)
    return categories, brands, np.array(weights)


def _viewed(events: Events) -> Bool:
    """Return which events are views that name a category or a brand."""
    named = [
        category is not None or brand is not None
        for category, brand in zip(events.category, events.brand, strict=True)
    ]
    return (events.kind == _VIEW) & np.array(named, np.bool_)


def _ordered(events: Events) -> dict[int, list[tuple[Pair, int]]]:
    """Return the pairs that each order names, with the number of lines; the most frequent first."""
    lines = events.lines
    ordered, first = np.unique(lines.event, return_index=True)
    ends = np.append(first, len(lines.event))[1:]
    found = {}
    for i, start, stop in zip(ordered.tolist(), first.tolist(), ends.tolist(), strict=True):
        if stop - start == 1:
            told: list[tuple[Pair, int]] = [((lines.category[start], lines.brand[start]), 1)]
        else:
            here = slice(start, stop)
            told = Counter(zip(lines.category[here], lines.brand[here], strict=True)).most_common(
                MAX_INTERESTS
            )
        found[i] = [(pair, count) for pair, count in told if pair != (None, None)]
    return found


def _countries(events: Events, runs: list[Run]) -> I32:
    """Return the codes of the events' countries; those in attributes get theirs at their event's turn."""
    if not events.attributes:
        return _codes("country", events.country, runs)
    codes = np.zeros(len(events), np.int32)
    for book, where in runs:
        for i in np.arange(len(events))[where].tolist():
            codes[i] = book.codes("country", [events.country[i]])[0]
            given = events.attributes.get(i)
            if given is not None and given.country is not None:
                book.code("country", given.country)
    return codes


def _attributes(events: Events, names: Mapping[int, Names]) -> tuple[I32, I32]:
    """Return (n,) the place of each event's attributes, and (a, 7) their values."""
    given = events.attributes
    place = np.full(len(events), -1, np.int32)
    values: NDArray[np.int32] = np.full((len(given), len(ATTRIBUTE_FIELDS)), -1, np.int32)
    for k, (i, attributes) in enumerate(sorted(given.items())):
        place[i] = k
        book = names[int(events.partition[i])]
        for j, field in enumerate(ATTRIBUTE_FIELDS):
            value = getattr(attributes, field)
            if value is None:
                continue
            if field in _NAMED_ATTRIBUTES:
                values[k, j] = book.code(field, value)
            else:
                values[k, j] = int(value) + (NPS_SHIFT if field == "nps" else 0)
    return place, values

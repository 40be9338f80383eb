"""Events to numbers: names become the codes of their partition's dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.events import F64, I32, Events, Kind, Texts
from models.names import Names
from models.profiles import Columns
from models.profiles.kernel import NPS_SHIFT
from models.profiles.layout import ATTRIBUTE_FIELDS
from streams.telling import told

_VIEW = int(Kind.VIEW)
LAST_DAY = 0xFFFF
"""The row's days end in 2149; only recorded files, whose times nobody checks, may say more."""

Where: TypeAlias = slice | NDArray[np.intp]
Run: TypeAlias = tuple[Names, Where]
"""The events of one partition, with its dictionaries."""

_NAMED_ATTRIBUTES = frozenset({"gender", "country", "city", "loyalty_tier"})


def to_columns(events: Events, names: Mapping[int, Names], calendar: Calendar) -> Columns:
    """Return the events as numbers.

    Args:
        events: n accepted events.
        names: dictionaries by partition; new names are added to them.
        calendar: local days.
    """
    runs = _runs(events.partition, names)
    interest, category, brand, weight = _interests(events, names)
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


def prepare() -> None:
    """Have the kernel compiled or loaded: seconds that no event shall wait for."""
    nothing = np.zeros(0, np.int32)
    told(nothing.astype(np.uint8), nothing, nothing, nothing.astype(np.int64), nothing, nothing, _VIEW)


def _runs(partition: I32, names: Mapping[int, Names]) -> list[Run]:
    """Return the events of each partition; those of a worker's chunk lie together, a replay's do not."""
    steps = np.diff(partition)
    if (steps < 0).any():
        numbers = np.unique(partition).tolist()
        return [(names[number], np.flatnonzero(partition == number)) for number in numbers]
    ends = (np.flatnonzero(np.append(steps != 0, len(partition) > 0)) + 1).tolist()
    return [
        (names[int(partition[start])], slice(start, stop))
        for start, stop in zip([0, *ends], ends, strict=False)
    ]


def _codes(space: str, texts: Texts, runs: list[Run]) -> I32:
    codes = np.empty(len(texts), np.int32)
    for book, where in runs:
        codes[where] = book.codes(space, texts.take(where))
    return codes


def _interests(events: Events, names: Mapping[int, Names]) -> tuple[I32, I32, I32, F64]:
    """Return what events say of interests: (n, 2) spans, and categories, brands, weights of the entries."""
    lines = events.lines
    category, line_category = _side_by_side(events.category, lines.category)
    brand, line_brand = _side_by_side(events.brand, lines.brand)
    spans, event, categories, brands, weights = told(
        events.kind, category.numbers, brand.numbers, lines.event, line_category, line_brand, _VIEW
    )
    runs = _runs(events.partition[event], names)
    return (
        spans,
        _codes("category", replace(category, numbers=categories), runs),
        _codes("brand", replace(brand, numbers=brands), runs),
        weights,
    )


def _side_by_side(texts: Texts, more: Texts) -> tuple[Texts, I32]:
    """Return texts with the others of both, and by what numbers more, of the same names, are found there."""
    if not (texts.others and more.others):
        return replace(texts, others=texts.others or more.others), more.numbers
    numbers = np.where(more.numbers < 0, more.numbers - len(texts.others), more.numbers)
    return replace(texts, others=texts.others + more.others), numbers


def _countries(events: Events, runs: list[Run]) -> I32:
    """Return the codes of the events' countries; those in attributes get theirs at their event's turn."""
    if not events.attributes:
        return _codes("country", events.country, runs)
    codes = np.zeros(len(events), np.int32)
    for book, where in runs:
        index = np.arange(len(events))[where]
        done = 0
        for i in sorted(events.attributes.keys() & set(index.tolist())):
            country = events.attributes[i].country
            upto = int(np.searchsorted(index, i, "right"))
            codes[index[done:upto]] = book.codes("country", events.country.take(index[done:upto]))
            done = upto
            if country is not None:
                book.code("country", country)
        codes[index[done:]] = book.codes("country", events.country.take(index[done:]))
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

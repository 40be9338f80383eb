"""Apply a chunk of events to the rows, customer by customer in delivery order, without a loop over events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.events import F64, I32, I64, U8, U64, Bool, Kind
from models.profiles import attributes, browsing, orders
from models.profiles.layout import RECENT_IDS, ROW, gather, scatter
from models.profiles.sessions import advance_session

_PER_CHUNK = frozenset({"interest_category", "interest_brand", "interest_weight", "attributes", "calendar"})


@dataclass(slots=True)
class Columns:
    """n events as numbers: what `models.events.Events` becomes when names have become codes.

    Every array has n entries unless stated; codes are 0 when absent.
    """

    kind: U8
    time: I64
    day: I64
    weekend: Bool
    evening: Bool
    event_hash: U64
    session: U64
    action: U8
    campaign: Bool
    offer: Bool
    rating: I32
    dwell: I64
    money: I64
    discount: I64
    items: I64
    channel: I32
    device: I32
    country: I32
    interest: I32
    """(n, 2) first and past-the-last index into `interest_*` of what the event says of interests."""
    attribute: I32
    """(n,) index into `attributes`, -1 for none."""
    interest_category: I32
    """(m,) category codes, the entries of an event together."""
    interest_brand: I32
    """(m,) brand codes."""
    interest_weight: F64
    """(m,) weights."""
    attributes: I32
    """(a, 7) values in the order of ATTRIBUTE_FIELDS, -1 for none (nps: shifted by 1,000)."""

    calendar: Calendar

    def take(self, index: NDArray[np.intp]) -> Columns:
        """Return the events at `index`, in that order."""
        return Columns(
            **{
                f.name: getattr(self, f.name) if f.name in _PER_CHUNK else getattr(self, f.name)[index]
                for f in fields(self)
            }
        )


@dataclass(slots=True)
class Updated:
    """What an update of n events leaves behind."""

    after: NDArray[np.void]
    """(n,) the customer's row right after each event; rows of ignored duplicates are as before them."""
    accepted: Bool
    """(n,) False for an event whose id was among the customer's last accepted ones."""
    late: Bool
    """(n,) the event was older than the newest one of its customer."""
    order: NDArray[np.intp]
    """(n,) events sorted by row, delivery order within."""
    start: NDArray[np.intp]
    """(g,) first position in `order` of each customer's events."""
    rows: NDArray[np.intp]
    """(g,) the row of each customer."""
    before: NDArray[np.void]
    """(g,) the row of each customer before the chunk."""


def passes(
    start: NDArray[np.intp], order: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield (groups, events) of each rank pass: the i-th event of every customer that has one."""
    count = np.diff(np.append(start, len(order)))
    by_count = np.argsort(-count, kind="stable")
    alive = np.searchsorted(-count[by_count], -np.arange(count.max(initial=0)), side="left")
    for rank, many in enumerate(alive.tolist()):
        groups = by_count[:many]
        yield groups, order[start[groups] + rank]


def update(slab: NDArray[np.void], rows: NDArray[np.intp], columns: Columns) -> Updated:
    """Apply n events to the slab in place.

    Args:
        slab: rows of dtype ROW.
        rows: (n,) the row of each event's customer; delivery order within a row.
        columns: the events.

    Returns:
        The row after each event, and what was ignored. Cutting the events into several calls gives the same
        bytes in the slab.
    """
    n = len(rows)
    order = np.argsort(rows, kind="stable")
    sorted_rows = rows[order]
    first = np.empty(n, np.bool_)
    first[:1] = True
    np.not_equal(sorted_rows[1:], sorted_rows[:-1], out=first[1:])
    start = np.flatnonzero(first)
    unique = sorted_rows[start]
    before = gather(slab, unique)
    current = before.copy()
    after = np.empty(n, ROW)
    accepted = np.ones(n, np.bool_)
    late = np.zeros(n, np.bool_)
    for groups, events in passes(start, order):
        part = gather(current, groups)
        cols = columns.take(events)
        fresh = ~(part["ids"] == cols.event_hash[:, None]).any(axis=1)
        late[events] = cols.time < part["last_seen"]
        if fresh.all():
            part = _apply(part, cols)
        else:
            accepted[events] = fresh
            keep = np.flatnonzero(fresh)
            if len(keep):
                scatter(part, keep, _apply(gather(part, keep), cols.take(keep)))
        scatter(current, groups, part)
        scatter(after, events, part)
    scatter(slab, unique, current)
    return Updated(after, accepted, late, order, start, unique, before)


def _apply(r: NDArray[np.void], c: Columns) -> NDArray[np.void]:
    """Return the rows after one event each."""
    m = np.arange(len(r))
    r["ids"][m, r["events"] % RECENT_IDS] = c.event_hash
    r["events"] += 1
    attributes.set_country(r, c.country, c.time)
    if (c.attribute >= 0).any():
        given = np.flatnonzero(c.attribute >= 0)
        sub = gather(r, given)
        attributes.set_attributes(sub, c.attributes[c.attribute[given]], c.time[given])
        scatter(r, given, sub)
    if (c.kind <= Kind.REFUND).all():
        _apply_behaviour(r, c)
    else:
        seen = np.flatnonzero(c.kind <= Kind.REFUND)
        if len(seen):
            sub = gather(r, seen)
            _apply_behaviour(sub, c.take(seen))
            scatter(r, seen, sub)
    return r


def _apply_behaviour(r: NDArray[np.void], c: Columns) -> None:
    """Apply clicks, views, purchases and refunds; in place."""
    browsing.roll_days(r, c.day)
    advance_session(r, c)
    browsing.decay(r, c.time)
    browsing.count(r, c)
    bought = np.flatnonzero(c.kind >= Kind.PURCHASE)
    if len(bought):
        sub = gather(r, bought)
        orders.add(sub, c.take(bought))
        scatter(r, bought, sub)
    told = np.flatnonzero(c.interest[:, 1] > c.interest[:, 0])
    if len(told):
        sub = gather(r, told)
        browsing.add_interests(sub, c.take(told))
        scatter(r, told, sub)
    fresh = r["first_seen"] == 0
    r["first_seen"] = np.where(fresh, c.time, np.minimum(r["first_seen"], c.time))
    r["last_seen"] = np.maximum(r["last_seen"], c.time)

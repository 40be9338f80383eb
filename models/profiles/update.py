"""Apply a chunk of events to the rows, customer by customer in delivery order, without a loop over events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.events import F64, I32, I64, U8, U64, Bool, Kind
from models.profiles import attributes, browsing, orders
from models.profiles.layout import RECENT_IDS, ROW, gather, scatter
from models.profiles.sessions import advance_session

_PURCHASE, _REFUND = int(Kind.PURCHASE), int(Kind.REFUND)  # an enum's attribute costs a microsecond


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
        return Columns(*[get(self)[index] for get in _PER_EVENT], *[get(self) for get in _PER_CHUNK])

    def part(self, start: int, stop: int) -> Columns:
        """Return the events from `start` on and before `stop`, without a copy."""
        here = slice(start, stop)
        return Columns(*[get(self)[here] for get in _PER_EVENT], *[get(self) for get in _PER_CHUNK])


_CHUNK_FIELDS = ("interest_category", "interest_brand", "interest_weight", "attributes", "calendar")
_PER_EVENT = tuple(attrgetter(f.name) for f in fields(Columns) if f.name not in _CHUNK_FIELDS)
_PER_CHUNK = tuple(attrgetter(name) for name in _CHUNK_FIELDS)


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
    by_count, rounds = _rounds(start, len(order))
    for rank, many in enumerate(rounds):
        groups = by_count[:many]
        yield groups, order[start[groups] + rank]


def _rounds(start: NDArray[np.intp], n: int) -> tuple[NDArray[np.intp], list[int]]:
    """Return the groups by falling size, and for each rank how many of them have an event of that rank."""
    count = np.diff(np.append(start, n))
    by_count = np.argsort(-count, kind="stable")
    many = np.searchsorted(-count[by_count], -np.arange(count.max(initial=0)), side="left")
    return by_count, many.tolist()


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
    by_count, rounds = _rounds(start, n)
    current = gather(before, by_count)  # those with most events first, so that each pass is a leading slice
    by_rank = np.concatenate([order[start[by_count[:many]] + rank] for rank, many in enumerate(rounds)])
    ranked = columns.take(by_rank)
    after = np.empty(n, ROW)
    accepted = np.ones(n, np.bool_)
    late = np.zeros(n, np.bool_)
    done = 0
    for many in rounds:
        part, events = current[:many], by_rank[done : done + many]
        cols = ranked.part(done, done + many)
        done += many
        fresh = ~(part["ids"] == cols.event_hash[:, None]).any(axis=1)
        late[events] = cols.time < part["last_seen"]
        if fresh.all():
            _apply(part, cols)
        else:
            accepted[events] = fresh
            keep = np.flatnonzero(fresh)
            if len(keep):
                sub = gather(part, keep)
                _apply(sub, cols.take(keep))
                scatter(part, keep, sub)
        scatter(after, events, part)
    scatter(slab, unique[by_count], current)
    return Updated(after, accepted, late, order, start, unique, before)


def _apply(r: NDArray[np.void], c: Columns) -> None:
    """Apply one event to each row; in place."""
    m = np.arange(len(r))
    r["ids"][m, r["events"] % RECENT_IDS] = c.event_hash
    r["events"] += 1
    attributes.set_country(r, c.country, c.time)
    if (c.attribute >= 0).any():
        given = np.flatnonzero(c.attribute >= 0)
        sub = gather(r, given)
        attributes.set_attributes(sub, c.attributes[c.attribute[given]], c.time[given])
        scatter(r, given, sub)
    if (c.kind <= _REFUND).all():
        _apply_behaviour(r, c)
    else:
        seen = np.flatnonzero(c.kind <= _REFUND)
        if len(seen):
            sub = gather(r, seen)
            _apply_behaviour(sub, c.take(seen))
            scatter(r, seen, sub)


def _apply_behaviour(r: NDArray[np.void], c: Columns) -> None:
    """Apply clicks, views, purchases and refunds; in place."""
    browsing.roll_days(r, c.day)
    advance_session(r, c)
    browsing.decay(r, c.time)
    browsing.count(r, c)
    bought = np.flatnonzero(c.kind >= _PURCHASE)
    if len(bought):
        sub = gather(r, bought)
        orders.add(sub, c.take(bought))
        scatter(r, bought, sub)
    told = np.flatnonzero((c.interest[:, 1] > c.interest[:, 0]) & (c.kind != _REFUND))
    if len(told):
        sub = gather(r, told)
        browsing.add_interests(sub, c.take(told))
        scatter(r, told, sub)
    fresh = r["first_seen"] == 0
    r["first_seen"] = np.where(fresh, c.time, np.minimum(r["first_seen"], c.time))
    r["last_seen"] = np.maximum(r["last_seen"], c.time)

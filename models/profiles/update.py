"""Apply a chunk of events to the rows, customer by customer in delivery order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calendar import DAY_MS, Calendar
from models.events import U64, Bool
from models.profiles import attributes
from models.profiles.columns import Columns, Times, Told
from models.profiles.kernel import apply_events
from models.profiles.layout import (
    BROWSE_HALF_LIVES_D,
    INTEREST_HALF_LIFE_D,
    ORDER_HALF_LIVES_D,
    ROW,
    ROW_BYTES,
)

_BROWSE_PER_MS = 1 / (np.array(BROWSE_HALF_LIVES_D, np.float64) * DAY_MS)
_ORDER_PER_MS = 1 / (np.array(ORDER_HALF_LIVES_D, np.float64) * DAY_MS)
_INTEREST_PER_MS = 1 / (INTEREST_HALF_LIFE_D * DAY_MS)


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
    before, after = np.empty(len(unique), ROW), np.empty(n, ROW)
    accepted, late = np.empty(n, np.bool_), np.empty(n, np.bool_)
    calendar = columns.calendar
    apply_events(
        slab,
        _words(slab),
        rows,
        order,
        columns.records(),
        Told(columns.interest_category, columns.interest_brand, columns.interest_weight, columns.attributes),
        Times(calendar.transitions, calendar.offsets, _BROWSE_PER_MS, _ORDER_PER_MS, _INTEREST_PER_MS),
        _words(before),
        _words(after),
        accepted,
        late,
    )
    return Updated(after, accepted, late, order, start, unique, before)


def prepare(slab: NDArray[np.void], calendar: Calendar) -> None:
    """Have the kernels compiled, or loaded if they were compiled before: no event shall wait for seconds."""
    attributes.prepare()
    update(slab, np.empty(0, np.intp), Columns.nothing(calendar))


def _words(rows: NDArray[np.void]) -> U64:
    """Return rows as (n, w) 64-bit words, without a copy."""
    return rows.view(np.uint64).reshape(len(rows), ROW_BYTES // 8)

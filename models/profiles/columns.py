"""Events as numbers, as the update and its kernel read them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.events import F64, I32, I64, U8, U64, Bool
from models.profiles.layout import ATTRIBUTE_FIELDS

EVENT = np.dtype(
    [
        ("time", "<i8"),
        ("day", "<i8"),
        ("event_hash", "<u8"),
        ("session", "<u8"),
        ("dwell", "<i8"),
        ("money", "<i8"),
        ("discount", "<i8"),
        ("items", "<i8"),
        ("rating", "<i4"),
        ("channel", "<i4"),
        ("device", "<i4"),
        ("country", "<i4"),
        ("attribute", "<i4"),
        ("told_from", "<i4"),
        ("told_to", "<i4"),
        ("kind", "u1"),
        ("action", "u1"),
        ("weekend", "?"),
        ("evening", "?"),
        ("campaign", "?"),
        ("offer", "?"),
    ],
    align=True,
)
"""One event as the kernel reads it: the fields of `Columns`, `interest` as its two ends."""


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

    @classmethod
    def nothing(cls, calendar: Calendar) -> Columns:
        """Return no events."""
        fixed: dict[str, Any] = {name: np.empty(0, EVENT[name]) for name in (*_FIXED, "attribute")}
        return cls(
            **fixed,
            interest=np.empty((0, 2), np.int32),
            interest_category=np.empty(0, np.int32),
            interest_brand=np.empty(0, np.int32),
            interest_weight=np.empty(0),
            attributes=np.empty((0, len(ATTRIBUTE_FIELDS)), np.int32),
            calendar=calendar,
        )

    def take(self, index: NDArray[np.intp]) -> Columns:
        """Return the events at `index`, in that order."""
        return Columns(*[get(self)[index] for get in _PER_EVENT], *[get(self) for get in _PER_CHUNK])

    def records(self) -> NDArray[np.void]:
        """Return the events as (n,) records of dtype EVENT."""
        found = np.empty(len(self.kind), EVENT)
        for name in (*_FIXED, "attribute"):
            found[name] = getattr(self, name)
        found["told_from"], found["told_to"] = self.interest[:, 0], self.interest[:, 1]
        return found


_FIXED = tuple(f.name for f in fields(Columns))[: [f.name for f in fields(Columns)].index("interest")]
_CHUNK_FIELDS = ("interest_category", "interest_brand", "interest_weight", "attributes", "calendar")
_PER_EVENT = tuple(attrgetter(f.name) for f in fields(Columns) if f.name not in _CHUNK_FIELDS)
_PER_CHUNK = tuple(attrgetter(name) for name in _CHUNK_FIELDS)


class Times(NamedTuple):
    """How time counts."""

    transitions: I64
    """As `Calendar.transitions`."""
    offsets: I64
    """As `Calendar.offsets`."""
    browse: F64
    """(4,) halvings per millisecond of the browsing sums."""
    order: F64
    """(2,) of the order sums."""
    interest: float
    """Of the interests."""


class Told(NamedTuple):
    """What the events of a chunk say beside their fixed fields."""

    category: I32
    """(m,) category codes, those of an event together."""
    brand: I32
    """(m,) brand codes."""
    weight: F64
    """(m,)"""
    attributes: I32
    """(a, 7) values in the order of ATTRIBUTE_FIELDS, -1 where not given, nps shifted by NPS_SHIFT."""

"""Attributes of customers: each is overwritten by a newer occurred_at only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.events import I32, I64
from models.profiles.layout import ATTRIBUTE_FIELDS, COUNTRY

NPS_SHIFT = 1000
"""Added to an NPS value in attribute columns, where -1 means not given."""


def attribute_time(r: NDArray[np.void], which: int) -> I64:
    """Return when attribute number `which` was last set, 0 for never; (n,) epoch milliseconds."""
    high = r["attribute_high"][:, which].astype(np.int64)
    return (high << 32) | r["attribute_low"][:, which].astype(np.int64)


def _stamp(r: NDArray[np.void], which: int, rows: NDArray[np.intp], time: I64) -> None:
    r["attribute_low"][rows, which] = time[rows] & 0xFFFFFFFF
    r["attribute_high"][rows, which] = time[rows] >> 32


def set_country(r: NDArray[np.void], code: I32, time: I64) -> None:
    """Take the country that an event was sent from, unless a newer one is known; in place."""
    if not code.any():
        return
    hit = np.flatnonzero((code != 0) & (time >= attribute_time(r, COUNTRY)))
    r["country"][hit] = code[hit]
    _stamp(r, COUNTRY, hit, time)


def set_attributes(r: NDArray[np.void], values: I32, time: I64) -> None:
    """Set the attributes that are given.

    Args:
        r: (n,) rows, changed in place.
        values: (n, 7) in the order of ATTRIBUTE_FIELDS, -1 where not given, nps shifted by NPS_SHIFT.
        time: (n,) epoch milliseconds of the records.
    """
    for which, name in enumerate(ATTRIBUTE_FIELDS):
        value = values[:, which]
        hit = np.flatnonzero((value >= 0) & (time >= attribute_time(r, which)))
        if len(hit):
            r[name][hit] = value[hit] - (NPS_SHIFT if name == "nps" else 0)
            _stamp(r, which, hit, time)

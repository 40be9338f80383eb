"""The calendar of a named time zone, from the system's or the packaged zone data."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta

import numpy as np

from models.calendar import Calendar

FIRST_YEAR, LAST_YEAR = 1990, 2100
"""Offset changes are looked up within these years; beyond them the nearest offset counts."""


def calendar_of(timezone: str) -> Calendar:
    """Return the calendar of an IANA time zone.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: there is no such zone.
    """
    if timezone == "UTC":
        return Calendar.utc()
    zone = zoneinfo.ZoneInfo(timezone)
    start, end = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR, 1, 1, tzinfo=UTC)

    def offset(at: datetime) -> timedelta:
        return at.astimezone(zone).utcoffset() or timedelta()

    transitions: list[int] = []
    offsets = [offset(start)]
    at, step = start, timedelta(days=7)
    while at < end:
        if offset(at + step) != offsets[-1]:
            low, high = at, at + step
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                low, high = (middle, high) if offset(middle) == offsets[-1] else (low, middle)
            transitions.append(int(high.timestamp()) * 1000)
            offsets.append(offset(high))
        at += step
    ms = [int(o.total_seconds() * 1000) for o in offsets]
    return Calendar(np.array(transitions, np.int64), np.array(ms, np.int64))

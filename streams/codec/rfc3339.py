"""Write times the way the output carries them: RFC 3339, UTC, milliseconds, Z."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from models.events import I64, U8
from streams.codec.time_kernel import time_texts

_DAY_MS = 86_400_000
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_MINUTES = tuple(f"T{m // 60:02d}:{m % 60:02d}:" for m in range(1440))
_SECONDS = tuple(f"{s:02d}." for s in range(60))
_MILLIS = tuple(f"{ms:03d}Z" for ms in range(1000))
_FIRST_MS = (1 - _EPOCH_ORDINAL) * _DAY_MS
_LAST_MS = (date.max.toordinal() + 1 - _EPOCH_ORDINAL) * _DAY_MS - 1


@lru_cache(maxsize=1024)
def _day(number: int) -> str:
    """Return the date of a day counted from 1970-01-01; most records fall on a few days."""
    return date.fromordinal(_EPOCH_ORDINAL + number).isoformat()


@lru_cache(maxsize=8192)
def rfc3339(ms: int) -> str:
    """Return epoch milliseconds as text, such as `2026-03-14T09:26:53.589Z`.

    Times come in runs: of one commit, one tick, one event; they are remembered.

    Exact for every millisecond of the years 1 to 9999; texts sort as the times do.

    Raises:
        ValueError: the time lies outside of these years.
        OverflowError: it lies so far outside that no date can hold it.
    """
    day, rest = divmod(ms, _DAY_MS)
    minute, rest = divmod(rest, 60_000)
    second, milli = divmod(rest, 1000)
    return _day(day) + _MINUTES[minute] + _SECONDS[second] + _MILLIS[milli]


def rfc3339_table(times_ms: I64) -> U8:
    """Return `rfc3339` of many times: (n, 24) letters.

    Raises:
        ValueError: as `rfc3339`.
        OverflowError: as `rfc3339`.
    """
    if len(times_ms):
        for bound in (int(times_ms.min()), int(times_ms.max())):
            if not _FIRST_MS <= bound <= _LAST_MS:
                rfc3339(bound)
    return time_texts(times_ms)

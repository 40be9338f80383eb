"""RFC 3339 texts of the usual forms to epoch milliseconds and back, compiled, for many at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.compiled import compiled, kernel
from models.events import I64, U8

UNUSUAL = -(2**63)
"""Stands for a text that has none of the usual forms; it may yet be a time."""


@kernel
def time_spans(buffer: U8, spans: Any) -> I64:
    """Return the time of each text, UNUSUAL where it is none of the forms of `streams.codec.times`.

    Args:
        buffer: bytes.
        spans: (n, 2) where a text begins, and its length; length 0 gives 0.
    """
    times = np.zeros(len(spans), np.int64)
    for i in range(len(spans)):
        start, length = np.int64(spans[i, 0]), np.int64(spans[i, 1])
        if length:
            times[i] = _time(buffer, start, length)
    return times


@kernel
def time_texts(times: I64) -> U8:
    """Return (n, 24) the texts of times, as `streams.codec.rfc3339` writes them; years 1 to 9999."""
    texts = np.empty((len(times), 24), np.uint8)
    for i in range(len(times)):
        days, rest = times[i] // 86_400_000, times[i] % 86_400_000
        shifted = days + 719_468
        era = shifted // 146_097
        of_era = shifted - era * 146_097
        of_four = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
        of_year = of_era - (365 * of_four + of_four // 4 - of_four // 100)
        place = (5 * of_year + 2) // 153
        month = place + 3 if place < 10 else place - 9
        text = texts[i]
        _write(text, 0, 4, of_four + era * 400 + (month <= 2), ord("-"))
        _write(text, 5, 2, month, ord("-"))
        _write(text, 8, 2, of_year - (153 * place + 2) // 5 + 1, ord("T"))
        _write(text, 11, 2, rest // 3_600_000, ord(":"))
        _write(text, 14, 2, rest // 60_000 % 60, ord(":"))
        _write(text, 17, 2, rest // 1000 % 60, ord("."))
        _write(text, 20, 3, rest % 1000, ord("Z"))
    return texts


@compiled
def _write(text: U8, at: int, digits: int, number: Any, sign: int) -> None:
    """Write a number with some digits, and a sign behind it."""
    for k in range(at + digits - 1, at - 1, -1):
        text[k] = ord("0") + number % 10
        number //= 10
    text[at + digits] = sign


@compiled
def _time(b: U8, at: Any, length: Any) -> Any:
    """Return the time of a text."""
    fraction = 3 if length in (24, 29) else 6 if length in (27, 32) else 0
    zone = at + 19 + fraction + (fraction > 0)
    end = at + length
    if length < 20 or end - zone not in (1, 6) or not _is_usual(b, at, fraction):
        return UNUSUAL
    year, month, day = _number(b, at, 4), _number(b, at + 5, 2), _number(b, at + 8, 2)
    hour, minute, second = _number(b, at + 11, 2), _number(b, at + 14, 2), _number(b, at + 17, 2)
    offset, part = _offset(b, zone, end), _number(b, at + 20, fraction)
    if year < 1 or month < 1 or month > 12 or day < 1 or day > _days_in(year, month):
        return UNUSUAL
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return UNUSUAL
    if offset == UNUSUAL or part < 0:
        return UNUSUAL
    minutes = (_days(year, month, day) * 24 + hour) * 60 + minute - offset
    return (minutes * 60 + second) * 1000 + (part // 1000 if fraction == 6 else part)


@compiled
def _is_usual(b: U8, at: int, fraction: int) -> bool:
    """Return whether the signs between the numbers are where they belong."""
    date = b[at + 4] == ord("-") and b[at + 7] == ord("-") and b[at + 10] == ord("T")
    time = b[at + 13] == ord(":") and b[at + 16] == ord(":")
    return date and time and (fraction == 0 or b[at + 19] == ord("."))


@compiled
def _number(b: U8, at: int, digits: int) -> int:
    """Return the number that some digits make, -1 if one of them is none; 0 of no digits."""
    total: Any = 0
    for k in range(digits):
        digit = np.int64(b[at + k]) - ord("0")
        if digit < 0 or digit > 9:
            return -1
        total = total * 10 + digit
    return total


@compiled
def _offset(b: U8, at: int, end: int) -> int:
    """Return the minutes that local time is ahead of UTC."""
    if end - at == 1:
        return 0 if b[at] == ord("Z") else UNUSUAL
    hours, minutes = _number(b, at + 1, 2), _number(b, at + 4, 2)
    if b[at + 3] != ord(":") or hours < 0 or hours > 23 or minutes < 0 or minutes > 59:
        return UNUSUAL
    if b[at] == ord("+"):
        return hours * 60 + minutes
    return -hours * 60 - minutes if b[at] == ord("-") else UNUSUAL


@compiled
def _days_in(year: int, month: int) -> int:
    """Return the days of a month."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


@compiled
def _days(year: int, month: int, day: int) -> int:
    """Return days since 1970-01-01, as in `streams.codec.times`."""
    if month <= 2:
        year -= 1
        month += 12
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month - 3) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468

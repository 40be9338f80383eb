"""RFC 3339 texts and integers to epoch milliseconds, a chunk at a time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

import numpy as np

from models.events import I64, Bool

INVALID = -(2**63)
"""Stands for a text that is no RFC 3339 time."""

_FORMS = {20: (0, False), 24: (3, False), 27: (6, False), 25: (0, True), 29: (3, True), 32: (6, True)}
"""Length of a text -> (digits of the fraction, has a numeric offset): the forms that libraries write."""
_DAYS_IN_MONTH = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_EPOCH = date(1970, 1, 1).toordinal()
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d+))?"
    r"(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII,
)


def parse_time(text: str) -> int:
    """Return epoch milliseconds of an RFC 3339 text, or INVALID.

    An offset is required; a fraction may have any number of digits and is cut to milliseconds; second 60 is
    the first of the next minute.
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        return INVALID
    year, month, day, hour, minute, second, fraction, sign, off_hour, off_minute = found.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH
    except ValueError:
        return INVALID
    minutes = (days * 24 + int(hour)) * 60 + int(minute)
    if sign is not None:
        offset = int(off_hour) * 60 + int(off_minute)
        minutes += offset if sign == "-" else -offset
    return (minutes * 60 + int(second)) * 1000 + int((fraction or "")[:3].ljust(3, "0"))


def parse_times(values: Sequence[int | str]) -> I64:
    """Return epoch milliseconds of n times, INVALID where one is not RFC 3339; integers stay as they are.

    Texts of the forms that libraries write are parsed as columns, others one by one; the result is the same.
    """
    kinds = set(map(type, values))
    if kinds == {int}:
        return np.fromiter(values, np.int64, len(values))
    if kinds == {str}:
        lengths = set(map(len, values))  # type: ignore[arg-type] # all are texts
        if len(lengths) == 1:
            return _parse_equal(values, lengths.pop())  # type: ignore[arg-type] # all are texts
    out = np.empty(len(values), np.int64)
    groups: dict[int, list[int]] = {}
    for i, value in enumerate(values):
        if isinstance(value, int):
            out[i] = value
        else:
            groups.setdefault(len(value), []).append(i)
    for length, group in groups.items():
        out[group] = _parse_equal([values[i] for i in group], length)  # type: ignore[misc] # all are texts
    return out


def _parse_equal(texts: Sequence[str], length: int) -> I64:
    """Return epoch milliseconds of texts of one length."""
    joined = "".join(texts)
    if length not in _FORMS or not joined.isascii():
        return np.fromiter(map(parse_time, texts), np.int64, len(texts))
    times, usual = _parse_columns(joined, length)
    for i in np.flatnonzero(~usual).tolist():
        times[i] = parse_time(texts[i])
    return times


def _parse_columns(joined: str, length: int) -> tuple[I64, Bool]:
    """Return times, and which of them are right: those that have exactly the usual form of their length."""
    digits, has_offset = _FORMS[length]
    rows = np.frombuffer(joined.encode("ascii"), np.uint8).reshape(-1, length).T.astype(np.int64)
    usual = np.ones(rows.shape[1], np.bool_)

    def number(start: int, stop: int) -> I64:
        nonlocal usual
        digit = rows[start:stop] - ord("0")
        usual &= ((digit >= 0) & (digit <= 9)).all(axis=0)
        total: I64 = digit[0]
        for row in digit[1:]:
            total = total * 10 + row
        return total

    def sign(at: int, character: str) -> Bool:
        is_it: Bool = rows[at] == ord(character)
        return is_it

    for at, character in zip((4, 7, 10, 13, 16), "--T::", strict=True):
        usual &= sign(at, character)
    year, month, day = number(0, 4), number(5, 7), number(8, 10)
    hour, minute, second = number(11, 13), number(14, 16), number(17, 19)
    usual &= (year >= 1) & (month >= 1) & (month <= 12) & (hour <= 23) & (minute <= 59) & (second <= 59)
    leap = (month == 2) & (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    usual &= (day >= 1) & (day <= _DAYS_IN_MONTH[np.where(usual, month, 0)] + leap)
    seconds = ((_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
    milliseconds = np.zeros_like(year)
    if digits:
        usual &= sign(19, ".")
        milliseconds = number(20, 20 + digits) // 10 ** (digits - 3)
    if has_offset:
        plus = sign(length - 6, "+")
        off_hour, off_minute = number(length - 5, length - 3), number(length - 2, length)
        usual &= (
            (plus | sign(length - 6, "-")) & sign(length - 3, ":") & (off_hour <= 23) & (off_minute <= 59)
        )
        seconds -= np.where(plus, 1, -1) * (off_hour * 3600 + off_minute * 60)
    else:
        usual &= sign(length - 1, "Z")
    return seconds * 1000 + milliseconds, usual


def _days(year: I64, month: I64, day: I64) -> I64:
    """Return days since 1970-01-01 in the proleptic Gregorian calendar.

    Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil
    (years start in March).
    """
    year = year - (month <= 2)
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * (month + np.where(month > 2, -3, 9)) + 2) // 5 + day - 1
    days: I64 = (
        era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468
    )
    return days

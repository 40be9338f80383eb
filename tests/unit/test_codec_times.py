"""Times of events."""

from __future__ import annotations

import pytest

from streams.codec.times import INVALID, parse_time, parse_times

GOOD = {
    "2026-03-01T12:34:00Z": 1_772_368_440_000,
    "2026-03-01T12:34:00.123Z": 1_772_368_440_123,
    "2026-03-01T12:34:00.123999Z": 1_772_368_440_123,
    "2026-03-01T14:34:00+02:00": 1_772_368_440_000,
    "2026-03-01T07:04:00.5-05:30": 1_772_368_440_500,
    "2026-03-01T14:34:00.123+02:00": 1_772_368_440_123,
    "2026-03-01T14:34:00.123456+02:00": 1_772_368_440_123,
    "2026-03-01t12:34:00z": 1_772_368_440_000,
    "2026-03-01 12:34:00.1234567891Z": 1_772_368_440_123,
    "2026-03-01T12:34:00-00:00": 1_772_368_440_000,
    "2016-12-31T23:59:60Z": 1_483_228_800_000,
    "2024-02-29T00:00:00Z": 1_709_164_800_000,
    "2000-02-29T00:00:00Z": 951_782_400_000,
    "1969-12-31T23:59:59.999Z": -1,
    "0001-01-01T00:00:00Z": -62_135_596_800_000,
    "9999-12-31T23:59:59.999Z": 253_402_300_799_999,
}
BAD = [
    "", "now", "2026-03-01", "2026-03-01T12:34:00", "2026-03-01T12:34Z", "2026-03-01T12:34:00.Z",
    "2026-13-01T12:34:00Z", "2026-00-01T12:34:00Z", "2026-02-29T12:34:00Z", "1900-02-29T12:34:00Z",
    "2026-03-00T12:34:00Z", "2026-03-32T12:34:00Z", "2026-03-01T24:00:00Z", "2026-03-01T12:60:00Z",
    "2026-03-01T12:34:61Z", "2026-03-01T12:34:00+24:00", "2026-03-01T12:34:00+02:60", "0000-01-01T00:00:00Z",
    "2026-03-01T12:34:00 02:00", "2026-03-01T12:34:00+0200", "2026-03-01T12:34:0\u0661Z",
    "2026-03-01T12:34:00,123Z", "2026/03/01T12:34:00Z", "20260-3-01T12:34:00Z", " 2026-03-01T12:34:00Z",
    "2026-03-01T12:34:00Z\n", "+026-03-01T12:34:00Z", "1772368440000",
]  # fmt: skip


@pytest.mark.parametrize(("text", "ms"), GOOD.items())
def test_rfc3339_is_read(text: str, ms: int) -> None:
    """Any offset, any fraction (cut to milliseconds), small letters and leap seconds are understood."""
    assert parse_time(text) == ms
    assert parse_times([text, text]).tolist() == [ms, ms]


@pytest.mark.parametrize("text", BAD)
def test_other_texts_are_invalid(text: str) -> None:
    """What is not RFC 3339 with an offset is INVALID, never a guess."""
    assert parse_time(text) == INVALID
    assert parse_times([text, text]).tolist() == [INVALID, INVALID]


def test_mixed_column() -> None:
    """A column of integers, usual, unusual and bad texts gives what each gives alone."""
    values: list[int | str] = [5, *GOOD, 7, *BAD]

    assert parse_times(values).tolist() == [5, *GOOD.values(), 7, *[INVALID] * len(BAD)]
    assert parse_times([]).tolist() == []
    assert parse_times([3, -4]).tolist() == [3, -4]

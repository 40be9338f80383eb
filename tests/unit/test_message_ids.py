"""Message ids and times of the output."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.packed import Packed
from streams.codec.pieces import Pieces
from streams.codec.rfc3339 import rfc3339, rfc3339_table
from streams.codec.times import parse_time
from streams.codec.ulid import CROCKFORD, message_id, ulid_table

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEAR_2200_MS = 7_258_118_400_000
TIME_MS = 1_773_480_413_589


@given(st.integers(0, YEAR_2200_MS))
def test_a_time_is_written_to_the_millisecond(ms: int) -> None:
    """Every millisecond from 1970 to 2200 is written as the calendar has it, and reads back as itself."""
    expected = (EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    assert expected == rfc3339(ms)
    assert ms == parse_time(rfc3339(ms))


@given(st.lists(st.integers(-62_135_596_800_000, 253_402_300_799_999)))
def test_times_are_written_together_as_one_by_one(times_ms: list[int]) -> None:
    """Every millisecond of the years 1 to 9999."""
    table = rfc3339_table(np.array(times_ms, np.int64))

    assert [row.tobytes().decode() for row in table] == [rfc3339(ms) for ms in times_ms]


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_399_999, "2000-02-28T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_time_at_an_edge_of_the_calendar(ms: int, text: str) -> None:
    """Epoch, leap day and the last millisecond are right."""
    assert text == rfc3339(ms)


def test_a_time_after_9999_is_refused() -> None:
    """RFC 3339 has four digits for the year."""
    with pytest.raises(ValueError, match="year"):
        rfc3339(253_402_300_800_000)
    with pytest.raises(ValueError, match="year"):
        rfc3339_table(np.array([0, 253_402_300_800_000]))


def crockford(text: str) -> int:
    """Return the number that a ULID writes, digit by digit."""
    number = 0
    for digit in text:
        number = number * 32 + CROCKFORD.index(digit)
    return number


texts = st.text(max_size=20)


@given(texts, texts, st.integers(0, 2**63), texts, st.integers(0, 2**48 - 1))
def test_a_message_id_is_a_ulid_of_time_and_hash(
    customer: str, segment: str, sequence: int, run: str, time_ms: int
) -> None:
    """The upper 48 bits are the time, the lower 80 the hash of customer, segment, sequence and run."""
    text = f"{len(customer)}:{customer}{len(segment)}:{segment}{sequence}:{run}"
    digest = blake2b(text.encode(), digest_size=10, person=b"live-segments-v1").digest()

    found = message_id(customer, segment, sequence, run, time_ms)

    assert len(found) == 26
    assert crockford(found) == time_ms << 80 | int.from_bytes(digest, "big")


@given(st.lists(st.integers(0, 2**48 - 1), min_size=2, max_size=2, unique=True))
def test_message_ids_sort_by_time(times: list[int]) -> None:
    """A later record has a larger id as text."""
    early, late = (message_id("c", "b-1", 1, "live", t) for t in sorted(times))

    assert early < late


def test_message_ids_differ_for_each_part() -> None:
    """Another customer, segment, sequence or run is another id; so is text that moves between parts."""
    ids = {
        message_id(*parts, TIME_MS)
        for parts in (
            ("12347", "b-3", 42, "live"),
            ("12348", "b-3", 42, "live"),
            ("12347", "b-4", 42, "live"),
            ("12347", "b-3", 43, "live"),
            ("12347", "b-3", 42, "run-1"),
            ("12347b", "-3", 42, "live"),
            ("1234", "7b-3", 42, "live"),
            ("12347", "b-34", 2, "live"),
        )
    }

    assert len(ids) == 8


@pytest.mark.parametrize("time_ms", [-1, 2**48])
def test_a_time_that_a_ulid_cannot_hold_is_refused(time_ms: int) -> None:
    """A ULID has 48 bits for the time."""
    with pytest.raises(ValueError, match="48"):
        message_id("c", "b-1", 1, "live", time_ms)


def test_the_ids_of_a_commit_are_those_of_its_changes_one_by_one() -> None:
    changes = [("anna", "b-1", 1), ("anna", "b-12", 2), ("k\u00e4the", "high-value", 4_000_000_000)]
    changes += [("c" * length, "b-1", 3) for length in range(100, 256, 5)]
    times_ms = [0, 1_773_480_413_589, *range(2**48 - 1, 2**48 - 1 - 31 * len(changes[2:]), -31)]

    customers, segments, sequences = zip(*changes, strict=True)

    def many(n: int, times_ms: list[int]) -> list[str]:
        table = ulid_table(
            Packed.of_strings(customers[:n]),
            Pieces.of([f"{len(segment)}:{segment}" for segment in segments[:n]]),
            Pieces.numbers(np.array(sequences[:n], np.int64)),
            "live",
            np.array(times_ms, np.int64),
        )
        return [row.tobytes().decode() for row in table]

    expected = [message_id(*change, "live", at) for change, at in zip(changes, times_ms, strict=True)]
    assert many(len(changes), times_ms) == expected
    assert many(0, []) == []
    with pytest.raises(ValueError, match="48"):
        many(1, [2**48])

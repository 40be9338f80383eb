"""Any bytes give an event or a dead letter, never an exception."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.codec.events import Decoded, Decoder
from streams.codec.hashing import partition_for
from streams.records import CUSTOMERS, RawList
from tests.codec_samples import NOW_MS, PARTITIONS, RULES, add, body, decode, part, rows

GOOD, BAD = True, False
LARGE = [
    b'"' + b"x" * 2**20 + b'"',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    json.dumps({"event_id": "x" * 2**20}).encode(),
]
NASTY = [
    b"", b"null", b"NaN", b"{}", b"[]", b"1", b'"x"', b"1},{2", b"\xff\xfe", b"\x00", b"{} {}",
    b'{"event_id":"\\ud800"}', b'{"event_id":NaN}', b'{"event_id":1e999}', b"[" + b"1," * 50 + b"1]",
]  # fmt: skip
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([10**400, "x" * 300]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
TOPICS = st.integers(0, 3)
CUSTOMERS_OF = st.sampled_from(["c-1", "c-2", "Zoë", "x" * 256, "c" * 63, "\U0001f600"])
TIMES = st.sampled_from(
    ["2026-03-01T12:34:00Z", "2026-03-01T12:34:00.5+02:00", "1999-12-31T23:59:60z", NOW_MS]
)
REQUIRED = st.sampled_from(["event_id", "customer_id", "occurred_at"])

Drawn = tuple[bool, int, bytes | None, bytes | None, int]
"""Good or bad, topic, key, value, timestamp."""


@st.composite
def good(draw: st.DrawFn) -> Drawn:
    """Return a record that must be accepted."""
    topic, customer = draw(TOPICS), draw(CUSTOMERS_OF)
    extra = draw(st.dictionaries(st.text(max_size=3).map("_".__add__), ODD.filter(is_json), max_size=1))
    record = body(topic, draw(st.integers(0, 99)), customer, occurred_at=draw(TIMES), **extra)
    return GOOD, topic, customer.encode(), json.dumps(record, allow_nan=False).encode(), NOW_MS


@st.composite
def bad(draw: st.DrawFn) -> Drawn:
    """Return a record that must be refused."""
    topic, customer = draw(TOPICS), draw(CUSTOMERS_OF)
    value: bytes | None = json.dumps(body(topic, 1, customer)).encode()
    key: bytes | None = customer.encode()
    match draw(st.sampled_from(["key", "cut", "raw", "large", "type", "missing"])):
        case "key":
            key = draw(st.none() | st.sampled_from([b"", b"\xff", b"other", b"y" * 257, b"z" * 2**20]))
        case "cut":
            value = (value or b"")[: draw(st.integers(0, len(value or b"") - 1))]
        case "raw":
            value = draw(st.sampled_from(NASTY) | st.binary(max_size=30))
        case "large":
            value = draw(st.sampled_from(LARGE))
        case "type":
            wrong = draw(ODD.filter(lambda odd: not isinstance(odd, str | int) or isinstance(odd, bool)))
            value = json.dumps(body(topic, 1, customer) | {draw(REQUIRED): wrong}).encode()
        case _:
            value = json.dumps(body(topic, 1, customer, **{draw(REQUIRED): ...})).encode()
    return BAD, topic, key, value, NOW_MS


def is_json(value: object) -> bool:
    """Return whether a value can be written as JSON."""
    try:
        json.dumps(value, allow_nan=False).encode()
    except ValueError:
        return False
    return True


def batch(records: list[Drawn]) -> RawList:
    """Return the records as a batch."""
    raw = RawList()
    for _, topic, key, value, timestamp in records:
        add(raw, topic, value, key=key, timestamp=timestamp)
    return raw


def letters(decoded: Decoded, start: int = 0) -> list[tuple[Any, ...]]:
    """Return the dead letters, with indices from the start of the whole stream."""
    return [(start + letter.index, letter.reason, letter.field, letter.detail) for letter in decoded.dead]


@settings(deadline=None, max_examples=150)
@given(st.lists(good() | bad(), max_size=25))
def test_good_among_bad(records: list[Drawn]) -> None:
    """Every bad record is a dead letter, every good one gives the same columns as without the bad ones."""
    decoded = decode(batch(records))
    alone = decode(batch([record for record in records if record[0]]))

    assert [i for i, record in enumerate(records) if record[0]] == decoded.events.source.tolist()
    assert [i for i, record in enumerate(records) if not record[0]] == [
        letter.index for letter in decoded.dead
    ]
    assert rows(decoded.events) == rows(alone.events)
    assert alone.dead == []


@settings(deadline=None, max_examples=100)
@given(st.lists(good() | bad(), max_size=25), st.integers(1, 7))
def test_chunks_do_not_matter(records: list[Drawn], size: int) -> None:
    """However the stream is cut into chunks, the events and dead letters are the same."""
    raw = batch(records)
    whole = decode(raw)
    decoder = Decoder(RULES)
    events: list[tuple[Any, ...]] = []
    dead: list[tuple[Any, ...]] = []
    unknown = 0
    for start in range(0, len(raw), size):
        found = decoder.decode(part(raw.batch(), start, start + size), NOW_MS)
        events += rows(found.events)
        dead += letters(found, start)
        unknown += found.unknown_fields

    assert events == rows(whole.events)
    assert dead == letters(whole)
    assert unknown == whole.unknown_fields


@settings(deadline=None, max_examples=200)
@given(TOPICS, st.dictionaries(st.sampled_from(sorted(set().union(*(body(t) for t in range(4))) | {
    "items", "total", "currency", "kind", "erase", "offer_id", "channel"})), ODD | TIMES, max_size=6),
    st.integers(-(2**63), 2**63 - 1), st.integers(0, PARTITIONS - 1))  # fmt: skip
def test_any_fields_are_survived(topic: int, fields: dict[str, Any], timestamp: int, partition: int) -> None:
    """Any JSON values in any known fields, any timestamp and partition give an event or a dead letter."""
    raw = add(RawList(), topic, body(topic) | fields, timestamp=timestamp, partition=partition)

    decoded = decode(raw)

    assert len(decoded.events) + len(decoded.dead) == 1


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(TOPICS, st.none() | st.binary(max_size=300), st.none() | st.binary(max_size=50)),
        max_size=20,
    )
)
def test_any_bytes_are_survived(records: list[tuple[int, bytes | None, bytes | None]]) -> None:
    """Random keys and values are counted out: accepted and dead are all; only erasures are accepted."""
    raw = RawList()
    for topic, key, value in records:
        add(raw, topic, value, key=key, partition=partition_for(key or b"", PARTITIONS, "murmur2"))

    decoded = decode(raw)

    assert len(decoded.events) + len(decoded.dead) == len(raw)
    accepted = raw.batch().take(decoded.events.source)
    assert (accepted.topic == CUSTOMERS).all()
    assert accepted.value.nulls.all()

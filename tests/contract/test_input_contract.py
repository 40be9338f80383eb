"""The input contract: what holds for records of all topics, key, partition and time."""

from __future__ import annotations

from typing import Any

import pytest

from models.events import Kind
from streams.codec.events import InputRules
from streams.codec.hashing import hash64, partition_for
from streams.codec.schemas import SCHEMAS
from streams.records import CLICKS, CUSTOMERS, PURCHASES, VIEWS, RawList
from tests.codec_samples import (
    CUSTOMER,
    NOW_MS,
    PARTITIONS,
    TOPICS,
    add,
    body,
    decode,
    decode_one,
    refusal,
    refused,
    rows,
)

MINUTE_MS = 60_000


def test_events_keep_the_order_of_delivery() -> None:
    """Events of several topics come out in the order of the batch, each with its own columns."""
    raw = RawList()
    for number, topic in enumerate([VIEWS, PURCHASES, CLICKS, CUSTOMERS, VIEWS, PURCHASES]):
        add(raw, topic, body(topic, number))
    events = decode(raw).events

    assert events.kind.tolist() == [
        Kind.VIEW,
        Kind.PURCHASE,
        Kind.CLICK,
        Kind.ATTRIBUTES,
        Kind.VIEW,
        Kind.PURCHASE,
    ]
    assert events.source.tolist() == [0, 1, 2, 3, 4, 5]
    assert events.event_hash.tolist() == [hash64(f"e-{number}") for number in range(6)]
    assert events.lines.event.tolist() == [1, 5]
    assert list(events.attributes) == [3]
    assert events.category.tolist() == ["shoes", None, None, None, "shoes", None]


@pytest.mark.parametrize("topic", TOPICS)
def test_unknown_fields_are_ignored_and_counted(topic: int) -> None:
    """Unknown fields change nothing and are counted, in lines and attributes too."""
    plain = decode_one(topic, body(topic))
    more = body(topic, colour="red", nested={"a": [1, {"b": None}]})
    expected = 2
    for part in (more.get("items", [None])[0], more.get("attributes")):
        if part:
            part["colour"] = "red"
            expected += 1
    decoded = decode_one(topic, more)

    assert rows(decoded.events) == rows(plain.events)
    assert (plain.unknown_fields, decoded.unknown_fields) == (0, expected)


def test_unknown_fields_of_large_chunks_are_estimated() -> None:
    """In a chunk of thousands the count of unknown fields comes from a sample."""
    raw = RawList()
    for number in range(3000):
        add(raw, VIEWS, body(VIEWS, number, colour="red"))

    assert decode(raw).unknown_fields == 3000


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("field", ["event_id", "customer_id", "occurred_at", "order_id"])
def test_required_fields(topic: int, field: str) -> None:
    """Without a required field, or with null in it, a record is refused as missing_field."""
    if field == "order_id" and topic != PURCHASES:
        return
    absent: dict[str, Any] = {field: ...}
    null: dict[str, Any] = {field: None}

    assert refused(topic, **absent) == ("missing_field", field)
    assert refused(topic, **null) == ("missing_field", field)


@pytest.mark.parametrize(
    ("topic", "field"),
    [
        (topic, field)
        for topic in TOPICS
        for field in SCHEMAS[topic].__struct_fields__
        if field not in {"event_id", "customer_id", "occurred_at", "order_id"}
    ],
)
def test_optional_fields(topic: int, field: str) -> None:
    """An optional field may be absent or null, and means the same either way."""
    without: dict[str, Any] = {field: ...}
    with_null: dict[str, Any] = {field: None}
    absent = decode_one(topic, body(topic, **without))
    null = decode_one(topic, body(topic, **with_null))

    assert len(absent.events) == 1
    assert rows(absent.events) == rows(null.events)


@pytest.mark.parametrize(
    ("topic", "field"), [(topic, field) for topic in TOPICS for field in SCHEMAS[topic].__struct_fields__]
)
def test_wrong_types_name_the_field(topic: int, field: str) -> None:
    """A value of another JSON type is refused as wrong_type with the field's name."""
    wrong: dict[str, Any] = {field: [] if field == "attributes" else {}}

    assert refused(topic, **wrong) == ("wrong_type", field)


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize(
    "field",
    ["event_id", "session_id", "channel", "device", "country", "product_id", "order_id", "campaign_id"],
)
def test_texts_are_bounded(topic: int, field: str) -> None:
    """A text of 256 characters is accepted, one of 257 is out_of_range."""
    if field not in SCHEMAS[topic].__struct_fields__:
        return
    longest: dict[str, Any] = {field: "é" * 256}
    longer: dict[str, Any] = {field: "é" * 257}

    assert len(decode_one(topic, body(topic, **longest)).events) == 1
    assert refused(topic, **longer) == ("out_of_range", field)


@pytest.mark.parametrize("field", ["event_id", "order_id"])
def test_empty_ids_are_out_of_range(field: str) -> None:
    """An id that is required is not empty."""
    assert refused(PURCHASES, **{field: ""}) == ("out_of_range", field)


def test_context_is_optional_text() -> None:
    """session_id, channel, device and country are kept; empty is absent; a session is a hash or 0."""
    full = decode_one(CLICKS, body(CLICKS, session_id="s-9", channel="web", device="tv", country="FR")).events
    empty = decode_one(CLICKS, body(CLICKS, session_id="", channel="", device="", country="")).events

    assert [column.tolist() for column in (full.session, full.channel, full.device, full.country)] == [
        [hash64("s-9")],
        ["web"],
        ["tv"],
        ["FR"],
    ]
    assert [column.tolist() for column in (empty.session, empty.channel, empty.device, empty.country)] == [
        [0],
        [None],
        [None],
        [None],
    ]


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("customer", ["c", "Zoë-\U0001f600", "x" * 256, "é" * 128, "a\u0000b"])
def test_key_is_the_customer(topic: int, customer: str) -> None:
    """customer_id of 1-256 bytes equal to the key is accepted, and the events' key is its UTF-8."""
    decoded = decode_one(topic, body(topic, customer=customer), key=customer.encode())

    assert decoded.events.key.tolist() == [customer.encode()]


@pytest.mark.parametrize("key", [b"c-2", b"C-1", b"c-1 ", b'"c-1"'])
def test_other_key_is_a_mismatch(key: bytes) -> None:
    """A key that is not customer_id is refused as key_mismatch."""
    assert refusal(decode_one(VIEWS, body(VIEWS), key=key)) == ("key_mismatch", "customer_id")


@pytest.mark.parametrize("key", [None, b"", b"\xff", ("é" * 128 + "x").encode(), b"x" * 257])
@pytest.mark.parametrize("null", [False, True])
def test_bad_keys(key: bytes | None, *, null: bool) -> None:
    """No key, an empty one, one over 256 bytes and one that is not UTF-8 are refused, of erasures too."""
    customer = (key or b"x").decode(errors="replace")[:256]
    value = None if null else body(CUSTOMERS, customer=customer)

    assert refusal(decode_one(CUSTOMERS, value, key=key)) == ("bad_key", None)


@pytest.mark.parametrize("partitioner", ["murmur2", "crc32"])
def test_stray_partition(partitioner: str) -> None:
    """A record is accepted on the partition that the partitioner names for its key, and on no other."""
    rules = InputRules(PARTITIONS, partitioner, "EUR", {}, check_future=True)
    right = partition_for(CUSTOMER.encode(), PARTITIONS, partitioner)
    for partition in range(PARTITIONS):
        decoded = decode(add(RawList(), VIEWS, body(VIEWS), partition=partition), rules=rules)

        if partition == right:
            assert decoded.events.partition.tolist() == [right]
        else:
            assert refusal(decoded) == ("wrong_partition", None)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        (NOW_MS, NOW_MS),
        ("2026-03-01T12:34:00Z", NOW_MS),
        ("2026-03-01T14:04:00.250+01:30", NOW_MS + 250),
        ("1990-01-01T00:00:00Z", 631_152_000_000),
    ],
)
def test_occurred_at(text: str | int, ms: int) -> None:
    """occurred_at is RFC 3339 with any offset, or integer epoch milliseconds."""
    assert decode_one(VIEWS, body(VIEWS, occurred_at=text)).events.time.tolist() == [ms]


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-03-01T12:34:00", "2026-02-30T12:34:00Z", "1772368440000"]
)
def test_texts_that_are_no_time(text: str) -> None:
    """A text that is not RFC 3339 with an offset is refused as bad_time."""
    assert refused(VIEWS, occurred_at=text) == ("bad_time", "occurred_at")


def test_numbers_that_are_no_time() -> None:
    """A fraction or a boolean is no time; a number beyond the year 9999 is out of range."""
    assert refused(VIEWS, occurred_at=NOW_MS + 0.5) == ("wrong_type", "occurred_at")
    assert refused(VIEWS, occurred_at=True) == ("wrong_type", "occurred_at")
    assert refused(VIEWS, occurred_at=10**18) == ("out_of_range", "occurred_at")
    assert refused(VIEWS, occurred_at=10**400) == ("out_of_range", "occurred_at")


@pytest.mark.parametrize("time", ["1989-12-31T23:59:59.999Z", NOW_MS // 1000, 0, -5])
def test_before_1990_is_too_old(time: str | int) -> None:
    """A time before 1990 is refused: most are seconds taken for milliseconds."""
    assert refused(VIEWS, occurred_at=time) == ("too_old", "occurred_at")


@pytest.mark.parametrize(
    ("ahead_of_record_ms", "ahead_of_clock_ms", "accepted"),
    [
        (5 * MINUTE_MS, 60 * MINUTE_MS, True),
        (60 * MINUTE_MS, 5 * MINUTE_MS, True),
        (5 * MINUTE_MS + 1, 5 * MINUTE_MS + 1, False),
        (-60 * MINUTE_MS, 60 * MINUTE_MS, True),
        (NOW_MS - 2**63 + 1, 60 * MINUTE_MS, True),
    ],
)
def test_future(ahead_of_record_ms: int, ahead_of_clock_ms: int, *, accepted: bool) -> None:
    """In the future is what is more than 5 min after both the record's timestamp and the wall clock."""
    raw = add(RawList(), VIEWS, body(VIEWS, occurred_at=NOW_MS), timestamp=NOW_MS - ahead_of_record_ms)
    decoded = decode(raw, NOW_MS - ahead_of_clock_ms)

    if accepted:
        assert len(decoded.events) == 1
    else:
        assert refusal(decoded) == ("in_future", "occurred_at")


def test_files_have_no_future() -> None:
    """Recorded files are not checked against the wall clock."""
    rules = InputRules(PARTITIONS, "murmur2", "EUR", {}, check_future=False)
    raw = add(RawList(), VIEWS, body(VIEWS, occurred_at=NOW_MS), timestamp=0)

    assert len(decode(raw, 0, rules).events) == 1

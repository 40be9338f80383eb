"""The input contract, rule by rule: what is accepted, as what, and what becomes a dead letter."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from models.events import Action, Attributes, Kind
from streams.codec.events import Decoder, InputRules
from streams.codec.hashing import hash64, partition_for
from streams.codec.schemas import SCHEMAS
from streams.records import CLICKS, CUSTOMERS, INPUT_TOPICS, PURCHASES, VIEWS, RawBatch
from tests.codec_samples import (
    CUSTOMER,
    NOW_MS,
    PARTITIONS,
    RULES,
    add,
    body,
    decode,
    decode_one,
    refusal,
    rows,
)

TOPICS = range(len(INPUT_TOPICS))
MINUTE_MS = 60_000


def order(**fields: Any) -> tuple[int, int, int, int]:
    """Return kind, money, discount and items of an accepted purchase."""
    events = decode_one(PURCHASES, body(PURCHASES, **fields)).events
    assert len(events) == 1
    return int(events.kind[0]), int(events.money[0]), int(events.discount[0]), int(events.items[0])


def refused(topic: int, **fields: Any) -> tuple[str, str | None]:
    """Return reason and field of a record that is good but for some fields."""
    return refusal(decode_one(topic, body(topic, **fields)))


# --- records of all topics


def test_events_keep_the_order_of_delivery() -> None:
    """Events of several topics come out in the order of the batch, each with its own columns."""
    raw = RawBatch()
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
    assert events.category == ["shoes", None, None, None, "shoes", None]


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
    raw = RawBatch()
    for number in range(3000):
        add(raw, VIEWS, body(VIEWS, number, colour="red"))

    assert decode(raw).unknown_fields == 3000


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("field", ["event_id", "customer_id", "occurred_at", "order_id"])
def test_required_fields(topic: int, field: str) -> None:
    """Without a required field, or with null in it, a record is refused as missing_field."""
    if field == "order_id" and topic != PURCHASES:
        return
    assert refused(topic, **{field: ...}) == ("missing_field", field)
    assert refused(topic, **{field: None}) == ("missing_field", field)


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
    absent = decode_one(topic, body(topic, **{field: ...}))
    null = decode_one(topic, body(topic, **{field: None}))

    assert len(absent.events) == 1
    assert rows(absent.events) == rows(null.events)


@pytest.mark.parametrize(
    ("topic", "field", "value"),
    [(topic, field, value)
     for topic in TOPICS for field in SCHEMAS[topic].__struct_fields__
     for value in ([[]] if field == "attributes" else [{}])],
)  # fmt: skip
def test_wrong_types_name_the_field(topic: int, field: str, value: Any) -> None:
    """A value of another JSON type is refused as wrong_type with the field's name."""
    assert refused(topic, **{field: value}) == ("wrong_type", field)


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize(
    "field",
    ["event_id", "session_id", "channel", "device", "country", "product_id", "order_id", "campaign_id"],
)
def test_texts_are_bounded(topic: int, field: str) -> None:
    """A text of 256 characters is accepted, one of 257 is out_of_range."""
    if field not in SCHEMAS[topic].__struct_fields__:
        return
    assert len(decode_one(topic, body(topic, **{field: "é" * 256})).events) == 1
    assert refused(topic, **{field: "é" * 257}) == ("out_of_range", field)


@pytest.mark.parametrize("field", ["event_id", "order_id"])
def test_empty_ids_are_out_of_range(field: str) -> None:
    """An id that is required is not empty."""
    assert refused(PURCHASES, **{field: ""}) == ("out_of_range", field)


def test_context_is_optional_text() -> None:
    """session_id, channel, device and country are kept; empty is absent; a session is its 64-bit hash, else 0."""
    full = decode_one(CLICKS, body(CLICKS, session_id="s-9", channel="web", device="tv", country="FR")).events
    empty = decode_one(CLICKS, body(CLICKS, session_id="", channel="", device="", country="")).events

    assert (full.session.tolist(), full.channel, full.device, full.country) == (
        [hash64("s-9")],
        ["web"],
        ["tv"],
        ["FR"],
    )
    assert (empty.session.tolist(), empty.channel, empty.device, empty.country) == (
        [0],
        [None],
        [None],
        [None],
    )


# --- key and partition


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("customer", ["c", "Zoë-\U0001f600", "x" * 256, "é" * 128, "a\u0000b"])
def test_key_is_the_customer(topic: int, customer: str) -> None:
    """customer_id of 1-256 bytes equal to the key is accepted, and the events' key is its UTF-8."""
    decoded = decode_one(topic, body(topic, customer=customer), key=customer.encode())

    assert decoded.events.key == [customer.encode()]


@pytest.mark.parametrize("key", [b"c-2", b"C-1", b"c-1 ", b'"c-1"'])
def test_other_key_is_a_mismatch(key: bytes) -> None:
    """A key that is not customer_id is refused as key_mismatch."""
    assert refusal(decode_one(VIEWS, body(VIEWS), key=key)) == ("key_mismatch", "customer_id")


@pytest.mark.parametrize("key", [None, b"", b"\xff", ("é" * 128 + "x").encode(), b"x" * 257])
@pytest.mark.parametrize("null", [False, True])
def test_bad_keys(key: bytes | None, *, null: bool) -> None:
    """No key, an empty one, one over 256 bytes and one that is not UTF-8 are refused as bad_key, erasures too."""
    customer = (key or b"x").decode(errors="replace")[:256]
    value = None if null else body(CUSTOMERS, customer=customer)

    assert refusal(decode_one(CUSTOMERS, value, key=key)) == ("bad_key", None)


@pytest.mark.parametrize("partitioner", ["murmur2", "crc32"])
def test_stray_partition(partitioner: str) -> None:
    """A record is accepted on the partition that the partitioner names for its key, and on no other."""
    rules = InputRules(PARTITIONS, partitioner, "EUR", {}, check_future=True)
    right = partition_for(CUSTOMER.encode(), PARTITIONS, partitioner)
    for partition in range(PARTITIONS):
        decoded = decode(add(RawBatch(), VIEWS, body(VIEWS), partition=partition), rules=rules)

        if partition == right:
            assert decoded.events.partition.tolist() == [right]
        else:
            assert refusal(decoded) == ("wrong_partition", None)


# --- time


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
    ],
)
def test_future(ahead_of_record_ms: int, ahead_of_clock_ms: int, *, accepted: bool) -> None:
    """In the future is what is more than 5 min after both the record's timestamp and the wall clock."""
    raw = add(RawBatch(), VIEWS, body(VIEWS, occurred_at=NOW_MS), timestamp=NOW_MS - ahead_of_record_ms)
    decoded = decode(raw, NOW_MS - ahead_of_clock_ms)

    if accepted:
        assert len(decoded.events) == 1
    else:
        assert refusal(decoded) == ("in_future", "occurred_at")


def test_files_have_no_future() -> None:
    """Recorded files are not checked against the wall clock."""
    rules = InputRules(PARTITIONS, "murmur2", "EUR", {}, check_future=False)
    raw = add(RawBatch(), VIEWS, body(VIEWS, occurred_at=NOW_MS), timestamp=0)

    assert len(decode(raw, 0, rules).events) == 1


# --- clicks and views


@pytest.mark.parametrize(
    ("given", "action"),
    [*((action.name.lower(), action) for action in Action), ("dance", Action.LINK), ("", Action.LINK), (None, Action.LINK)],
)  # fmt: skip
def test_actions(given: str | None, action: Action) -> None:
    """The eight actions are told apart; any other, or none, is a link."""
    assert decode_one(CLICKS, body(CLICKS, action=given)).events.action.tolist() == [action]


@pytest.mark.parametrize("topic", [CLICKS, PURCHASES])
def test_campaign_and_offer(topic: int) -> None:
    """campaign_id and offer_id mark the touch and the coupon; empty is absent."""
    events = decode_one(topic, body(topic, campaign_id="spring", offer_id="-10%")).events
    empty = decode_one(topic, body(topic, campaign_id="", offer_id=None)).events

    assert (events.campaign.tolist(), events.offer.tolist()) == ([True], [True])
    assert (empty.campaign.tolist(), empty.offer.tolist()) == ([False], [False])


def test_ratings() -> None:
    """A rating is 0-10, kept in 1/1000; absent is -1."""
    for given, kept in ((0, 0), (10, 10_000), (4.5, 4_500), (None, -1)):
        assert decode_one(CLICKS, body(CLICKS, rating=given)).events.rating.tolist() == [kept]
    for given in (-0.1, 10.1, 1e300):
        assert refused(CLICKS, rating=given) == ("out_of_range", "rating")


def test_views() -> None:
    """A view has a category, a brand and a dwell time in milliseconds, -1 when absent."""
    events = decode_one(VIEWS, body(VIEWS)).events
    bare = decode_one(
        VIEWS, body(VIEWS, category="", brand=..., price=..., dwell_seconds=..., product_id=...)
    ).events

    assert (events.category, events.brand, events.dwell.tolist()) == (["shoes"], ["acme"], [2500])
    assert (bare.category, bare.brand, bare.dwell.tolist()) == ([None], [None], [-1])


@pytest.mark.parametrize(
    ("field", "value"), [("dwell_seconds", -1), ("dwell_seconds", 86_401), ("price", -0.01)]
)
def test_bounds_of_views(field: str, value: float) -> None:
    """Time spent is 0 s to a day, a price is not negative."""
    assert refused(VIEWS, **{field: value}) == ("out_of_range", field)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 400, "9" * 5000])
def test_huge_numbers(number: str) -> None:
    """A number that no float holds is out of range."""
    value = json.dumps(body(VIEWS, price="?")).replace('"?"', number).encode()

    assert refusal(decode_one(VIEWS, value)) == ("out_of_range", "price")


# --- purchases


def test_total_defaults_to_the_lines() -> None:
    """Without a total, money is the sum over the lines of quantity * unit_price - discount; the discounts are kept."""
    lines = [{"quantity": 3, "unit_price": 0.1, "discount": 0.05}, {"unit_price": 19.99}, {"quantity": 2.0}]

    assert order(items=lines) == (Kind.PURCHASE, 3_000 - 500 + 199_900, 500, 6)
    assert order(items=lines, total=7) == (Kind.PURCHASE, 70_000, 500, 6)
    assert order(items=lines, total=0) == (Kind.PURCHASE, 0, 500, 6)


def test_no_price_is_money_0() -> None:
    """An order without prices counts, with money 0, with or without lines."""
    assert order(items=[{"product_id": "p-1", "discount": 1}]) == (Kind.PURCHASE, 0, 10_000, 1)
    assert order(items=...) == (Kind.PURCHASE, 0, 0, 0)


def test_refunds_are_positive() -> None:
    """A refund has a positive total; a negative total is refused for both kinds."""
    assert order(kind="refund", total=5.5) == (Kind.REFUND, 55_000, 0, 2)
    assert order(kind="purchase") == (Kind.PURCHASE, 199_800, 0, 2)
    for kind in ("purchase", "refund"):
        assert refused(PURCHASES, kind=kind, total=-5.5) == ("out_of_range", "total")
    assert refused(PURCHASES, kind="return") == ("out_of_range", "kind")


def test_lines_are_1_to_1000() -> None:
    """An order has 1-1000 lines; their categories and brands come with the index of their event."""
    line = {"category": "hats", "brand": "", "unit_price": 0.01}
    events = decode_one(PURCHASES, body(PURCHASES, items=[line] * 1000)).events

    assert (events.money.tolist(), events.items.tolist()) == ([100_000], [1000])
    assert events.lines.event.tolist() == [0] * 1000
    assert (set(events.lines.category), set(events.lines.brand)) == ({"hats"}, {None})
    assert refused(PURCHASES, items=[line] * 1001) == ("out_of_range", "items")
    assert refused(PURCHASES, items=[]) == ("out_of_range", "items")


@pytest.mark.parametrize(
    ("line", "reason", "field"),
    [
        ({"quantity": 0}, "out_of_range", "items[1].quantity"),
        ({"quantity": 1.5}, "out_of_range", "items[1].quantity"),
        ({"quantity": 10**6 + 1}, "out_of_range", "items[1].quantity"),
        ({"quantity": True}, "wrong_type", "items[1].quantity"),
        ({"quantity": "1"}, "wrong_type", "items[1].quantity"),
        ({"unit_price": -1}, "out_of_range", "items[1].unit_price"),
        ({"discount": -1}, "out_of_range", "items[1].discount"),
        ({"category": 5}, "wrong_type", "items[1].category"),
        ({"brand": "x" * 257}, "out_of_range", "items[1].brand"),
        ({"unit_price": 1e10, "quantity": 11}, "out_of_range", "items"),
        ({"unit_price": 1, "discount": 9_999}, "out_of_range", "items"),
        (None, "missing_field", "items[1]"),
    ],
)
def test_bad_lines(line: dict[str, Any] | None, reason: str, field: str) -> None:
    """A bad line is named by its number, and so is what is wrong with it."""
    assert refused(PURCHASES, items=[{"unit_price": 1}, line]) == (reason, field)


def test_currencies() -> None:
    """The reporting currency needs no rate, others are converted, and one without a rate is refused."""
    lines = [{"unit_price": 100, "discount": 10}]

    assert order(items=lines, currency="EUR")[1:3] == (900_000, 100_000)
    assert order(items=lines, currency="")[1:3] == (900_000, 100_000)
    assert order(items=lines, currency="GBP")[1:3] == (1_080_000, 120_000)
    assert order(total=1, currency="JPY")[1] == 61
    assert refused(PURCHASES, currency="XYZ") == ("unknown_currency", "currency")
    assert refused(PURCHASES, total=1e11, currency="GBP") == ("out_of_range", "total")


def test_bad_purchases_leave_the_others_as_they_are() -> None:
    """A purchase that cannot be priced is refused alone; lines still point at their own events."""
    raw = RawBatch()
    for number, currency in enumerate(["EUR", "XYZ", "GBP", "XYZ", "EUR"]):
        add(raw, VIEWS, body(VIEWS, 10 + number))
        add(raw, PURCHASES, body(PURCHASES, number, currency=currency))
    decoded = decode(raw)

    assert [letter.index for letter in decoded.dead] == [3, 7]
    assert decoded.events.source.tolist() == [0, 1, 2, 4, 5, 6, 8, 9]
    assert decoded.events.lines.event.tolist() == [1, 4, 7]
    assert decoded.events.money.tolist() == [0, 199_800, 0, 0, 239_760, 0, 0, 199_800]


# --- customers


def test_attributes() -> None:
    """Attributes are handed on as given; those that are absent, null or empty are None."""
    full = {
        "birth_year": 1980, "gender": "f", "country": "FR", "city": "Lyon", "loyalty_tier": "gold",
        "consent_marketing": False, "nps": 9.0, "shoe_size": 38,
    }  # fmt: skip
    events = decode_one(CUSTOMERS, body(CUSTOMERS, attributes=full, erase=False)).events
    few = decode_one(CUSTOMERS, body(CUSTOMERS, attributes={"city": "", "nps": None})).events
    none = decode_one(CUSTOMERS, body(CUSTOMERS, attributes=...)).events

    assert events.kind.tolist() == [Kind.ATTRIBUTES]
    assert events.attributes == {
        0: Attributes(1980, "f", "FR", "Lyon", "gold", consent_marketing=False, nps=9)
    }
    assert few.attributes == none.attributes == {0: Attributes()}


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"birth_year": 80}, "out_of_range"), ({"birth_year": "1980"}, "wrong_type"), ({"nps": 11}, "out_of_range"),
        ({"nps": 8.5}, "out_of_range"), ({"consent_marketing": 1}, "wrong_type"), ({"city": "x" * 257}, "out_of_range"),
        ({"gender": 1}, "wrong_type"), ({"consent_marketing": "yes"}, "wrong_type"),
    ],
)  # fmt: skip
def test_bad_attributes(attributes: dict[str, Any], reason: str) -> None:
    """An attribute of the wrong type or outside its bounds is refused and named."""
    assert refused(CUSTOMERS, attributes=attributes) == (reason, f"attributes.{next(iter(attributes))}")


def test_erase() -> None:
    """`erase: true` is an erasure at occurred_at, whatever attributes come with it."""
    events = decode_one(CUSTOMERS, body(CUSTOMERS, erase=True), timestamp=NOW_MS + 1000).events

    assert (events.kind.tolist(), events.time.tolist(), events.attributes) == ([Kind.ERASE], [NOW_MS], {})


@pytest.mark.parametrize(
    ("timestamp", "time"),
    [
        (NOW_MS - 5000, NOW_MS - 5000),
        (-1, NOW_MS),
        (0, NOW_MS),
        (NOW_MS + 2**40, NOW_MS),
        (NOW_MS + MINUTE_MS,) * 2,
    ],
)
def test_null_value_of_a_customer_is_an_erasure(timestamp: int, time: int) -> None:
    """A null value erases at the record's timestamp; without a usable timestamp it erases now."""
    events = decode_one(CUSTOMERS, None, timestamp=timestamp).events

    assert (events.kind.tolist(), events.time.tolist()) == ([Kind.ERASE], [time])
    assert events.key == [CUSTOMER.encode()]
    assert events.event_hash[0] != 0


@pytest.mark.parametrize("topic", [CLICKS, VIEWS, PURCHASES])
def test_null_value_of_an_event_is_a_dead_letter(topic: int) -> None:
    """On the event topics null means nothing."""
    assert refusal(decode_one(topic, None)) == ("null_value", None)


# --- what is no record at all


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not_json"), (b"{", "not_json"), (b"nonsense", "not_json"), (b"\xff\xfe\x00", "not_json"),
        (b'{"event_id": NaN}', "not_json"), (b'{"event_id": Infinity}', "not_json"), (b"{} {}", "not_json"),
        (b"null", "null_value"), (b"[]", "wrong_type"), (b"7", "wrong_type"), (b'"text"', "wrong_type"),
        (b'{"x":' * 100_000, "too_deep"), (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
        (b" " * (2**20 + 1), "too_large"),
    ],
)  # fmt: skip
def test_values_that_are_no_record(topic: int, value: bytes, reason: str) -> None:
    """Values that are no JSON object of a sane size are refused for what they are."""
    assert refusal(decode_one(topic, value)) == (reason, None)


def test_invalid_utf8_in_a_text_is_not_json() -> None:
    """A known text that is not UTF-8 is refused."""
    value = json.dumps(body(VIEWS, brand="?")).encode().replace(b"?", b"\xff")

    assert refusal(decode_one(VIEWS, value)) == ("not_json", None)


def test_exactly_1_mib_is_accepted() -> None:
    """A record of 1 MiB is read, one byte more is too_large, good as it may be."""
    value = json.dumps(body(VIEWS)).encode()

    assert len(decode_one(VIEWS, value.ljust(2**20)).events) == 1
    assert refusal(decode_one(VIEWS, value.ljust(2**20 + 1))) == ("too_large", None)


def test_values_do_not_run_into_each_other() -> None:
    """Two values that would make two records only when joined are two dead letters."""
    good = json.dumps(body(VIEWS)).encode()
    raw = RawBatch()
    for value in (good, good + b"," + good[:-1] + b',"x":"}', b'{","y":1}', b"1},{2", good):
        add(raw, VIEWS, value)
    decoded = decode(raw)

    assert decoded.events.source.tolist() == [0, 4]
    assert [letter.reason.value for letter in decoded.dead] == ["not_json"] * 3


def test_dead_letters_hold_no_customer() -> None:
    """The detail of a dead letter never quotes the record."""
    secret = "c-1"
    values = [body(VIEWS, occurred_at=secret), body(PURCHASES, kind=secret), body(PURCHASES, currency=secret)]
    for value in values:
        (letter,) = decode_one(PURCHASES if "order_id" in value else VIEWS, value).dead

        assert secret not in letter.detail


def test_10000_fuzzed_among_10000_good() -> None:
    """All good records among as many bad ones are accepted, all bad ones are dead letters with a reason."""
    rng = random.Random(7)
    good = [json.dumps(body(topic, number)).encode() for number in range(2500) for topic in TOPICS]
    bad: list[bytes] = []
    for value in good:
        cut = rng.randrange(1, len(value) - 1)
        bad.append(
            rng.choice(
                [
                    rng.randbytes(rng.randrange(40)),
                    value[:cut],
                    value.replace(b'"e-', b'1e999,"_":"'),
                    value.replace(b'"e-', b'NaN,"_":"'),
                    value.replace(b'"event_id"', b'"_"'),
                    value.replace(b'"c-1"', b'"c-2"'),
                    b'{"a":' * rng.randrange(1, 3000),
                ]
            )
        )
    bad[5000] = b'"' + b"x" * 2**20 + b'"'
    stream = [(value, True, i % 4) for i, value in enumerate(good)] + [
        (v, False, i % 4) for i, v in enumerate(bad)
    ]
    rng.shuffle(stream)
    raw = RawBatch()
    for value, _, topic in stream:
        add(raw, topic, value)
    decoder = Decoder(RULES)
    accepted: list[int] = []
    dead: list[int] = []
    for start in range(0, len(raw), 1000):
        decoded = decoder.decode(raw.part(start, start + 1000), NOW_MS)
        accepted += (decoded.events.source + start).tolist()
        dead += [letter.index + start for letter in decoded.dead if letter.reason.meaning]

    assert accepted == [i for i, (_, is_good, _) in enumerate(stream) if is_good]
    assert dead == [i for i, (_, is_good, _) in enumerate(stream) if not is_good]


def test_empty_batch() -> None:
    """Nothing in, nothing out."""
    decoded = decode(RawBatch())

    assert (len(decoded.events), decoded.dead, decoded.unknown_fields) == (0, [], 0)

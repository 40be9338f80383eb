"""Change records, memberships and definitions as bytes, and what never reaches the JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.packed import Packed
from streams.codec.changes import (
    FIXED_PROPERTIES,
    MAX_VALUE_BYTES,
    Change,
    Headers,
    Reason,
    decode_change,
    encode_change,
    encode_changes,
)
from streams.codec.definitions import Definition, Lineage, decode_definition, encode_definition
from streams.codec.json_columns import strings
from streams.codec.main_features import Json, features_json
from streams.codec.membership import (
    Behaviour,
    audiences_json,
    behaviours_json,
    decode_membership,
    encode_memberships,
)
from streams.codec.output_records import Cause, Scalar, Trigger
from streams.codec.pieces import Pieces
from streams.codec.reasons import reasons_json
from streams.codec.triggers import triggers_of
from streams.records import Bundle

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME_MS = 1_773_480_413_589
REASONS = (Reason("days_since_order", 62.0, 20.5, 0.7), Reason("orders_90d", 0, 2, 0.3))
TRIGGER = Trigger("clicks", 5, 90_411, "click-1")
BASE = Change(
    customer_id="12347",
    segment_set="behaviour",
    segment_id="b-3",
    segment_name="Dormant",
    entered=True,
    previous_segment="b-1",
    next_segment="b-3",
    move_id="12347-41",
    since_ms=TIME_MS,
    timestamp_ms=TIME_MS,
    sequence=42,
    cause="event",
    reason="Moved from Loyal to Dormant.",
    confidence=0.83,
    model_version=12,
    definitions_version=3,
    trigger=Json(msgspec.json.encode(TRIGGER).decode()),
    reasons=reasons_json(REASONS),
    features=features_json({"orders_total": 7, "money_365d": 412.8}),
)


def encode(change: Change, **other: str) -> tuple[bytes, Headers]:
    """Encode as the live worker of the default app does."""
    arguments: dict[str, Any] = {"origin": "live", "run_id": "live", "space_id": "live-segments", **other}
    return encode_change(change, received_at_ms=TIME_MS + 212, **arguments)


def parsed(change: Change, **other: str) -> dict[str, Any]:
    """Return the value as a strict JSON reader sees it."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found: dict[str, Any] = json.loads(encode(change, **other)[0], parse_constant=refuse)
    return found


def but(**changed: Any) -> Change:
    """Return the usual change with some fields changed."""
    if "features" in changed:
        changed["features"] = features_json(changed["features"])
    if "reasons" in changed:
        changed["reasons"] = reasons_json(changed["reasons"])
    return msgspec.structs.replace(BASE, **changed)


def test_a_record_sent_again_keeps_its_id() -> None:
    """Commit time and origin may differ at the second try; the id may not."""
    first = parsed(BASE)
    again = json.loads(
        encode_change(
            BASE,
            received_at_ms=TIME_MS + 9_000_000,
            origin="catchup",
            run_id="live",
            space_id="live-segments",
        )[0]
    )

    assert first["messageId"] == again["messageId"]
    assert first["receivedAt"] != again["receivedAt"]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_numbers_that_json_lacks_become_null(number: float) -> None:
    """NaN and infinity are null wherever a number may stand."""
    value = parsed(
        but(
            confidence=number, reasons=(Reason("x", number, number, number),), features={"money_365d": number}
        )
    )

    assert value["properties"]["confidence"] is None
    assert value["properties"]["money_365d"] is None
    assert value["context"]["reasons"] == [{"feature": "x", "value": None, "previous": None, "weight": None}]


def test_numbers_of_numpy_are_written_as_numbers() -> None:
    """Values taken straight out of columns need no conversion."""
    value = parsed(but(features={"a": np.float64(1.5), "b": np.int64(7), "c": np.bool_(True)}))

    assert {"a": 1.5, "b": 7, "c": True}.items() <= value["properties"].items()


def test_only_an_event_has_a_trigger() -> None:
    """A record with another cause has no trigger, even if one is given."""
    assert parsed(BASE)["context"]["trigger"] == {
        "topic": "clicks",
        "partition": 5,
        "offset": 90_411,
        "event_id": "click-1",
    }
    for cause in ("time", "model", "definition", "erasure"):
        assert "trigger" not in parsed(but(cause=cause))["context"]


def test_the_five_heaviest_reasons_are_written_largest_first() -> None:
    """Of seven reasons in any order, five remain, by weight; those without weight come last, as given."""
    weights = [0.1, None, 0.3, -0.2, 0.05, 0.2, 0.25]
    reasons = tuple(Reason(f"f{i}", i, None, weight) for i, weight in enumerate(weights))

    written = parsed(but(reasons=reasons))["context"]["reasons"]

    assert [item["feature"] for item in written] == ["f2", "f6", "f5", "f0", "f4"]


def test_a_feature_cannot_take_the_place_of_a_field_or_of_the_flag() -> None:
    """Of equal names the fixed field wins over the flag, the flag over the feature."""
    value = parsed(but(segment_id="trend", features={"trend": 0.5, "cause": "none", "orders_total": 1}))
    reserved = parsed(but(segment_id="cause"))

    assert value["properties"]["trend"] is True
    assert value["properties"]["cause"] == "event"
    assert value["properties"]["orders_total"] == 1
    assert reserved["properties"]["cause"] == "event"


def test_the_trace_context_is_handed_on_when_there_is_one() -> None:
    """The header is there if and only if it was given."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    assert ("traceparent", trace.encode()) in encode(BASE, traceparent=trace)[1]
    assert "traceparent" not in dict(encode(BASE)[1])


def test_the_source_is_a_uri_whatever_the_app_is_called() -> None:
    """CloudEvents demands a URI reference as source."""
    assert dict(encode(BASE, space_id="shop / a")[1])["ce_source"] == b"/live-segments/shop%20%2F%20a"


def test_a_change_reads_back_as_written() -> None:
    """decode_change returns fields, flag and features; an unknown field is ignored."""
    value = orjson.loads(encode(BASE)[0])
    value["added_later"] = {"x": 1}

    found = decode_change(orjson.dumps(value))

    assert found.flag is True
    assert found.features == {"orders_total": 7, "money_365d": 412.8}
    assert found.record.user_id == "12347"
    assert found.record.properties.sequence == 42
    assert found.record.timestamp == EPOCH + timedelta(milliseconds=TIME_MS)
    assert found.record.context.reasons == list(REASONS)
    assert found.record.context.trigger == TRIGGER


# size


def large(**sizes: int) -> Change:
    """Return a change whose named parts have about that many bytes."""
    return but(
        reasons=tuple(Reason("f", "r" * (sizes.get("reasons", 0) // 5), 0, 0.2) for _ in range(5)),
        features={f"f{i}": "v" * (sizes.get("features", 0) // 10) for i in range(10)},
        reason="s" * sizes.get("text", 0),
    )


@pytest.mark.parametrize(
    ("sizes", "cut"),
    [
        ({}, None),
        ({"reasons": 20_000, "features": 10_000}, None),
        ({"reasons": 40_000, "features": 10_000}, ["reasons"]),
        ({"reasons": 20_000, "features": 40_000}, ["reasons", "features"]),
        ({"text": 40_000}, ["reasons", "features", "text"]),
    ],
)
def test_a_record_that_is_too_large_is_cut_in_order(sizes: dict[str, int], cut: list[str] | None) -> None:
    """Reasons go first, then features, then the ends of texts; the record says so and its id stays."""
    change = large(**sizes)

    value = encode(change)[0]

    context = json.loads(value)["context"]
    properties = json.loads(value)["properties"]
    assert len(value) <= MAX_VALUE_BYTES
    assert context.get("truncated") == cut
    assert bool(context["reasons"]) is (cut is None)
    assert ("f0" in properties) is (cut is None or "features" not in cut)
    assert properties.keys() >= FIXED_PROPERTIES | {"b-3"}
    assert json.loads(value)["messageId"] == parsed(BASE)["messageId"]


def test_a_record_that_cannot_be_cut_is_refused() -> None:
    """An id far over its bound is an error of the caller, not a record no tool can take."""
    with pytest.raises(ValueError, match="too long"):
        encode(but(customer_id="c" * 40_000))


texts = st.text(max_size=20)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=300)


@settings(max_examples=100)
@given(
    customer=st.text(min_size=1, max_size=256),
    reason=st.text(max_size=2_000),
    reasons=st.lists(st.builds(Reason, texts, scalars, scalars, st.none() | st.floats()), max_size=8),
    features=st.dictionaries(texts, scalars, max_size=12),
    cause=st.sampled_from(["event", "time", "model", "definition", "erasure"]),
)
def test_any_change_is_a_record_within_the_limit(
    customer: str, reason: str, reasons: list[Reason], features: dict[str, Any], cause: Cause
) -> None:
    """Whatever texts and numbers come in: valid JSON, scalars only, all fields, at most 32 KB."""
    change = but(customer_id=customer, reason=reason, reasons=tuple(reasons), features=features, cause=cause)

    value, headers = encode(change)

    properties = parsed(change)["properties"]
    assert len(value) <= MAX_VALUE_BYTES
    assert properties.keys() >= FIXED_PROPERTIES
    assert all(isinstance(item, str | int | float | bool | None) for item in properties.values())
    assert decode_change(value).record.user_id == customer
    assert all(isinstance(text, bytes) for _, text in headers)


def test_changes_are_encoded_together_as_one_by_one() -> None:
    """Texts that hold what separates values in JSON change nothing of the others."""
    texts = ['x","y', "a],[b", "},{", "c\\", "", 'q"', ",", "ü"]
    reasons = [(Reason(text, text, text, 0.5),) * (place % 3) for place, text in enumerate(texts)]
    places = np.arange(len(texts))
    triggers = triggers_of(["a", "clicks"], places * 0 + 1, places * 0 + 1, places, Pieces.of(strings(texts)))
    changes = [
        but(
            customer_id=text or "c",
            reason=text,
            reasons=reasons[place],
            trigger=Json(triggers.tolist()[place]) if place % 2 else None,
            features={"top_category": text, text: 1.0},
        )
        for place, text in enumerate(texts)
    ]

    deployment: dict[str, Any] = {
        "received_at_ms": TIME_MS + 212,
        "run_id": "live",
        "space_id": "live-segments",
    }
    records = Bundle("", 0, *encode_changes(changes, ["live"] * len(changes), **deployment))
    together = [(record.value or b"", record.headers) for record in records]

    assert [record.key for record in records] == [change.customer_id.encode() for change in changes]
    assert together == [encode(change) for change in changes]
    for change, told, (value, _) in zip(changes, reasons, together, strict=True):
        record = decode_change(value).record
        assert (record.user_id, record.properties.reason) == (change.customer_id, change.reason)
        assert record.context.reasons == list(told)
        assert change.trigger is None or record.context.trigger == msgspec.json.decode(
            change.trigger, type=Trigger
        )


# the other topics


def test_a_membership_reads_back_as_written() -> None:
    """Times, confidence and features survive; NaN is null."""
    customers = ["12347", 'q"', "käthe"]
    behaviours = behaviours_json(
        {3: Behaviour("b-3", "Dormant", 12), 5: Behaviour("b-5", 'The "Best"', 13)},
        np.array([3, 0, 5]),
        np.array([TIME_MS - 1, 0, 7]),
        np.array([math.nan, math.nan, 0.5]),
    )
    audiences = audiences_json(
        ["loyal", "new"], np.array([0, 0, 1]), np.array([TIME_MS - 2, 0, 1]), np.array([1, 0, 2])
    )
    features: list[dict[str, Scalar]] = [
        {"money_365d": math.inf, "orders_total": 7},
        {},
        {"top_category": "a,b"},
    ]
    values = encode_memberships(
        Packed.of_strings(customers),
        np.array([42, 1, 2]),
        np.array([TIME_MS, 0, 1]),
        behaviours,
        audiences,
        Pieces.of([features_json(one)[1:-1] for one in features]),
    )
    first, second, third = [decode_membership(value) for value in values.filled()]

    assert [one.customer_id for one in (first, second, third)] == customers
    assert first.behaviour is not None
    assert first.behaviour.confidence is None
    assert first.behaviour.since == EPOCH + timedelta(milliseconds=TIME_MS - 1)
    assert [(a.segment_id, a.since) for a in first.audiences] == [
        ("loyal", EPOCH + timedelta(milliseconds=TIME_MS - 2))
    ]
    assert first.features == {"money_365d": None, "orders_total": 7}
    assert (first.sequence, first.schema_version) == (42, 1)
    assert (second.behaviour, second.audiences, second.features) == (None, [], {})
    assert third.behaviour is not None
    assert (third.behaviour.segment_name, third.behaviour.confidence) == ('The "Best"', 0.5)
    assert third.features == {"top_category": "a,b"}
    assert [a.segment_id for a in third.audiences] == ["loyal", "new"]


def test_before_the_first_assignment_the_behaviour_is_null() -> None:
    """Nobody is put into a segment for want of data."""
    nothing, nobody = np.zeros(1, np.int64), np.full(1, np.nan)
    behaviours = behaviours_json({}, nothing, nothing, nobody)
    audiences = audiences_json([], nothing[:0], nothing[:0], nothing)
    (value,) = encode_memberships(
        Packed.of([b"1"]), nothing, nothing, behaviours, audiences, Pieces.of([""])
    ).filled()

    assert json.loads(value)["behaviour"] is None
    assert json.loads(value)["audiences"] == []


def test_a_definition_reads_back_as_written() -> None:
    """A definition survives the way through bytes, its lineage under the name `from`."""
    definition = Definition(
        id="b-3",
        set="behaviour",
        name="Dormant",
        description="Bought before.",
        centre={"orders_90d": 0.1},
        size=10,
        share=0.5,
        model_version=3,
        lineage=(Lineage("split", ["b-1"], 3), Lineage("died", [], 3, ("b-2",))),
    )

    value = encode_definition(definition)

    assert decode_definition(value) == definition
    assert json.loads(value)["lineage"] == [
        {"event": "split", "from": ["b-1"], "version": 3, "into": []},
        {"event": "died", "from": [], "version": 3, "into": ["b-2"]},
    ]
    assert json.loads(encode_definition(msgspec.structs.replace(definition, share=math.nan)))["share"] is None


@pytest.mark.parametrize("decode", [decode_change, decode_membership, decode_definition])
@pytest.mark.parametrize("value", [b"", b"{", b"{}", b"[]", b"null", b"\xff"])
def test_bytes_that_are_no_record_are_an_error_of_msgspec(
    decode: Callable[[bytes], object], value: bytes
) -> None:
    """A reader needs one except clause."""
    with pytest.raises(msgspec.DecodeError):
        decode(value)

"""The contract with subscribers: fields, schemas, examples, references, and the committed documents."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, ValidationError

from models.features import FEATURES
from streams.codec.changes import FIXED_PROPERTIES, MAX_VALUE_BYTES
from streams.codec.dead_letters import DeadLetter, encode_dead_letter
from streams.codec.output_examples import change_records, definition_records, membership_records
from streams.codec.reason_codes import ReasonCode
from streams.records import RawList

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GOLDEN = ROOT / "tests" / "golden" / "change_record.json"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ULID = re.compile("[0-7][0-9A-HJKMNP-TV-Z]{25}")

TOP = ["type", "event", "userId", "messageId", "timestamp", "receivedAt", "properties", "context"]
PROPERTIES = [
    "audience_key",
    "segment_set",
    "segment_name",
    "change",
    "previous_segment",
    "next_segment",
    "move_id",
    "since",
    "sequence",
    "cause",
    "reason",
    "confidence",
    "model_version",
    "definitions_version",
    "origin",
    "run_id",
    "schema_version",
]
PERSONAS = ["computation_class", "computation_id", "computation_key", "namespace", "space_id"]
HEADERS = [
    "ce_specversion",
    "ce_id",
    "ce_type",
    "ce_source",
    "ce_time",
    "ce_subject",
    "content-type",
    "origin",
]
MEMBERSHIP = [
    "customer_id",
    "sequence",
    "updated_at",
    "behaviour",
    "audiences",
    "features",
    "schema_version",
]
BEHAVIOUR = ["segment_id", "segment_name", "since", "confidence", "model_version"]
DEFINITION = [
    "id",
    "set",
    "name",
    "description",
    "rule",
    "centre",
    "size",
    "share",
    "model_version",
    "definitions_version",
    "review",
    "differences",
    "lineage",
    "schema_version",
]


@cache
def schema(topic: str) -> dict[str, Any]:
    """Return the committed schema of a topic's values."""
    found: dict[str, Any] = json.loads((DOCS / "schemas" / f"{topic}.json").read_bytes())
    return found


def values() -> list[tuple[str, dict[str, Any]]]:
    """Return every example as (topic, parsed value)."""
    pairs = [("segment-changes", value) for _, value, _ in change_records()]
    pairs += [("segments", value) for value in membership_records()]
    pairs += [("segment-definitions", value) for value in definition_records()]
    return [(topic, json.loads(value)) for topic, value in pairs]


def changes() -> list[dict[str, Any]]:
    """Return the example change records."""
    return [value for topic, value in values() if topic == "segment-changes"]


# fields


def test_a_change_record_has_every_field_of_the_contract() -> None:
    """Top, properties, context and personas have the agreed names, the fixed ones in the agreed order."""
    assert set(PROPERTIES) == FIXED_PROPERTIES
    for value in changes():
        properties = value["properties"]
        key = properties["audience_key"]
        assert list(value) == TOP
        assert [name for name in properties if name in PROPERTIES] == PROPERTIES
        assert properties[key] is (properties["change"] == "entered")
        assert list(value["context"]["personas"]) == PERSONAS
        assert value["context"]["personas"]["computation_key"] == key
        assert ("trigger" in value["context"]) is (properties["cause"] == "event")
        assert all(set(r) == {"feature", "value", "previous", "weight"} for r in value["context"]["reasons"])


def test_event_change_and_flag_say_the_same() -> None:
    """The three ways in which receivers learn the direction agree."""
    directions = {
        (
            value["event"],
            value["properties"]["change"],
            value["properties"][value["properties"]["audience_key"]],
        )
        for value in changes()
    }

    assert directions == {("Audience Entered", "entered", True), ("Audience Exited", "left", False)}


def test_properties_are_scalars() -> None:
    """Mappings of receivers read flat values only."""
    for value in changes():
        assert all(isinstance(v, str | int | float | bool | None) for v in value["properties"].values())


def test_a_move_is_left_then_entered_and_each_half_tells_all() -> None:
    """Both records share move_id, ends, time, cause and reason; their sequence is adjacent, ids differ."""
    left, entered = changes()[:2]

    shared = ("previous_segment", "next_segment", "move_id", "cause", "reason", "model_version")
    assert [left["properties"]["change"], entered["properties"]["change"]] == ["left", "entered"]
    assert entered["properties"]["sequence"] == left["properties"]["sequence"] + 1
    assert {name: left["properties"][name] for name in shared} == {
        name: entered["properties"][name] for name in shared
    }
    assert left["timestamp"] == entered["timestamp"]
    assert left["messageId"] != entered["messageId"]
    assert left["properties"]["audience_key"] == left["properties"]["previous_segment"]
    assert entered["properties"]["audience_key"] == entered["properties"]["next_segment"]


def test_times_are_rfc3339_with_milliseconds_and_z() -> None:
    """Every time in every record has the one form."""
    for value in changes():
        assert all(
            RFC3339.fullmatch(time)
            for time in (value["timestamp"], value["receivedAt"], value["properties"]["since"])
        )
    for topic, value in values():
        if topic == "segments":
            assert RFC3339.fullmatch(value["updated_at"])
            assert all(RFC3339.fullmatch(audience["since"]) for audience in value["audiences"])


def test_message_ids_are_ulids_and_all_differ() -> None:
    """Customer.io deduplicates on nothing but a valid ULID."""
    ids = [value["messageId"] for value in changes()]

    assert all(ULID.fullmatch(ident) for ident in ids)
    assert len(set(ids)) == len(ids)


def test_headers_are_cloudevents_in_binary_mode_and_repeat_the_value() -> None:
    """Headers are extras: what they say stands in the value as well."""
    for _, text, headers in change_records():
        value = json.loads(text)
        by_name = {name: content.decode() for name, content in headers}
        assert list(by_name) == HEADERS
        assert by_name["ce_specversion"] == "1.0"
        assert by_name["ce_type"] == "live-segments.change.v1"
        assert by_name["content-type"] == "application/json"
        assert by_name["ce_id"] == value["messageId"]
        assert by_name["ce_time"] == value["timestamp"]
        assert by_name["ce_subject"] == value["userId"]
        assert by_name["origin"] == value["properties"]["origin"]


def test_a_membership_has_every_field_of_the_contract() -> None:
    """The record of a customer has the agreed names in the agreed order, also with nothing to say."""
    for value in (value for topic, value in values() if topic == "segments"):
        assert list(value) == MEMBERSHIP
        assert value["behaviour"] is None or list(value["behaviour"]) == BEHAVIOUR
        assert all(list(audience) == ["segment_id", "since"] for audience in value["audiences"])


def test_a_definition_has_every_field_of_the_contract() -> None:
    """The record of a segment has the agreed names; an audience has a rule, a behaviour segment a centre."""
    for value in (value for topic, value in values() if topic == "segment-definitions"):
        assert list(value) == DEFINITION
        assert (value["rule"] is None) is (value["set"] == "behaviour")
        assert (value["centre"] is None) is (value["set"] == "audience")
        assert all(list(step) == ["event", "from", "version", "into"] for step in value["lineage"])


def test_no_record_is_null_or_too_large() -> None:
    """Sinks stop at a null value, tools refuse what is over 32 KB."""
    for _, value, _ in change_records():
        assert value is not None
        assert 2 < len(value) <= MAX_VALUE_BYTES <= 32 * 1024


def test_no_feature_bears_the_name_of_a_fixed_property() -> None:
    """Any feature can be made a main feature without hiding a field."""
    assert not {feature.name for feature in FEATURES} & FIXED_PROPERTIES


# schemas


@pytest.mark.parametrize("path", sorted((DOCS / "schemas").glob("*.json")), ids=lambda path: str(path.stem))
def test_each_schema_is_valid_describes_its_fields_and_fits_its_examples(path: Path) -> None:
    """A schema is a schema, and the examples that it shows obey it."""
    found = schema(path.stem)

    Draft7Validator.check_schema(found)
    assert found["title"] == path.stem
    for example in found.get("examples", []):
        Draft7Validator(found).validate(example)


@pytest.mark.parametrize("topic", ["segment-changes", "segments", "segment-definitions", "dead-letters"])
def test_each_field_that_we_write_is_described_and_required(topic: str) -> None:
    """A subscriber finds each field explained, and may rely on its presence but for the two optional ones."""
    for part in (schema(topic), *schema(topic)["definitions"].values()):
        optional = set(part["properties"]) - set(part["required"])
        assert optional <= {"trigger", "truncated"}
        assert part["description"]
        for name, field in part["properties"].items():
            assert "description" in field or "$ref" in field, name


def test_the_examples_of_the_code_are_those_of_the_documents() -> None:
    """What the encoders write now obeys the schemas, and is what the schemas show."""
    for topic, value in values():
        Draft7Validator(schema(topic)).validate(value)
        assert value in schema(topic)["examples"]


def test_the_schema_catches_what_breaks_the_contract() -> None:
    """A nested property, a missing field, a sequence of 0, a bad ULID or cause do not pass."""
    breaks: list[tuple[list[str], Any]] = [
        (["properties", "some_feature"], {"nested": 1}),
        (["properties", "some_feature"], [1]),
        (["properties", "sequence"], 0),
        (["properties", "cause"], "whim"),
        (["messageId"], "01KKNTQ2CNBAMB84E4MZ0JXC0U"),
        (["type"], "identify"),
        (["context", "reasons"], [changes()[0]["context"]["reasons"][0]] * 6),
    ]
    for path, wrong in breaks:
        value = changes()[0]
        place = value
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = wrong
        with pytest.raises(ValidationError):
            Draft7Validator(schema("segment-changes")).validate(value)
    for name in PROPERTIES:
        value = changes()[0]
        del value["properties"][name]
        with pytest.raises(ValidationError):
            Draft7Validator(schema("segment-changes")).validate(value)


def test_a_dead_letter_obeys_its_schema() -> None:
    """The letter that the codec writes has the fields that the schema says, and no others."""
    raw = RawList()
    raw.append(3, 2, 17, 1_773_480_413_589, b"12347", b'{"event_id": ')
    letter = DeadLetter(index=0, reason=ReasonCode.NOT_JSON, field=None, detail="truncated")

    value = json.loads(encode_dead_letter(raw.batch(), letter).value or b"null")

    Draft7Validator(schema("dead-letters")).validate(value)
    assert set(value) == set(schema("dead-letters")["properties"])


def test_change_records_are_byte_for_byte_what_they_were() -> None:
    """The golden file pins values, ids and headers: a difference here is a change of the contract."""
    golden = json.loads(GOLDEN.read_bytes())

    found = [
        {
            "title": title,
            "value": value.decode(),
            "headers": {name: content.decode() for name, content in headers},
        }
        for title, value, headers in change_records()
    ]

    assert golden == found

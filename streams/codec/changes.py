"""Change events: one customer entered or left one segment, as bytes for `segment-changes`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote

import msgspec
import orjson
from msgspec import Struct
from msgspec.structs import astuple

from models.packed import Packed
from streams.codec.json_columns import OPTIONS, json_of, scalars, strings
from streams.codec.main_features import NO_FEATURES, Json, features_json
from streams.codec.output_records import (
    FIXED_PROPERTIES,
    SCHEMA_VERSION,
    Cause,
    ChangeRecord,
    Origin,
    Reason,
    Scalar,
    SegmentSet,
)
from streams.codec.reasons import NO_REASONS
from streams.codec.rfc3339 import rfc3339, rfc3339_each
from streams.codec.ulid import message_id, message_ids

__all__ = [
    "CHANGE_TYPE",
    "FIXED_PROPERTIES",
    "MAX_VALUE_BYTES",
    "Change",
    "DecodedChange",
    "Headers",
    "Reason",
    "decode_change",
    "encode_change",
    "encode_changes",
    "message_id",
]

Header: TypeAlias = tuple[str, bytes]
Headers: TypeAlias = tuple[Header, ...]

CHANGE_TYPE = "live-segments.change.v1"
"""CloudEvents type of a change record."""
MAX_VALUE_BYTES = 32_000
"""Largest value: marketing tools refuse calls over 32 KB; what is cut first is in `encode_change`."""
MAX_CHARS = MAX_VALUE_BYTES // 4
"""A value of no more characters is not too large."""
MAX_TEXT = 500
"""Characters left of a sentence, a name or an event id when nothing else makes a record fit."""


class Change(Struct, frozen=True, gc=False, kw_only=True):
    """One customer's change of one membership, as the engine decided it; times are epoch ms of event time."""

    customer_id: str
    segment_set: SegmentSet
    segment_id: str
    segment_name: str
    entered: bool
    previous_segment: str | None = None
    next_segment: str | None = None
    move_id: str | None = None
    since_ms: int
    timestamp_ms: int
    sequence: int
    cause: Cause
    reason: str
    confidence: float | None = None
    model_version: int
    definitions_version: int
    trigger: Json | None = None
    """As `triggers_of` returns it."""
    reasons: Json = NO_REASONS
    """As the functions of `streams.codec.reasons` return them."""
    features: Json = NO_FEATURES
    """The main ones, as `features_json` or `features_of` return them."""
    seen_ms: int = 0
    """The customer's newest event; not in the record, but an old one makes a model's change a catchup."""


class DecodedChange(Struct, frozen=True):
    """A change record as read: its fixed fields, the flag, and the main features by name."""

    record: ChangeRecord
    flag: bool
    features: dict[str, Scalar]


class _Open(Struct):
    """A record of which only the properties are read, whatever their names."""

    properties: dict[str, Any]


def encode_change(
    change: Change,
    *,
    received_at_ms: int,
    origin: Origin,
    run_id: str,
    space_id: str,
    traceparent: str | None = None,
) -> tuple[bytes, Headers]:
    """Return value and headers of a change record; its key is the customer id as UTF-8.

    NaN and infinite numbers become null. A value over MAX_VALUE_BYTES loses its reasons, then its main
    features, then the ends of its long texts, until it fits; `context.truncated` says which.

    Args:
        change: what happened.
        received_at_ms: wall clock of the commit.
        origin: live, catchup (the cause was old when it was committed), backfill or reconcile.
        run_id: the run that sends it; part of the message id, so it must survive restarts.
        space_id: the deployment (its app id).
        traceparent: W3C trace context to hand on, if there is one.

    Raises:
        ValueError: a time is out of range, or an id breaks its own bound so that the record cannot fit.
    """
    made = encode_changes([change], [origin], received_at_ms=received_at_ms, run_id=run_id, space_id=space_id)
    headers: Headers = tuple(
        [(name, text if isinstance(text, bytes) else text.filled()[0]) for name, text in made.headers]
    )
    if traceparent is not None:
        headers += (("traceparent", traceparent.encode()),)
    return made.values.filled()[0], headers


class Encoded(NamedTuple):
    """Change records as columns."""

    keys: Packed
    values: Packed
    headers: tuple[tuple[str, bytes | Packed], ...]
    """Names, and the text of all records, or that of each."""


def encode_changes(
    changes: Sequence[Change],
    origins: Sequence[Origin],
    *,
    received_at_ms: int,
    run_id: str,
    space_id: str,
) -> Encoded:
    """Return what `encode_change` does, for all changes of a commit, of which there is at least one.

    Raises:
        ValueError: as `encode_change`.
    """
    column = _columns(changes)
    customers, segments, sequences = column["customer_id"], column["segment_id"], column["sequence"]
    idents = message_ids(zip(customers, segments, sequences, strict=True), run_id, column["timestamp_ms"])
    times, received = rfc3339_each(column["timestamp_ms"]), rfc3339(received_at_ms)
    frames: dict[Origin, dict[tuple[Any, ...], _Frame]] = {origin: {} for origin in set(origins)}
    columns = zip(
        origins,
        zip(*[column[name] for name in _SIDES], strict=True),
        idents,
        times,
        strings(customers),
        scalars(column["move_id"]),
        rfc3339_each(column["since_ms"]),
        sequences,
        column["cause"],
        strings(column["reason"]),
        scalars(column["confidence"]),
        column["features"],
        column["reasons"],
        column["trigger"],
        strict=True,
    )
    values: list[str] = []
    for (
        origin, sides, ident, time, customer, move, since, sequence, cause, reason, confidence, features,
        reasons, trigger,
    ) in columns:  # fmt: skip
        frame = frames[origin].get(sides)
        if frame is None:
            frame = frames[origin][sides] = _frame(*sides, origin, run_id, space_id)
        opening, segment, versions, personas, flag = frame
        if flag in features:
            features = _without(features, segments[len(values)])  # noqa: PLW2901
        shown = f",{features[1:-1]}" if len(features) > len(NO_FEATURES) else ""
        caused = f',"trigger":{trigger}' if trigger is not None and cause == "event" else ""
        value = (
            f'{opening}{customer}","messageId":"{ident}","timestamp":"{time}","receivedAt":"{received}",'
            f'{segment}"move_id":{move},"since":"{since}","sequence":{sequence},'
            f'"cause":"{cause}","reason":"{reason}","confidence":{confidence},{versions}{shown}}},'
            f'"context":{{"reasons":{reasons},{personas}{caused}}}}}'
        )
        if len(value) > MAX_CHARS and len(value.encode()) > MAX_VALUE_BYTES:
            value = _fit(orjson.loads(value), changes[len(values)]).decode()
        values.append(value)
    keys = Packed.of_strings(customers)
    return Encoded(keys, Packed.of_strings(values), _headers(keys, idents, times, origins, space_id))


def _headers(
    keys: Packed, idents: Sequence[str], times: Sequence[str], origins: Sequence[Origin], space_id: str
) -> tuple[tuple[str, bytes | Packed], ...]:
    """Return the headers of records, of which there is at least one."""
    alike = len(set(origins)) == 1
    return (
        _SPEC,
        ("ce_id", Packed.of_strings(idents)),
        _TYPE,
        ("ce_source", f"/live-segments/{quote(space_id, safe='')}".encode()),
        ("ce_time", Packed.of_strings(times)),
        ("ce_subject", keys),
        _CONTENT,
        ("origin", origins[0].encode() if alike else Packed.of_strings(origins)),
    )


def _columns(changes: Sequence[Change]) -> dict[str, tuple[Any, ...]]:
    """Return the fields of changes (at least one), each a column."""
    return dict(zip(Change.__struct_fields__, zip(*map(astuple, changes), strict=True), strict=True))


_SIDES = (
    "segment_set",
    "segment_id",
    "segment_name",
    "entered",
    "previous_segment",
    "next_segment",
    "model_version",
    "definitions_version",
)
_SPEC = ("ce_specversion", b"1.0")
_TYPE = ("ce_type", CHANGE_TYPE.encode())
_CONTENT = ("content-type", b"application/json")


class _Frame(NamedTuple):
    """What all records of one side of a segment share, in the order of the record."""

    opening: str
    """Up to the customer."""
    segment: str
    """The segment's properties."""
    versions: str
    """The last of the fixed properties."""
    personas: str
    """What Segment's audience mappings read."""
    flag: str
    """How a main feature would begin that is called as the segment."""


@lru_cache(maxsize=1024)
def _frame(  # what is cached must be hashable: the fields one by one
    segment_set: str,
    segment_id: str,
    segment_name: str,
    entered: bool,
    previous_segment: str | None,
    next_segment: str | None,
    model: int,
    definitions: int,
    origin: str,
    run_id: str,
    space_id: str,
) -> _Frame:
    flag = json_of(segment_id)
    personas = {
        "computation_class": "audience",
        "computation_id": segment_id,
        "computation_key": segment_id,
        "namespace": space_id,
        "space_id": space_id,
    }
    opening = f'{{"type":"track","event":"Audience {"Entered" if entered else "Exited"}","userId":"'
    segment = (
        f'"properties":{{"audience_key":{flag},{flag}:{json_of(entered)},"segment_set":"{segment_set}",'
        f'"segment_name":{json_of(segment_name)},"change":"{"entered" if entered else "left"}",'
        f'"previous_segment":{json_of(previous_segment)},"next_segment":{json_of(next_segment)},'
    )
    versions = (
        f'"model_version":{model},"definitions_version":{definitions},"origin":"{origin}",'
        f'"run_id":{json_of(run_id)},"schema_version":{SCHEMA_VERSION}'
    )
    return _Frame(
        opening,
        segment,
        versions,
        f'"personas":{json_of(personas)}',
        f'"{segment_id}":',
    )


def _without(features: Json, name: str) -> Json:
    """Return the main features without one."""
    held = orjson.loads(features)
    held.pop(name, None)
    return features_json(held)


def _fit(document: dict[str, Any], change: Change) -> bytes:
    """Cut a record until it fits: the reasons, then the main features, then the ends of long texts."""
    context: dict[str, Any] = document["context"]
    properties: dict[str, Scalar] = document["properties"]
    truncated: list[str] = []
    context["truncated"] = truncated

    def cut_reasons() -> None:
        context["reasons"] = []

    def cut_features() -> None:
        for name in properties.keys() - FIXED_PROPERTIES - {change.segment_id}:
            del properties[name]

    def cut_text() -> None:
        properties["reason"] = change.reason[:MAX_TEXT]
        properties["segment_name"] = change.segment_name[:MAX_TEXT]
        trigger = context.get("trigger")
        if trigger is not None and trigger["event_id"] is not None:
            trigger["event_id"] = trigger["event_id"][:MAX_TEXT]

    for name, cut in (("reasons", cut_reasons), ("features", cut_features), ("text", cut_text)):
        cut()
        truncated.append(name)
        value = orjson.dumps(document, option=OPTIONS)
        if len(value) <= MAX_VALUE_BYTES:
            return value
    raise ValueError(
        f"a change record of {len(value)} bytes cannot be cut to {MAX_VALUE_BYTES}: an id is too long"
    )


_decode_record = msgspec.json.Decoder(ChangeRecord).decode
_decode_open = msgspec.json.Decoder(_Open).decode


def decode_change(value: bytes) -> DecodedChange:
    """Return a change record as types; unknown fields of later versions are ignored.

    Raises:
        msgspec.ValidationError: the bytes are JSON but no change record.
        msgspec.DecodeError: they are not JSON.
    """
    record = _decode_record(value)
    extra = {k: v for k, v in _decode_open(value).properties.items() if k not in FIXED_PROPERTIES}
    flag = extra.pop(record.properties.audience_key, record.properties.change == "entered")
    return DecodedChange(record, bool(flag), extra)

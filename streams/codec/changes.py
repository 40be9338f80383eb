"""Change events: one customer entered or left one segment, as bytes for `segment-changes`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec
import orjson
from msgspec import Struct

from streams.codec.output_records import (
    SCHEMA_VERSION,
    Cause,
    ChangeProperties,
    ChangeRecord,
    Origin,
    Reason,
    Scalar,
    SegmentSet,
    Trigger,
)
from streams.codec.rfc3339 import rfc3339
from streams.codec.ulid import message_id, message_ids

__all__ = [
    "CHANGE_TYPE",
    "FIXED_PROPERTIES",
    "MAX_VALUE_BYTES",
    "Change",
    "DecodedChange",
    "Headers",
    "Reason",
    "Trigger",
    "decode_change",
    "encode_change",
    "encode_changes",
    "message_id",
]

Headers: TypeAlias = tuple[tuple[str, bytes], ...]

CHANGE_TYPE = "live-segments.change.v1"
"""CloudEvents type of a change record."""
MAX_VALUE_BYTES = 32_000
"""Largest value: marketing tools refuse calls over 32 KB; what is cut first is in `encode_change`."""
MAX_REASONS = 5
MAX_TEXT = 500
"""Characters left of a sentence, a name or an event id when nothing else makes a record fit."""
FIXED_PROPERTIES = frozenset(ChangeProperties.__struct_fields__)
"""Names that neither a segment nor a feature in the record may bear."""

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY


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
    trigger: Trigger | None = None
    reasons: tuple[Reason, ...] = ()
    features: dict[str, Scalar] = {}
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
    ident = message_id(change.customer_id, change.segment_id, change.sequence, run_id, change.timestamp_ms)
    value, headers = _encoded(change, ident, received_at_ms, origin, run_id, space_id)
    if traceparent is not None:
        headers += (("traceparent", traceparent.encode()),)
    return value, headers


def encode_changes(
    changes: Sequence[Change],
    origins: Sequence[Origin],
    *,
    received_at_ms: int,
    run_id: str,
    space_id: str,
) -> list[tuple[bytes, Headers]]:
    """Return what `encode_change` does, for each of the changes of a commit.

    Raises:
        ValueError: as `encode_change`.
    """
    idents = message_ids(map(_IDENTITY, changes), run_id, [change.timestamp_ms for change in changes])
    return [
        _encoded(change, ident, received_at_ms, origin, run_id, space_id)
        for change, ident, origin in zip(changes, idents, origins, strict=True)
    ]


_IDENTITY = attrgetter("customer_id", "segment_id", "sequence")


def _encoded(
    change: Change, ident: str, received_at_ms: int, origin: Origin, run_id: str, space_id: str
) -> tuple[bytes, Headers]:
    time = rfc3339(change.timestamp_ms)
    value = (
        f'{_OPENING[change.entered]}{_json(change.customer_id)},"messageId":"{ident}","timestamp":"{time}",'
        f'"receivedAt":"{rfc3339(received_at_ms)}","properties":{_properties(change, origin, run_id)},'
        f'"context":{_context(change, space_id)}}}'
    ).encode()
    if len(value) > MAX_VALUE_BYTES:
        value = _fit(orjson.loads(value), change)
    source, origin_header = _constant_headers(space_id, origin)
    headers: Headers = (
        _SPEC,
        ("ce_id", ident.encode()),
        _TYPE,
        source,
        ("ce_time", time.encode()),
        ("ce_subject", change.customer_id.encode()),
        _CONTENT,
        origin_header,
    )
    return value, headers


_OPENING = {
    entered: f'{{"type":"track","event":"Audience {verb}","userId":'
    for entered, verb in ((True, "Entered"), (False, "Exited"))
}
_SPEC = ("ce_specversion", b"1.0")
_TYPE = ("ce_type", CHANGE_TYPE.encode())
_CONTENT = ("content-type", b"application/json")


@lru_cache(maxsize=64)
def _constant_headers(space_id: str, origin: str) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    """Return the headers that only the deployment and the origin decide."""
    return ("ce_source", f"/live-segments/{quote(space_id, safe='')}".encode()), ("origin", origin.encode())


def _json(value: object) -> str:
    """Return a value as JSON; NaN and infinite numbers are null."""
    return orjson.dumps(value, option=_OPTIONS).decode()


def _properties(change: Change, origin: str, run_id: str) -> str:
    """Return the flat part; of two equal names the fixed field wins, then the flag, then the feature."""
    features = change.features
    if not FIXED_PROPERTIES.isdisjoint(features) or change.segment_id in features:
        fixed = FIXED_PROPERTIES | {change.segment_id}
        features = {name: value for name, value in features.items() if name not in fixed}
    head = _segment(
        change.segment_set,
        change.segment_id,
        change.segment_name,
        change.entered,
        change.previous_segment,
        change.next_segment,
    )
    tail = _versions(change.model_version, change.definitions_version, origin, run_id)
    shown = f",{_json(features)[1:-1]}" if features else ""
    move = "null" if change.move_id is None else _json(change.move_id)
    confidence = "null" if change.confidence is None else _json(change.confidence)
    return (
        f'{head}"move_id":{move},"since":"{rfc3339(change.since_ms)}",'
        f'"sequence":{change.sequence},"cause":"{change.cause}","reason":{_json(change.reason)},'
        f'"confidence":{confidence},{tail}{shown}}}'
    )


@lru_cache(maxsize=1024)
def _segment(  # what is cached must be hashable: the fields one by one
    segment_set: str,
    segment_id: str,
    segment_name: str,
    entered: bool,
    previous_segment: str | None,
    next_segment: str | None,
) -> str:
    """Return the beginning of the properties: what a segment alone decides."""
    flag = _json(segment_id)
    return (
        f'{{"audience_key":{flag},{flag}:{_json(entered)},"segment_set":"{segment_set}",'
        f'"segment_name":{_json(segment_name)},"change":"{"entered" if entered else "left"}",'
        f'"previous_segment":{_json(previous_segment)},"next_segment":{_json(next_segment)},'
    )


@lru_cache(maxsize=64)
def _versions(model: int, definitions: int, origin: str, run_id: str) -> str:
    """Return the end of the fixed properties."""
    return (
        f'"model_version":{model},"definitions_version":{definitions},"origin":"{origin}",'
        f'"run_id":{_json(run_id)},"schema_version":{SCHEMA_VERSION}'
    )


def _context(change: Change, space_id: str) -> str:
    """Return reasons, trigger and the words that Segment's audience mappings read."""
    reasons = _encode(_heaviest(change.reasons)).decode()
    trigger = ""
    if change.trigger is not None and change.cause == "event":
        trigger = f',"trigger":{_encode(change.trigger).decode()}'
    return f'{{"reasons":{reasons},"personas":{_personas(change.segment_id, space_id)}{trigger}}}'


_encode = msgspec.json.Encoder(enc_hook=lambda scalar: scalar.item()).encode
"""The hook is for numpy's numbers."""


@lru_cache(maxsize=1024)
def _personas(segment_id: str, space_id: str) -> str:
    return _json(
        {
            "computation_class": "audience",
            "computation_id": segment_id,
            "computation_key": segment_id,
            "namespace": space_id,
            "space_id": space_id,
        }
    )


def _heaviest(reasons: tuple[Reason, ...]) -> Sequence[Reason]:
    """Return the heaviest reasons, largest weight first; equal ones in the order given."""
    weights = [reason.weight for reason in reasons]
    if weights.count(None) == len(weights):
        return reasons[:MAX_REASONS]
    return sorted(reasons, key=_weight, reverse=True)[:MAX_REASONS]


def _weight(reason: Reason) -> float:
    return reason.weight or 0.0


def _fit(document: dict[str, Any], change: Change) -> bytes:
    """Cut a record until it fits: the reasons, then the main features, then the ends of long texts."""
    context: dict[str, Any] = document["context"]
    properties: dict[str, Scalar] = document["properties"]
    truncated: list[str] = []
    context["truncated"] = truncated

    def cut_reasons() -> None:
        context["reasons"] = []

    def cut_features() -> None:
        for name in change.features.keys() - FIXED_PROPERTIES - {change.segment_id}:
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
        value = orjson.dumps(document, option=_OPTIONS)
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

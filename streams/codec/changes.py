"""Change events: one customer entered or left one segment, as bytes for `segment-changes`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
import orjson
from msgspec import Struct
from msgspec.structs import astuple

from models.packed import Packed
from streams.codec.change_records import CHANGE_TYPE, MAX_VALUE_BYTES, ORIGINS, Encoded, encode_drafts
from streams.codec.drafts import NOBODY, Columns, Side, draft
from streams.codec.json_columns import scalars, strings
from streams.codec.main_features import NO_FEATURES, Json
from streams.codec.output_records import (
    FIXED_PROPERTIES,
    Cause,
    ChangeRecord,
    Origin,
    Reason,
    Scalar,
    SegmentSet,
)
from streams.codec.pieces import Pieces
from streams.codec.reasons import NO_REASONS
from streams.codec.ulid import message_id

__all__ = [
    "CHANGE_TYPE",
    "FIXED_PROPERTIES",
    "MAX_VALUE_BYTES",
    "Change",
    "DecodedChange",
    "Headers",
    "Reason",
    "columns_of",
    "decode_change",
    "encode_change",
    "encode_changes",
    "message_id",
]

Header: TypeAlias = tuple[str, bytes]
Headers: TypeAlias = tuple[Header, ...]


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
    origin = np.array([ORIGINS.index(one) for one in origins], np.intp)
    drafts = draft(columns_of(changes), run_id, space_id)
    return encode_drafts(drafts, origin, received_at_ms=received_at_ms, space_id=space_id)


def columns_of(changes: Sequence[Change]) -> Columns:
    """Return changes, at least one, as columns; of what their customers are in nothing is told."""
    sides: dict[Side, int] = {}
    side = [sides.setdefault(_side(change), len(sides)) for change in changes]
    column: dict[str, tuple[Any, ...]] = dict(
        zip(Change.__struct_fields__, zip(*map(astuple, changes), strict=True), strict=True)
    )
    triggers = [
        trigger if trigger is not None and cause == "event" else ""
        for trigger, cause in zip(column["trigger"], column["cause"], strict=True)
    ]
    return Columns(
        sides=list(sides),
        called=frozenset(name for features in column["features"] for name in orjson.loads(features)),
        side=np.array(side, np.intp),
        customers=Packed.of_strings(column["customer_id"]),
        move=Pieces.of(scalars(column["move_id"])),
        since_ms=np.array(column["since_ms"], np.int64),
        timestamp_ms=np.array(column["timestamp_ms"], np.int64),
        sequence=np.array(column["sequence"], np.int64),
        reason=Pieces.of(strings(column["reason"])),
        confidence=Pieces.of(scalars(column["confidence"])),
        trigger=Pieces.of(triggers),
        reasons=Pieces.of(column["reasons"]),
        features=Pieces.of([features[1:-1] for features in column["features"]]),
        seen_ms=np.array(column["seen_ms"], np.int64),
        rows=np.full(len(changes), NOBODY),
        sure=np.full(len(changes), np.nan),
    )


def _side(change: Change) -> Side:
    return Side(*[getattr(change, name) for name in Side._fields])


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


def prepare() -> None:
    """Have the kernels compiled or loaded: no event shall wait for it."""
    change = Change(
        customer_id="a",
        segment_set="audience",
        segment_id="a",
        segment_name="a",
        entered=True,
        since_ms=0,
        timestamp_ms=0,
        sequence=1,
        cause="time",
        reason="",
        model_version=0,
        definitions_version=0,
    )
    encode_change(change, received_at_ms=0, origin="live", run_id="", space_id="")

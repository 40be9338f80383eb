"""Records of the compacted topic `segments`: what one customer is in now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec
import orjson
from msgspec import Struct

from streams.codec.output_records import SCHEMA_VERSION, MembershipRecord, Scalar
from streams.codec.rfc3339 import rfc3339


class Behaviour(Struct, frozen=True, gc=False):
    """The behaviour segment that a customer is in; since_ms is epoch ms of event time."""

    segment_id: str
    segment_name: str
    since_ms: int
    confidence: float | None
    model_version: int


class AudienceMembership(Struct, frozen=True, gc=False):
    """An audience that a customer is in; since_ms is epoch ms of event time."""

    segment_id: str
    since_ms: int


def encode_membership(
    *,
    customer_id: str,
    sequence: int,
    updated_at_ms: int,
    behaviour: Behaviour | None,
    audiences: Sequence[AudienceMembership],
    features: Mapping[str, Scalar],
) -> bytes:
    """Return the value for one customer; the key is the customer id as UTF-8.

    NaN and infinite numbers become null. After an erasure there is nothing to encode: the record
    is a tombstone.

    Args:
        customer_id: whose memberships these are.
        sequence: of the customer's last record on `segment-changes`.
        updated_at_ms: event time of the last change, epoch milliseconds.
        behaviour: None until the customer has been assigned.
        audiences: all audiences the customer is in, in the order to write.
        features: the configured main features at updated_at_ms.

    Raises:
        ValueError: a time is out of range.
    """
    now = "null"
    if behaviour is not None:
        known = _named(behaviour.segment_id, behaviour.segment_name)
        now = (
            f'{known}"since":"{rfc3339(behaviour.since_ms)}","confidence":{_json(behaviour.confidence)},'
            f'"model_version":{behaviour.model_version}}}'
        )
    inside = ",".join([_held(a.segment_id, a.since_ms) for a in audiences])
    return (
        f'{{"customer_id":{_json(customer_id)},"sequence":{sequence},"updated_at":"{rfc3339(updated_at_ms)}",'
        f'"behaviour":{now},"audiences":[{inside}],"features":{_json(features)},'
        f'"schema_version":{SCHEMA_VERSION}}}'
    ).encode()


def _json(value: object) -> str:
    """Return a value as JSON; NaN and infinite numbers are null."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()


@lru_cache(maxsize=1024)
def _named(segment_id: str, segment_name: str) -> str:
    return f'{{"segment_id":{_json(segment_id)},"segment_name":{_json(segment_name)},'


@lru_cache(maxsize=8192)
def _held(segment_id: str, since_ms: int) -> str:
    return f'{{"segment_id":{_json(segment_id)},"since":"{rfc3339(since_ms)}"}}'


_decode = msgspec.json.Decoder(MembershipRecord).decode


def decode_membership(value: bytes) -> MembershipRecord:
    """Return a membership record as types; unknown fields of later versions are ignored.

    Raises:
        msgspec.ValidationError: the bytes are JSON but no membership record.
        msgspec.DecodeError: they are not JSON.
    """
    return _decode(value)

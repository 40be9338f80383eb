"""Records of the compacted topic `segments`: what one customer is in now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    now = behaviour and {
        "segment_id": behaviour.segment_id,
        "segment_name": behaviour.segment_name,
        "since": rfc3339(behaviour.since_ms),
        "confidence": behaviour.confidence,
        "model_version": behaviour.model_version,
    }
    return orjson.dumps(
        {
            "customer_id": customer_id,
            "sequence": sequence,
            "updated_at": rfc3339(updated_at_ms),
            "behaviour": now,
            "audiences": [{"segment_id": a.segment_id, "since": rfc3339(a.since_ms)} for a in audiences],
            "features": features,
            "schema_version": SCHEMA_VERSION,
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


_decode = msgspec.json.Decoder(MembershipRecord).decode


def decode_membership(value: bytes) -> MembershipRecord:
    """Return a membership record as types; unknown fields of later versions are ignored.

    Raises:
        msgspec.ValidationError: the bytes are JSON but no membership record.
        msgspec.DecodeError: they are not JSON.
    """
    return _decode(value)

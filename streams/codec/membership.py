"""Records of the compacted topic `segments`: what one customer is in now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec
from msgspec import Struct

from streams.codec.json_columns import json_of, strings
from streams.codec.main_features import Json
from streams.codec.output_records import SCHEMA_VERSION, MembershipRecord
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


class Membership(Struct, frozen=True, gc=False):
    """What one customer is in as of their last change.

    After an erasure there is nothing to encode: the record is a tombstone.
    """

    customer_id: str
    sequence: int
    """Of the customer's last record on `segment-changes`."""
    updated_at_ms: int
    """Event time of the last change, epoch milliseconds."""
    behaviour: Behaviour | None
    """None until the customer has been assigned."""
    audiences: Sequence[AudienceMembership]
    """All audiences the customer is in, in the order to write."""
    features: Json
    """The configured main features at updated_at_ms."""


def encode_memberships(memberships: Sequence[Membership]) -> Iterator[bytes]:
    """Yield the value for each customer; the key is the customer id as UTF-8.

    NaN and infinite numbers become null.

    Raises:
        ValueError: a time is out of range.
    """
    customers = strings([membership.customer_id for membership in memberships])
    for membership, customer in zip(memberships, customers, strict=True):
        behaviour, now = membership.behaviour, "null"
        if behaviour is not None:
            known = _named(behaviour.segment_id, behaviour.segment_name, behaviour.model_version)
            confidence = "null" if behaviour.confidence is None else json_of(behaviour.confidence)
            now = f'{known[0]}{rfc3339(behaviour.since_ms)}","confidence":{confidence}{known[1]}'
        inside = ",".join([_held(a.segment_id, a.since_ms) for a in membership.audiences])
        yield (
            f'{{"customer_id":"{customer}","sequence":{membership.sequence},'
            f'"updated_at":"{rfc3339(membership.updated_at_ms)}","behaviour":{now},"audiences":[{inside}],'
            f'"features":{membership.features},"schema_version":{SCHEMA_VERSION}}}'
        ).encode()


@lru_cache(maxsize=1024)
def _named(segment_id: str, segment_name: str, model_version: int) -> tuple[str, str]:
    """Return the beginning and the end of what is told of a behaviour segment."""
    known = f'{{"segment_id":{json_of(segment_id)},"segment_name":{json_of(segment_name)},"since":"'
    return known, f',"model_version":{model_version}}}'


@lru_cache(maxsize=8192)
def _held(segment_id: str, since_ms: int) -> str:
    return f'{{"segment_id":{json_of(segment_id)},"since":"{rfc3339(since_ms)}"}}'


_decode = msgspec.json.Decoder(MembershipRecord).decode


def decode_membership(value: bytes) -> MembershipRecord:
    """Return a membership record as types; unknown fields of later versions are ignored.

    Raises:
        msgspec.ValidationError: the bytes are JSON but no membership record.
        msgspec.DecodeError: they are not JSON.
    """
    return _decode(value)

"""Records of the compacted topic `segments`: what one customer is in now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import Struct

from streams.codec.json_columns import json_of, scalars, strings
from streams.codec.main_features import Json
from streams.codec.output_records import SCHEMA_VERSION, MembershipRecord
from streams.codec.rfc3339 import rfc3339

NOBODY = Json("null")
"""The behaviour segment of a customer who has not been assigned."""
NO_AUDIENCES = Json("[]")


class Behaviour(Struct, frozen=True, gc=False):
    """A behaviour segment that customers are in, by the model of that version."""

    segment_id: str
    segment_name: str
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
    behaviour: Json
    """As `behaviours_json` returns it; NOBODY until the customer has been assigned."""
    audiences: Json
    """All audiences the customer is in, as `audiences_json` returns them."""
    features: Json
    """The configured main features at updated_at_ms."""


def behaviours_json(
    segments: Mapping[int, Behaviour],
    numbers: Sequence[int],
    since_ms: Sequence[int],
    confidence: Sequence[float | None],
) -> list[Json]:
    """Return the behaviour segment of each of n customers; NaN and infinite numbers become null.

    Args:
        segments: by number.
        numbers: (n,) of the segment that each is in; one that is not known stands for none.
        since_ms: (n,) epoch ms of event time.
        confidence: (n,) of the assignment.

    Raises:
        ValueError: a time is out of range.
    """
    known = {number: _around(segment) for number, segment in segments.items()}
    return [
        Json(f'{known[number][0]}{rfc3339(since)}","confidence":{sure}{known[number][1]}')
        if number in known
        else NOBODY
        for number, since, sure in zip(numbers, since_ms, scalars(confidence), strict=True)
    ]


def audiences_json(segment_ids: Sequence[str], since_ms: Sequence[int], counts: Sequence[int]) -> list[Json]:
    """Return the audiences of each of n customers, in the order given.

    Args:
        segment_ids: (m,) the audiences of the first customer, then those of the second, and so on.
        since_ms: (m,) since when they are in each, epoch ms of event time.
        counts: (n,) how many audiences each customer is in; m together.

    Raises:
        ValueError: a time is out of range.
    """
    openings = {name: f'{{"segment_id":{json_of(name)},"since":"' for name in set(segment_ids)}
    held = [f'{openings[name]}{rfc3339(since)}"}}' for name, since in zip(segment_ids, since_ms, strict=True)]
    found, begin = [], 0
    for count in counts:
        found.append(Json(f"[{','.join(held[begin : begin + count])}]") if count else NO_AUDIENCES)
        begin += count
    return found


def encode_memberships(memberships: Sequence[Membership]) -> Iterator[bytes]:
    """Yield the value for each customer; the key is the customer id as UTF-8.

    Raises:
        ValueError: a time is out of range.
    """
    customers = strings([membership.customer_id for membership in memberships])
    for known, customer in zip(memberships, customers, strict=True):
        yield (
            f'{{"customer_id":"{customer}","sequence":{known.sequence},'
            f'"updated_at":"{rfc3339(known.updated_at_ms)}","behaviour":{known.behaviour},'
            f'"audiences":{known.audiences},"features":{known.features},"schema_version":{SCHEMA_VERSION}}}'
        ).encode()


def _around(segment: Behaviour) -> tuple[str, str]:
    """Return what is told of a behaviour segment before and after what differs by customer."""
    name = f'"segment_id":{json_of(segment.segment_id)},"segment_name":{json_of(segment.segment_name)}'
    return f'{{{name},"since":"', f',"model_version":{segment.model_version}}}'


_decode = msgspec.json.Decoder(MembershipRecord).decode


def decode_membership(value: bytes) -> MembershipRecord:
    """Return a membership record as types; unknown fields of later versions are ignored.

    Raises:
        msgspec.ValidationError: the bytes are JSON but no membership record.
        msgspec.DecodeError: they are not JSON.
    """
    return _decode(value)

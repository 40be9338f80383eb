"""Records of the compacted topic `segments`: what one customer is in now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from models.packed import Packed
from streams.codec.json_columns import json_of, scalars, strings
from streams.codec.main_features import Json
from streams.codec.output_records import SCHEMA_VERSION, MembershipRecord
from streams.codec.rfc3339 import rfc3339_each

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
        Json(f'{known[number][0]}{since}","confidence":{sure}{known[number][1]}')
        if number in known
        else NOBODY
        for number, since, sure in zip(numbers, rfc3339_each(since_ms), scalars(confidence), strict=True)
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
    times = rfc3339_each(since_ms)
    held = [f'{openings[name]}{since}"}}' for name, since in zip(segment_ids, times, strict=True)]
    found, begin = [], 0
    for count in counts:
        found.append(Json(f"[{','.join(held[begin : begin + count])}]") if count else NO_AUDIENCES)
        begin += count
    return found


def encode_memberships(
    customers: Sequence[str],
    sequences: Sequence[int],
    updated_at_ms: Sequence[int],
    behaviours: Sequence[Json],
    audiences: Sequence[Json],
    features: Sequence[Json],
) -> Packed:
    """Return what each of n customers is in as of their last change; the key is the customer id as UTF-8.

    After an erasure there is nothing to encode: the record is a tombstone.

    Args:
        customers: (n,) their ids.
        sequences: (n,) of each customer's last record on `segment-changes`.
        updated_at_ms: (n,) event time of the last change, epoch milliseconds.
        behaviours: (n,) as `behaviours_json` returns them; NOBODY until the customer has been assigned.
        audiences: (n,) all audiences the customer is in, as `audiences_json` returns them.
        features: (n,) the configured main features at that time.

    Raises:
        ValueError: a time is out of range.
    """
    columns = zip(
        strings(customers),
        sequences,
        rfc3339_each(updated_at_ms),
        behaviours,
        audiences,
        features,
        strict=True,
    )
    values = [
        f'{{"customer_id":"{customer}","sequence":{sequence},"updated_at":"{updated}",'
        f'"behaviour":{behaviour},"audiences":{held},"features":{shown},'
        f'"schema_version":{SCHEMA_VERSION}}}'
        for customer, sequence, updated, behaviour, held, shown in columns
    ]
    return Packed.of_strings(values)


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

"""Records of the compacted topic `segments`: what one customer is in now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from models.events import F64, I64
from models.packed import Packed
from streams.codec.json_columns import json_of
from streams.codec.output_records import SCHEMA_VERSION, MembershipRecord
from streams.codec.pieces import Pieces, join, json_strings
from streams.codec.rfc3339 import rfc3339_table

NOBODY = "null"
"""The behaviour segment of a customer who has not been assigned."""


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
    segments: Mapping[int, Behaviour], numbers: I64, since_ms: I64, confidence: F64
) -> Pieces:
    """Return the behaviour segment of each of n customers; NaN and infinite numbers become null.

    Args:
        segments: by number.
        numbers: (n,) of the segment that each is in; one that is not known stands for none.
        since_ms: (n,) epoch ms of event time.
        confidence: (n,) of the assignment.

    Raises:
        ValueError: a time is out of range.
    """
    known, n = sorted(segments), len(numbers)
    around = [_around(segments[number]) for number in known]
    place = np.searchsorted(np.array(known, np.int64), numbers)
    there = np.isin(numbers, known)
    place[~there] = len(known)
    since = Pieces.rows(rfc3339_table(np.where(there, since_ms, 0))).only(there)
    sure = Pieces.numbers(confidence).only(there)
    middle = Pieces.one_of(['","confidence":', ""], (~there).astype(np.intp))
    opening = Pieces.one_of([*(before for before, _ in around), NOBODY], place)
    closing = Pieces.one_of([*(after for _, after in around), ""], place)
    return Pieces.packed(join(n, opening, since, middle, sure, closing))


def audiences_json(segment_ids: Sequence[str], which: NDArray[np.intp], since_ms: I64, counts: I64) -> Pieces:
    """Return the audiences of each of n customers, in the order given.

    Args:
        segment_ids: of all audiences.
        which: (m,) the audiences of the first customer, then those of the second, and so on.
        since_ms: (m,) since when they are in each, epoch ms of event time.
        counts: (n,) how many audiences each customer is in; m together.

    Raises:
        ValueError: a time is out of range.
    """
    ends = np.cumsum(counts)
    comma = np.ones(len(which), np.intp)
    comma[(ends - counts)[counts > 0]] = 0
    openings = [f'{{"segment_id":{json_of(name)},"since":"' for name in segment_ids]
    times = Pieces.rows(rfc3339_table(since_ms))
    held = join(
        len(which), Pieces.one_of(["", ","], comma), Pieces.one_of([*openings, ""], which), times, '"}'
    )
    borders = np.append(0, held.ends)
    begin = borders[ends - counts]
    inner = Pieces(held.letters, begin, borders[ends] - begin)
    return Pieces.packed(join(len(counts), "[", inner, "]"))


def encode_memberships(
    customers: Packed,
    sequences: I64,
    updated_at_ms: I64,
    behaviours: Pieces,
    audiences: Pieces,
    features: Pieces,
) -> Packed:
    """Return what each of n customers is in as of their last change; the key is the customer id as UTF-8.

    After an erasure there is nothing to encode: the record is a tombstone.

    Args:
        customers: (n,) their ids.
        sequences: (n,) of each customer's last record on `segment-changes`.
        updated_at_ms: (n,) event time of the last change, epoch milliseconds.
        behaviours: (n,) as `behaviours_json` returns them.
        audiences: (n,) all audiences the customer is in, as `audiences_json` returns them.
        features: (n,) the configured main features at that time, as `features_of` returns them.

    Raises:
        ValueError: a time is out of range.
    """
    return join(
        len(customers),
        '{"customer_id":"',
        json_strings(customers),
        '","sequence":',
        Pieces.numbers(sequences),
        ',"updated_at":"',
        Pieces.rows(rfc3339_table(updated_at_ms)),
        '","behaviour":',
        behaviours,
        ',"audiences":',
        audiences,
        ',"features":{',
        features,
        f'}},"schema_version":{SCHEMA_VERSION}}}',
    )


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

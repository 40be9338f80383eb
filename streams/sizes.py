"""How many customers each segment has now, from the topics that subscribers read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from streams.codec.definitions import decode_definition
from streams.codec.output_records import Difference, SegmentReview
from streams.reader import Reader


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment and its size."""

    segment_set: str
    id: str
    name: str
    size: int
    share: float
    """Of all customers that are in any segment."""
    description: str
    review: SegmentReview | None = None
    """What its customers do, as of the last count."""
    differences: tuple[Difference, ...] = ()
    """Where it differs most from all customers."""
    model_version: int | None = None
    """The model that brought the count; None: none yet."""
    as_of_ms: int | None = None
    """When that was written, in epoch milliseconds; None: no count yet."""


class _Behaviour(msgspec.Struct):
    segment_id: str
    segment_name: str


class _Audience(msgspec.Struct):
    segment_id: str


class Membership(msgspec.Struct):
    """What is counted of a record of `segments`."""

    behaviour: _Behaviour | None
    audiences: list[_Audience]


NEVER: Mapping[bytes, int] = MappingProxyType({})
decode_head = msgspec.json.Decoder(Membership).decode


def segment_sizes(reader: Reader) -> list[Segment]:
    """Return the segments by set, the largest first; those that are no more only while somebody is in them.

    Raises:
        LiveSegmentsError: the topics cannot be read.
    """
    rows = reader.latest_rows("segment-definitions")
    written = {key: row.timestamp_ms for key, row in rows.items()}
    definitions = {key: row.value for key, row in rows.items() if row.value is not None}
    return sized(definitions, reader.latest("segments"), written)


def sized(
    definitions: Mapping[bytes, bytes],
    memberships: Mapping[bytes, bytes],
    written: Mapping[bytes, int] = NEVER,
) -> list[Segment]:
    """Return the segments from the last records of both topics by key; see `segment_sizes`.

    Args:
        definitions: by key.
        memberships: by key.
        written: epoch milliseconds of the definitions by key, as far as they are known.
    """
    sizes: Counter[tuple[str, str]] = Counter()
    names: dict[str, str] = {}
    for value in memberships.values():
        member = decode_head(value)
        if member.behaviour is not None:
            sizes["behaviour", member.behaviour.segment_id] += 1
            names[member.behaviour.segment_id] = member.behaviour.segment_name
        sizes.update(("audience", audience.segment_id) for audience in member.audiences)
    known = {d.id: d for d in map(decode_definition, definitions.values())}
    alive = {(d.set, d.id) for d in known.values() if d.size != 0 or d.rule is not None}
    rows = []
    for segment_set, segment_id in alive | set(sizes):
        size = sizes[segment_set, segment_id]
        definition = known.get(segment_id)
        rows.append(
            Segment(
                segment_set,
                segment_id,
                definition.name if definition is not None else names.get(segment_id, segment_id),
                size,
                size / max(len(memberships), 1),
                definition.description if definition is not None else "",
                definition.review if definition is not None else None,
                definition.differences if definition is not None else (),
                definition.model_version if definition is not None else None,
                None
                if definition is None or definition.review is None
                else written.get(definition.id.encode()),
            )
        )
    return sorted(rows, key=lambda row: (row.segment_set != "behaviour", -row.size, row.id))

"""The records that subscribers read, as types: the JSON Schemas in docs/ are generated from them.

What is written here is the contract: fields are only ever added, and none changes its meaning.
The encoders (changes, membership, definitions) write these shapes; the decoders return them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from streams.codec.ulid import ULID_PATTERN

SCHEMA_VERSION = 1
"""Version of the record shapes below; a breaking change would be a new topic instead."""

Scalar: TypeAlias = str | int | float | bool | None
SegmentSet: TypeAlias = Literal["behaviour", "audience"]
CALLED: Mapping[str, str] = {"behaviour": "segment", "audience": "audience"}
"""What people call one of a set; one of each may bear the same name."""
Cause: TypeAlias = Literal["event", "time", "model", "definition", "erasure"]
Origin: TypeAlias = Literal["live", "catchup", "backfill", "reconcile"]
LineageEvent: TypeAlias = Literal["born", "survived", "split", "absorbed", "died"]

Time: TypeAlias = Annotated[datetime, Meta(tz=True)]
CustomerId: TypeAlias = Annotated[
    str,
    Meta(min_length=1, max_length=256, description="Customer id as in the input records; at most 256 bytes."),
]
SegmentId: TypeAlias = Annotated[
    str,
    Meta(
        pattern="^[a-z0-9][a-z0-9-]{0,47}$",
        description="Segment id: `b-<n>` for a behaviour segment, else the id of the audience. Never reused.",
    ),
]
Count: TypeAlias = Annotated[int, Meta(ge=0)]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
SchemaVersion: TypeAlias = Annotated[
    int, Meta(ge=1, description="Version of this shape; it only grows, and fields are only added.")
]


class Reason(Struct, frozen=True, gc=False):
    """One feature's part in the change."""

    feature: Annotated[str, Meta(description="Name of the feature.")]
    value: Annotated[Scalar, Meta(description="Its value when the customer was decided; null: unknown.")]
    previous: Annotated[
        Scalar, Meta(description="Its value at the customer's previous decision; null: unknown or none.")
    ]
    weight: Annotated[
        float | None,
        Meta(
            description="Behaviour segments: the feature's share of the change in distance; the shares of "
            "all features add up to 1 and may be negative. For audiences it may be null."
        ),
    ]


class Trigger(Struct, frozen=True, gc=False):
    """The input record that caused the change."""

    topic: Annotated[str, Meta(description="Input topic.")]
    partition: Annotated[int, Meta(ge=0, description="Its partition.")]
    offset: Annotated[int, Meta(ge=0, description="Offset in the partition.")]
    event_id: Annotated[str | None, Meta(description="event_id of the record; null when it is not known.")]


class Personas(Struct, frozen=True):
    """The segment in the words of Segment's audience tools, whose mappings read it."""

    computation_class: Annotated[Literal["audience"], Meta(description="Always `audience`.")]
    computation_id: SegmentId
    computation_key: SegmentId
    namespace: Annotated[str, Meta(description="The deployment, as space_id.")]
    space_id: Annotated[str, Meta(description="The deployment that sent the record (its app id).")]


class ChangeContext(Struct, frozen=True):
    """Why, in figures, and where it came from."""

    reasons: Annotated[
        list[Reason], Meta(max_length=5, description="The features that weigh most, largest weight first.")
    ]
    personas: Personas
    trigger: Annotated[
        Trigger | UnsetType,
        Meta(description="The record that caused the change; there only for cause `event`."),
    ] = UNSET
    truncated: Annotated[
        list[Literal["reasons", "features", "text"]] | UnsetType,
        Meta(description="What was cut to keep the record within 32 KB; absent when nothing was."),
    ] = UNSET


class ChangeProperties(Struct, frozen=True):
    """All that a receiver needs, as scalars: the fields below, the flag, the main features.

    `<segment_id>: true` (entered) or `false` (left) is the flag that steers adding and removing in
    mappings. The shipped configuration names the main features; null means unknown.
    """

    audience_key: SegmentId
    segment_set: Annotated[
        SegmentSet,
        Meta(description="`behaviour`: found in the data, one at a time. `audience`: declared by a rule."),
    ]
    segment_name: Annotated[str, Meta(description="Name of the segment for people.")]
    change: Annotated[Literal["entered", "left"], Meta(description="What happened.")]
    previous_segment: Annotated[
        str | None,
        Meta(description="Behaviour: id of the segment before the move; null: none, or an audience."),
    ]
    next_segment: Annotated[
        str | None,
        Meta(description="Behaviour: id of the segment after the move; null: none, or an audience."),
    ]
    move_id: Annotated[
        str | None,
        Meta(
            description="The same in both records (left, then entered) of one move; null when it is no move."
        ),
    ]
    since: Annotated[
        Time, Meta(description="When the membership that ends (left) or begins (entered) began; event time.")
    ]
    sequence: Annotated[
        int,
        Meta(
            ge=1,
            description="Grows by 1 for each record of the customer: order by it; gaps and repeats are "
            "visible. Backfill records count by run_id.",
        ),
    ]
    cause: Annotated[
        Cause,
        Meta(
            description="`event`: an event of the customer; `time`: time passed without one; `model`: a new "
            "model of the behaviour segments; `definition`: a new definition of the audience; `erasure`: the "
            "customer's data was erased."
        ),
    ]
    reason: Annotated[str, Meta(description="One sentence for people, with the figures.")]
    confidence: Annotated[
        Share | None, Meta(description="Behaviour: how clearly the segment fits, 0 to 1; null for audiences.")
    ]
    model_version: Annotated[int, Meta(ge=0, description="Model in force at the decision; 0: none yet.")]
    definitions_version: Annotated[
        int, Meta(ge=0, description="Audience definitions in force at the decision; 0: none yet.")
    ]
    origin: Annotated[
        Origin,
        Meta(
            description="`live`; `catchup`: the cause was old when the record was committed; `backfill`: "
            "from a replay; `reconcile`: sent again on request. Start campaigns from `live` only."
        ),
    ]
    run_id: Annotated[str, Meta(description="Run that sent the record; constant for the live workers.")]
    schema_version: SchemaVersion


FIXED_PROPERTIES = frozenset(ChangeProperties.__struct_fields__)
"""Names that neither a segment nor a feature in the record may bear."""


class ChangeRecord(Struct, frozen=True, rename="camel"):
    """One customer entered or left one segment. Key: customer_id. A Segment-spec `track` call."""

    type: Annotated[Literal["track"], Meta(description="Always `track`.")]
    event: Annotated[Literal["Audience Entered", "Audience Exited"], Meta(description="What happened.")]
    user_id: CustomerId
    message_id: Annotated[
        str,
        Meta(
            pattern=ULID_PATTERN,
            description="ULID made from the record's content: the same when it is sent again. Deduplicate on "
            "it, never order by it.",
        ),
    ]
    timestamp: Annotated[Time, Meta(description="Event time of the cause.")]
    received_at: Annotated[Time, Meta(description="Wall clock when the record was committed.")]
    properties: ChangeProperties
    context: ChangeContext


class BehaviourRecord(Struct, frozen=True):
    """The behaviour segment that the customer is in."""

    segment_id: SegmentId
    segment_name: Annotated[str, Meta(description="Name of the segment for people, as of this record.")]
    since: Annotated[Time, Meta(description="When the membership began; event time.")]
    confidence: Annotated[
        Share | None, Meta(description="How clearly the segment fits, 0 to 1; null: unknown.")
    ]
    model_version: Annotated[int, Meta(ge=0, description="Model that decided it.")]


class AudienceRecord(Struct, frozen=True):
    """An audience that the customer is in."""

    segment_id: SegmentId
    since: Annotated[Time, Meta(description="When the membership began; event time.")]


class MembershipRecord(Struct, frozen=True):
    """What one customer is in now. Key: customer_id. A null value: the customer was erased."""

    customer_id: CustomerId
    sequence: Annotated[
        int,
        Meta(
            ge=0, description="Sequence of the customer's last record on segment-changes; go on from there."
        ),
    ]
    updated_at: Annotated[Time, Meta(description="Event time of the last change of a membership.")]
    behaviour: Annotated[
        BehaviourRecord | None, Meta(description="Null until there are enough events and a model.")
    ]
    audiences: Annotated[list[AudienceRecord], Meta(description="All audiences the customer is in.")]
    features: Annotated[
        dict[str, Scalar], Meta(description="The main features as of updated_at; null means unknown.")
    ]
    schema_version: SchemaVersion


class Lineage(Struct, frozen=True, rename={"origins": "from"}):
    """What a version did to a segment."""

    event: Annotated[
        LineageEvent,
        Meta(
            description="`born`; `survived`: carried over to a new model; `split`: came out of another; "
            "`absorbed`: took in most customers of the one in `from`; `died`: is no more."
        ),
    ]
    origins: Annotated[list[SegmentId], Meta(description="Segments that it came from or took in.")]
    version: Annotated[int, Meta(ge=0, description="Model or definitions version of the step.")]
    into: Annotated[
        tuple[SegmentId, ...],
        Meta(
            description="`died`: the segment that most of its customers went to; empty: there is none, "
            "or it is an audience."
        ),
    ] = ()


class Favourite(Struct, frozen=True):
    """A category or brand that customers of a segment look at and buy most."""

    name: Annotated[str, Meta(description="Category or brand.")]
    share: Annotated[Share, Meta(description="Part of the segment's customers whose favourite it is.")]


class Difference(Struct, frozen=True):
    """A feature in which a segment differs from all customers."""

    feature: Annotated[str, Meta(description="Name of the feature.")]
    value: Annotated[float, Meta(description="The segment's typical value, in the feature's unit.")]
    base: Annotated[float, Meta(description="That of all customers.")]
    deviation: Annotated[
        float,
        Meta(description="How far they lie apart, in standard deviations; below 0: the segment's is less."),
    ]


_Ratio: TypeAlias = float | None


class SegmentReview(Struct, frozen=True, kw_only=True):
    """What the customers of a behaviour segment do; of all time unless said otherwise, counted once a day."""

    revenue: Annotated[float, Meta(description="Money of their orders, refunds deducted.")]
    revenue_share: Annotated[_Ratio, Meta(description="Part of the money of all customers; null: none.")]
    orders: Annotated[Count, Meta(description="Their orders.")]
    average_order: Annotated[_Ratio, Meta(description="Revenue per order; null: no orders.")]
    conversion: Annotated[_Ratio, Meta(description="Orders per visit; null: no visits.")]
    bounce_share: Annotated[_Ratio, Meta(description="Visits with a single event, part of all visits.")]
    coupon_share: Annotated[_Ratio, Meta(description="Orders with a coupon, part of all orders.")]
    campaign_click_through: Annotated[_Ratio, Meta(description="Clicks on campaigns per visit.")]
    campaign_conversion: Annotated[
        _Ratio, Meta(description="Orders from campaigns per click on one; may exceed 1; null: no clicks.")
    ]
    churned_share: Annotated[_Ratio, Meta(description="Customers not seen for 90 days, part of all.")]
    entered: Annotated[Count, Meta(description="Customers who came in since the model version before.")]
    left: Annotated[Count, Meta(description="Customers who went since the model version before.")]
    top_categories: Annotated[tuple[Favourite, ...], Meta(description="The most frequent favourites, first.")]
    top_brands: Annotated[tuple[Favourite, ...], Meta(description="As the categories.")]


class Definition(Struct, frozen=True, kw_only=True):
    """What a segment is. Key: the segment's id."""

    id: SegmentId
    set: Annotated[
        SegmentSet, Meta(description="`behaviour`: found in the data; `audience`: declared by a rule.")
    ]
    name: Annotated[str, Meta(description="Name for people.")]
    description: Annotated[str, Meta(description="What its customers have in common.")]
    rule: Annotated[
        dict[str, str] | None,
        Meta(description="Audience: `enter`, `leave` (SQL conditions), `min_stay`, `cooldown`; else null."),
    ] = None
    centre: Annotated[
        dict[str, float | None] | None,
        Meta(description="Behaviour: the typical customer, by feature, in the feature's unit; else null."),
    ] = None
    size: Annotated[Count | None, Meta(description="Customers in it when last counted; null: not yet.")] = (
        None
    )
    share: Annotated[
        Share | None,
        Meta(
            description="Part of the customers: behaviour, of those in a segment; audience, of all; "
            "null: not counted."
        ),
    ] = None
    model_version: Annotated[
        Count | None, Meta(description="Behaviour: model it is from; audience: newest model; null: none yet.")
    ] = None
    definitions_version: Annotated[
        Count | None, Meta(description="Audience: definitions it is from; else null.")
    ] = None
    review: Annotated[
        SegmentReview | None,
        Meta(description="What its customers do, as of the last count; null: nobody is counted yet."),
    ] = None
    differences: Annotated[
        tuple[Difference, ...],
        Meta(description="Behaviour: where it differs most from all customers, the largest deviation first."),
    ] = ()
    lineage: Annotated[
        tuple[Lineage, ...],
        Meta(
            description="What this version did to it; the steps before are in the topic's earlier records, "
            "which compaction removes."
        ),
    ] = ()
    schema_version: SchemaVersion = SCHEMA_VERSION


class DeadLetterRecord(Struct, frozen=True):
    """An input record that could not be used. Key: that of the record, unless it is over 1 KiB."""

    topic: Annotated[str, Meta(description="Input topic, without the deployment's prefix.")]
    partition: Annotated[int, Meta(ge=0, description="Its partition.")]
    offset: Annotated[int, Meta(ge=0, description="Offset in the partition.")]
    timestamp: Annotated[int, Meta(description="Kafka's timestamp of the record, epoch milliseconds.")]
    reason: Annotated[str, Meta(description="Reason code; the list of codes may grow.")]
    field: Annotated[
        str | None,
        Meta(description="The field that is wrong, such as `items[3].quantity`; null: no one field."),
    ]
    detail: Annotated[str, Meta(description="One line for an engineer; holds no customer id.")]
    key: Annotated[str | None, Meta(description="Base64 of the record's key, at most its first 1 KiB.")]
    raw: Annotated[
        str | None,
        Meta(description="Base64 of the record's value, at most its first 64 KiB; null: a null value."),
    ]
    raw_bytes: Annotated[int, Meta(ge=0, description="Length of the whole value in bytes.")]
    raw_sha256: Annotated[str, Meta(description="SHA-256 of the whole value, hexadecimal.")]
    schema_version: SchemaVersion

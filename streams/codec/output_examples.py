"""Examples of every output record, made by the encoders themselves; the published schemas show them."""

from __future__ import annotations

import msgspec
import numpy as np

from models.packed import Packed
from streams.codec.changes import Change, Headers, Reason, encode_change
from streams.codec.definitions import Definition, Lineage, encode_definition
from streams.codec.main_features import Json, features_json
from streams.codec.membership import (
    Behaviour,
    audiences_json,
    behaviours_json,
    encode_memberships,
)
from streams.codec.output_records import Difference, Favourite, Scalar, SegmentReview, Trigger
from streams.codec.pieces import Pieces
from streams.codec.reasons import reasons_json
from streams.codec.sentences import reason_sentence

_SINCE_MS = 1_769_867_112_000
_TIME_MS = 1_773_480_413_589
_DAY_MS = 86_400_000
_RUN = "live"
_APP = "live-segments"
_FEATURES = features_json(
    {"orders_total": 7, "money_365d": 412.8, "days_since_order": 62.03, "consent_marketing": True}
)
_LABELS = {
    "days_since_order": ("days since last order", "days"),
    "orders_90d": ("orders (90 days)", "count"),
    "money_365d": ("money (365 days)", "money"),
    "sessions_30d": ("sessions (30 days)", "count"),
}
_MOVE_REASONS = (
    Reason("days_since_order", 62.03, 20.5, 0.52),
    Reason("orders_90d", 0, 2, 0.31),
    Reason("sessions_30d", 1, 1, 0.09),
)
_TRIGGER = Json(msgspec.json.encode(Trigger("product-views", 5, 90_411, "view-000183")).decode())
_RULE_REASONS = (Reason("money_365d", 812.5, 812.5, None), Reason("days_since_order", 60.0, 59.99, None))


def changes() -> list[tuple[str, Change]]:
    """Return a move between behaviour segments (two records), an audience entered, and an erasure."""
    return [
        ("Left a behaviour segment, by an event", _moved(entered=False)),
        ("Entered a behaviour segment, by the same event", _moved(entered=True)),
        ("Entered an audience, as time passed", _audience()),
        ("Left an audience, by erasure", _erased()),
    ]


def change_records() -> list[tuple[str, bytes, Headers]]:
    """Return title, value and headers of each of `changes`, as the live workers send them."""
    return [
        (
            title,
            *encode_change(change, received_at_ms=_TIME_MS + 212, origin="live", run_id=_RUN, space_id=_APP),
        )
        for title, change in changes()
    ]


def membership_records() -> list[bytes]:
    """Return a customer with memberships, and one that is not yet in any."""
    nothing: dict[str, Scalar] = {
        "orders_total": 0,
        "money_365d": 0,
        "days_since_order": None,
        "consent_marketing": None,
    }
    times_ms = np.array([_TIME_MS, _TIME_MS])
    dormant = Behaviour("b-3", "Dormant", 12)
    return encode_memberships(
        Packed.of([b"12347", b"12348"]),
        np.array([42, 2]),
        times_ms,
        behaviours_json({3: dormant}, np.array([3, 0]), times_ms, np.array([0.83, np.nan])),
        audiences_json(["one-time-buyers"], np.array([0]), np.array([_SINCE_MS]), np.array([1, 0])),
        Pieces.of([_FEATURES[1:-1], features_json(nothing)[1:-1]]),
    ).filled()


def definition_records() -> list[bytes]:
    """Return a behaviour segment and an audience."""
    return [
        encode_definition(
            Definition(
                id="b-3",
                set="behaviour",
                name="Dormant",
                description="Bought before, has not been seen for months.",
                centre={"days_since_order": 94.2, "orders_90d": 0.1, "money_365d": 310.5},
                size=1840,
                share=0.22,
                model_version=12,
                review=SegmentReview(
                    revenue=571320.0,
                    revenue_share=0.094,
                    orders=4420,
                    average_order=129.257919,
                    conversion=0.12,
                    bounce_share=0.41,
                    coupon_share=0.2,
                    campaign_click_through=0.03,
                    campaign_conversion=0.11,
                    churned_share=0.62,
                    entered=48,
                    left=31,
                    top_categories=(Favourite("home", 0.31), Favourite("garden", 0.18)),
                    top_brands=(Favourite("Acme", 0.22),),
                ),
                differences=(Difference("orders_90d", 0.1, 1.9, -0.9),),
                lineage=(
                    Lineage("survived", ["b-3"], 12),
                    Lineage("absorbed", ["b-5"], 12),
                ),
            )
        ),
        encode_definition(
            Definition(
                id="lapsed-big-spenders",
                set="audience",
                name="Lapsed big spenders",
                description="Spent 500 or more within a year and has not ordered for 60 days.",
                rule={
                    "enter": "money_365d >= 500 AND days_since_order > 60",
                    "leave": "days_since_order <= 60 OR money_365d < 400",
                    "min_stay": "2d",
                    "cooldown": "7d",
                },
                size=96,
                share=0.0115,
                definitions_version=3,
                lineage=(Lineage("born", [], 1),),
            )
        ),
    ]


def _moved(*, entered: bool) -> Change:
    """Return one half of a move from Loyal to Dormant."""
    return Change(
        customer_id="12347",
        segment_set="behaviour",
        segment_id="b-3" if entered else "b-1",
        segment_name="Dormant" if entered else "Loyal",
        entered=entered,
        previous_segment="b-1",
        next_segment="b-3",
        move_id="12347-41",
        since_ms=_TIME_MS if entered else _SINCE_MS,
        timestamp_ms=_TIME_MS,
        sequence=42 if entered else 41,
        cause="event",
        reason=reason_sentence(
            cause="event",
            entered=entered,
            segment_name="Dormant" if entered else "Loyal",
            previous_name="Loyal",
            next_name="Dormant",
            reasons=_MOVE_REASONS,
            labels=_LABELS.__getitem__,
        ),
        confidence=0.83,
        model_version=12,
        definitions_version=3,
        trigger=_TRIGGER,
        reasons=reasons_json(_MOVE_REASONS),
        features=_FEATURES,
    )


def _audience() -> Change:
    """Return an audience that silence leads into."""
    return Change(
        customer_id="13001",
        segment_set="audience",
        segment_id="lapsed-big-spenders",
        segment_name="Lapsed big spenders",
        entered=True,
        since_ms=_TIME_MS,
        timestamp_ms=_TIME_MS,
        sequence=8,
        cause="time",
        reason=reason_sentence(
            cause="time",
            entered=True,
            segment_name="Lapsed big spenders",
            reasons=_RULE_REASONS,
            labels=_LABELS.__getitem__,
        ),
        model_version=12,
        definitions_version=3,
        reasons=reasons_json(_RULE_REASONS),
        features=features_json(
            {"orders_total": 11, "money_365d": 812.5, "days_since_order": 60.0, "consent_marketing": False}
        ),
    )


def _erased() -> Change:
    """Return an exit because the customer's data was erased; it carries no features."""
    return Change(
        customer_id="13002",
        segment_set="audience",
        segment_id="one-time-buyers",
        segment_name="One-time buyers",
        entered=False,
        since_ms=_TIME_MS - 12 * _DAY_MS,
        timestamp_ms=_TIME_MS,
        sequence=5,
        cause="erasure",
        reason=reason_sentence(
            cause="erasure",
            entered=False,
            segment_name="One-time buyers",
            reasons=(),
            labels=_LABELS.__getitem__,
        ),
        model_version=12,
        definitions_version=3,
    )

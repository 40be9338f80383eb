"""The registry has the names of the design, and says of each feature what users need to know."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from models.features import BY_NAME, CLUSTERED, FEATURES, Feature
from models.names import FIXED, NAMESPACES
from streams.calendars import calendar_of

NAMED = set(
    """
    clicks_total views_total orders_total money_total refunds_total items_total
    orders_90d money_365d views_7d clicks_1d sessions_30d views_half7d money_half30d
    days_since_seen days_since_view days_since_click days_since_order days_known order_gap_days
    average_order refund_share session_minutes minutes_30d views_per_session bounce_share conversion
    cart_adds_30d cart_open coupon_share discount_share campaign_clicks_30d campaign_orders_90d
    top_category top_category_share top_brand top_brand_share category_diversity
    channel_main channels device_main weekend_share evening_share trend rating_mean nps
    rfm_r rfm_f rfm_m rfm_segment p_alive expected_orders_90d expected_value_90d
    age gender country city loyalty_tier
""".split()  # noqa: SIM905 - forty quoted names read worse
)
"""Names that subscribers and segments.toml rely on."""


def test_the_names_that_others_rely_on() -> None:
    """Every name of the design is in the registry, once."""
    assert NAMED - set(BY_NAME) == set()
    assert len(BY_NAME) == len(FEATURES)


@pytest.mark.parametrize("feature", FEATURES, ids=lambda f: f.name)
def test_each_feature_is_described(feature: Feature) -> None:
    """Label, meaning, unit, family and promises are given, in the words that tables and tests know."""
    assert feature.label
    assert feature.meaning.endswith(".")
    assert feature.exact in {"exact", "decayed", "bounded", "model"}
    assert feature.transform in {"log1p", "identity"}
    assert (feature.unit == "name") == (feature.namespace in {*NAMESPACES, *FIXED})


def test_attributes_are_not_clustered_on() -> None:
    """Age, gender and the like are for audiences; names cannot be clustered on at all."""
    assert [f.name for f in CLUSTERED if f.family == "attributes" or f.unit == "name"] == []
    assert 8 <= len(CLUSTERED) <= 24


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
)
def test_calendar_days_of_a_zone(name: str) -> None:
    """Days, weekends and evenings are those of the zone, to the millisecond around every change of offset."""
    calendar, zone = calendar_of(name), zoneinfo.ZoneInfo(name)
    start = datetime(2025, 12, 1, tzinfo=UTC)
    times = [start + timedelta(hours=h) for h in range(0, 366 * 24, 5)]
    changes = [datetime.fromtimestamp(t / 1000, UTC) for t in calendar.transitions.tolist()]
    near = [c + timedelta(milliseconds=ms) for c in changes if c.year == 2026 for ms in (-1, 0, 1, 3_600_000)]
    times += near
    local = [t.astimezone(zone) for t in times]
    ms = np.array([round(t.timestamp() * 1000) for t in times])

    assert calendar.day(ms).tolist() == [t.date().toordinal() - 719_163 for t in local]
    assert calendar.weekend(ms).tolist() == [t.isoweekday() >= 6 for t in local]
    assert calendar.evening(ms).tolist() == [t.hour >= 18 for t in local]
    assert bool(near) == (name not in {"UTC", "Asia/Kolkata"})

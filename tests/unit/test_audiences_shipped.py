"""The definitions that are shipped are usable as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import streams
from models.audiences import Inputs, Rules, Standing, TextCodes, catalogue, check, parse
from streams.codec.changes import FIXED_PROPERTIES

TEXT = Path(streams.__file__).with_name("segments.toml").read_text(encoding="utf-8")
COLUMNS = catalogue()
KNOWN_FOR = {"days_known": 400.0, "days_since_seen": 1.0, "days_since_first_order": 300.0}
"""A customer of a year who was here yesterday; all else 0."""
MEMBERS: dict[str, dict[str, float]] = {
    "new-visitors": {"days_known": 2},
    "new-customers": {"orders_total": 1, "days_since_first_order": 3},
    "one-time-buyers": {"orders_total": 1, "days_since_order": 40},
    "repeat-buyers": {"orders_total": 2, "orders_365d": 1},
    "loyal": {"orders_total": 5, "orders_365d": 4, "days_since_order": 20},
    "high-value": {"money_365d": 1000},
    "big-spenders": {"orders_total": 2, "average_order": 200},
    "lapsed-big-spenders": {"money_365d": 600, "days_since_order": 61, "days_since_seen": 20},
    "at-risk": {"orders_total": 3, "orders_365d": 2, "order_gap_days": 20, "days_since_order": 41},
    "window-shoppers": {"views_30d": 25},
    "cart-abandoners": {"cart_open": 1, "cart_adds_30d": 2, "days_since_seen": 0.1},
    "deal-seekers": {"orders_total": 3, "coupon_share": 0.5},
    "full-price-buyers": {"orders_total": 3},
    "campaign-responsive": {"campaign_clicks_30d": 2},
    "category-fans": {"top_category_share": 0.8, "views_total": 10},
    "cross-channel": {"channels": 2},
    "frequent-returners": {"refund_share": 0.5, "orders_total": 3},
    "unhappy": {"nps": 6},
    "vip-lapsing": {
        "money_365d": 1500,
        "orders_total": 9,
        "orders_365d": 9,
        "order_gap_days": 10,
        "days_since_order": 50,
    },
    "dormant": {"days_since_seen": 91},
    "champions": {"rfm_segment": 1, "rfm_r": 5, "rfm_f": 5},
    "churn-risk": {"orders_total": 3, "p_alive": 0.4},
}


def audiences_of(values: dict[str, float]) -> set[str]:
    definitions = parse(TEXT, COLUMNS)
    rules = Rules(definitions, COLUMNS)
    row = {name: np.array([0.0]) for name in rules.columns} | {"nps": np.array([np.nan])}
    row |= {name: np.array([value]) for name, value in (KNOWN_FOR | values).items()}
    nobody = Standing(np.zeros(1, np.uint32), np.zeros((1, 32), np.uint32))
    bits = rules.decide(
        Inputs(row, 1, [TextCodes({("rfm_segment", "champions"): 1})]), nobody, np.array([10**12])
    )
    return {audience for audience, slot in definitions.slots.items() if int(bits[0]) >> slot & 1}


def test_the_shipped_file_has_no_problems_and_says_of_each_audience_what_it_is_good_for() -> None:
    assert [*map(str, check(TEXT, COLUMNS, FIXED_PROPERTIES))] == []
    assert all(d.description and d.use for d in parse(TEXT, COLUMNS, FIXED_PROPERTIES).audiences)


def test_the_table_of_members_names_all_shipped_audiences() -> None:
    assert set(MEMBERS) == set(parse(TEXT, COLUMNS).slots)


@pytest.mark.parametrize("audience", sorted(MEMBERS))
def test_a_customer_made_for_an_audience_enters_it(audience: str) -> None:
    assert audience in audiences_of(MEMBERS[audience])


def test_a_customer_who_did_nothing_lately_and_never_ordered_is_in_none_of_the_others() -> None:
    assert audiences_of({}) == set()
    assert audiences_of({"days_since_seen": 95.0}) == {"dormant"}

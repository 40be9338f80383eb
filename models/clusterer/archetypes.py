"""Kinds of customers that marketers know, and the words for a feature that is low or high: data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Archetype:
    """A kind of customer as a direction away from the average one."""

    name: str
    text: str
    """One sentence."""
    pattern: Mapping[str, float]
    """Feature to its part of the direction, about -1 to 1; those that a model does not have are ignored."""
    least: float = 0.0
    """How far along the direction a segment must lie, in standard deviations."""
    strength: float = 0.0
    """What each standard deviation along the direction adds to the fit, where several would do."""


ARCHETYPES = (
    Archetype(
        "Champions",
        "Buy often, recently and for much, and are around all the time.",
        {
            "orders_total": 1, "orders_half90d": 1, "money_half90d": 1, "days_since_order": -0.7,
            "order_gap_days": -0.5, "sessions_total": 0.7, "views_half30d": 0.6, "clicks_half30d": 0.6,
            "cart_adds_total": 0.6, "category_diversity": 0.6, "days_known": 0.5,
        },
        strength=0.03,
    ),
    Archetype(
        "Top customers",
        "Order and spend far more than nearly all others.",
        {"orders_total": 1, "orders_half90d": 1, "money_half90d": 0.8, "sessions_total": 0.6},
        strength=0.015,
        least=3.0,
    ),
    Archetype(
        "Loyal customers",
        "Have long been customers and order again and again.",
        {
            "days_known": 1, "orders_total": 1, "orders_half90d": 0.5, "money_half90d": 0.5,
            "sessions_total": 0.6, "category_diversity": 0.5, "days_since_order": -0.3,
        },
    ),
    Archetype(
        "Big baskets",
        "Order seldom or often, but much at a time.",
        {"average_order": 1, "money_half90d": 0.7},
    ),
    Archetype(
        "New customers",
        "Have come lately and bought little so far.",
        {
            "days_known": -1, "orders_total": -0.6, "sessions_total": -0.5, "days_since_order": -0.5,
            "trend": 0.3, "category_diversity": -0.4,
        },
    ),
    Archetype(
        "Promising",
        "Are new, have ordered lately and look around a lot.",
        {
            "days_known": -0.8, "orders_half90d": 0.5, "views_half30d": 0.7, "clicks_half30d": 0.6,
            "days_since_order": -0.7, "trend": 0.6, "money_half90d": 0.3,
        },
    ),
    Archetype(
        "At risk",
        "Used to order much and have become quiet.",
        {
            "orders_total": 0.6, "days_known": 0.6, "days_since_order": 0.7, "trend": -0.8,
            "orders_half90d": -0.4, "views_half30d": -0.5, "clicks_half30d": -0.5, "money_half90d": -0.3,
        },
    ),
    Archetype(
        "Hibernating",
        "Have not ordered for long and hardly come by.",
        {
            "days_since_order": 1, "days_known": 0.5, "money_half90d": -0.7, "orders_half90d": -0.7,
            "views_half30d": -0.6, "clicks_half30d": -0.6, "cart_adds_total": -0.4, "trend": -0.3,
        },
    ),
    Archetype(
        "One-time buyers",
        "Ordered once or so and never made it a habit.",
        {
            "orders_total": -1, "orders_half90d": -0.5, "days_since_order": 0.6, "days_known": 0.4,
            "sessions_total": -0.6, "category_diversity": -0.5, "money_half90d": -0.5,
        },
    ),
    Archetype(
        "Window shoppers",
        "Look at much and buy little.",
        {
            "views_half30d": 1, "clicks_half30d": 0.6, "views_per_session": 0.7, "sessions_total": 0.4,
            "orders_total": -0.6, "orders_half90d": -0.6, "money_half90d": -0.6,
        },
    ),
    Archetype(
        "Cart abandoners",
        "Fill carts and leave them.",
        {
            "cart_adds_total": 1, "views_half30d": 0.4, "clicks_half30d": 0.5, "orders_half90d": -0.6,
            "orders_total": -0.4, "money_half90d": -0.5,
        },
    ),
    Archetype(
        "Deal seekers",
        "Come for campaigns and buy with coupons.",
        {"coupon_share": 1, "campaign_clicks_total": 0.8, "average_order": -0.3},
    ),
    Archetype(
        "Campaign responders",
        "Answer campaigns, with or without a coupon.",
        {"campaign_clicks_total": 1, "clicks_half30d": 0.4},
    ),
    Archetype(
        "Explorers",
        "Look into many categories, on long visits.",
        {"category_diversity": 1, "views_per_session": 0.6, "views_half30d": 0.5, "bounce_share": -0.4},
    ),
    Archetype(
        "Passers-by",
        "Come for one page and leave.",
        {"bounce_share": 1, "views_per_session": -0.7, "cart_adds_total": -0.3, "category_diversity": -0.3},
    ),
    Archetype(
        "One-category customers",
        "Stay within one or two categories.",
        {"category_diversity": -1},
    ),
    Archetype(
        "Frequent buyers",
        "Order in quick succession.",
        {"order_gap_days": -1, "orders_half90d": 0.5},
    ),
    Archetype(
        "Big first baskets",
        "Have ordered once or so, but much at a time.",
        {"orders_total": -0.8, "average_order": 0.8, "money_half90d": 0.2, "orders_half90d": -0.4,
         "sessions_total": -0.4},
    ),
    Archetype(
        "Small baskets",
        "Order little at a time.",
        {"average_order": -1, "money_half90d": -0.7},
    ),
    Archetype(
        "Weekend shoppers",
        "Come at weekends.",
        {"weekend_share": 1},
    ),
    Archetype(
        "Seldom but steady",
        "Order again and again with long gaps between.",
        {"order_gap_days": 1, "days_known": 0.6, "orders_half90d": -0.4, "days_since_order": 0.3},
    ),
    # The same kinds where tenure and recency are not clustered on: recent and all orders tell both.
    Archetype(
        "Loyal customers",
        "Order again and again.",
        {
            "orders_total": 1, "orders_half90d": 0.7, "money_half90d": 0.6, "sessions_total": 0.6,
            "category_diversity": 0.4, "order_gap_days": 0.2,
        },
    ),
    Archetype(
        "At risk",
        "Used to order much and have become quiet.",
        {"orders_total": 0.7, "orders_half90d": -0.7, "money_half90d": -0.6, "order_gap_days": 0.3},
    ),
    Archetype(
        "Hibernating",
        "Have ordered little, and hardly anything lately.",
        {
            "orders_half90d": -1, "money_half90d": -1, "orders_total": -0.7, "average_order": -0.3,
            "views_half30d": -0.5, "clicks_half30d": -0.5, "sessions_total": -0.5,
        },
    ),
)  # fmt: skip
"""Of several entries of one name, the first whose main features a model has is the one that holds."""

PHRASES = {
    "days_known": ("short tenure", "long tenure"),
    "order_gap_days": ("short order gaps", "long order gaps"),
    "orders_total": ("few orders", "many orders"),
    "money_half90d": ("low recent spend", "high recent spend"),
    "average_order": ("small orders", "large orders"),
    "orders_half90d": ("few recent orders", "many recent orders"),
    "views_half30d": ("few recent views", "many recent views"),
    "clicks_half30d": ("few recent clicks", "many recent clicks"),
    "sessions_total": ("few sessions", "many sessions"),
    "views_per_session": ("short visits", "long visits"),
    "bounce_share": ("few bounces", "many bounces"),
    "coupon_share": ("few coupons", "many coupons"),
    "campaign_clicks_total": ("few campaign clicks", "many campaign clicks"),
    "cart_adds_total": ("few cart additions", "many cart additions"),
    "category_diversity": ("few categories", "many categories"),
    "trend": ("falling activity", "rising activity"),
    "weekend_share": ("weekday visits", "weekend visits"),
    "days_since_order": ("recent order", "long since an order"),
}
"""Feature to the words for low and high; other features are `low <name>` and `high <name>`."""

ALIKE = (
    ("orders_total", "orders_half90d"),
    ("money_half90d", "average_order"),
    ("sessions_total", "views_half30d", "clicks_half30d"),
    ("bounce_share", "views_per_session"),
)
"""Features that say much the same: a descriptive name speaks of one of each."""

_BROWSING = ("views_half30d", "clicks_half30d")
TOLD_BY: dict[str, tuple[str, ...]] = {
    "sessions_total": _BROWSING,
    "views_per_session": _BROWSING,
    "bounce_share": _BROWSING,
    "trend": _BROWSING,
}
"""Feature to those of which one must vary for it to mean anything: orders alone make visits without pages."""
NEEDS_MANY = {"order_gap_days": "orders_total"}
"""Feature to the count without which it is unknown: one order has no gap, and a mean is put in its place."""

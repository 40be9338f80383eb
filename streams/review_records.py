"""What a model says of its segments in their public records: sizes, the review, and what sets them apart."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from models.clusterer import NO_SEGMENT, Model, Review
from models.events import MONEY_SCALE
from models.features import BY_NAME
from streams.codec.output_records import Difference, Favourite, SegmentReview
from streams.reviewing import AUDIENCE, FLOWS

MOST = 5
"""Favourites, and features, that are named."""


def sizes_of(standing: Review) -> dict[int, int]:
    """Return the customers by number of their segment, those in none left out."""
    counted = {number: standing.of(number).get("customers", 0) for number in _partition(standing)}
    return {number: count for number, count in counted.items() if count > 0 and number != NO_SEGMENT}


def customers_of(standing: Review) -> int:
    """Return the customers counted, those in no segment too."""
    return sum(standing.of(number).get("customers", 0) for number in _partition(standing))


def _partition(standing: Review) -> list[int]:
    """Return the numbers that each customer is counted under exactly one of: 0 and the behaviour segments."""
    return standing.numbers[standing.numbers < AUDIENCE].tolist()


def review_of(model: Model, number: int) -> SegmentReview | None:
    """Return what the customers of a segment do, None while none of them is counted."""
    money = sum(model.standing.of(n).get("money", 0) for n in _partition(model.standing))
    return reviewed(model.standing.of(number), model.review.of(number), money)


def reviewed(sums: Mapping[str, int], recent: Mapping[str, int], money: int) -> SegmentReview | None:
    """Return what some customers do, None where there are none and were none lately.

    Args:
        sums: over them, by the columns of a tally.
        recent: `entered` and `left`.
        money: of all customers, in 1/10,000.
    """
    customers = max(sums.get("customers", 0), 0)
    if not customers and not any(recent.get(way, 0) for way in FLOWS):
        return None

    def ratio(part: str, whole: str, scale: int = 1) -> float | None:
        below = sums.get(whole, 0)
        return round(sums.get(part, 0) / scale / below, 6) if below > 0 else None

    return SegmentReview(
        revenue=sums.get("money", 0) / MONEY_SCALE,
        revenue_share=round(sums.get("money", 0) / money, 6) if money > 0 else None,
        orders=sums.get("orders", 0),
        average_order=ratio("money", "orders", MONEY_SCALE),
        conversion=ratio("orders", "sessions"),
        bounce_share=ratio("bounces", "sessions"),
        coupon_share=ratio("coupon_orders", "orders"),
        campaign_click_through=ratio("campaign_clicks", "sessions"),
        campaign_conversion=ratio("campaign_orders", "campaign_clicks"),
        churned_share=ratio("silent", "customers"),
        entered=recent.get("entered", 0),
        left=recent.get("left", 0),
        top_categories=_favourites(sums, "category:", customers),
        top_brands=_favourites(sums, "brand:", customers),
    )


def _favourites(sums: Mapping[str, int], prefix: str, customers: int) -> tuple[Favourite, ...]:
    """Return the favourites of most customers, equal ones by name."""
    named = {name.removeprefix(prefix): n for name, n in sums.items() if name.startswith(prefix) and n > 0}
    return tuple(
        Favourite(name, round(-n / customers, 6))
        for n, name in sorted((-n, name) for name, n in named.items())[:MOST]
    )


def differences_of(model: Model, number: int) -> tuple[Difference, ...]:
    """Return in what a segment's centre lies farthest from the mean of all customers."""
    weights = model.counts / max(float(model.counts.sum()), 1e-300)
    mean = weights @ model.centres
    centre = model.centres[np.searchsorted(model.numbers, number)]
    apart = centre - mean
    here, base = model.scale.to_units(np.stack([centre, mean]))
    return tuple(
        Difference(
            feature=model.features[j],
            value=in_unit(model.features[j], float(here[j])),
            base=in_unit(model.features[j], float(base[j])),
            deviation=round(float(apart[j]), 4),
        )
        for j in np.argsort(-np.abs(apart), kind="stable")[:MOST].tolist()
    )


def in_unit(feature: str, value: float) -> float:
    """Return a transformed value in the feature's own unit."""
    return math.expm1(value) if BY_NAME[feature].transform == "log1p" else value

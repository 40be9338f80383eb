"""The review of the behaviour segments, as `segments` prints it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from streams.codec.output_records import Favourite, SegmentReview
    from streams.sizes import Segment

NAMED = 3
"""Favourites and differences that a line names."""


def print_review(segments: Sequence[Segment]) -> None:
    """Print what the customers of the segments do, and what sets them apart; nothing before a count."""
    for segment in segments:
        if segment.review is not None:
            click.echo(f"\n{segment.name} ({segment.id})")
            for line in (*_figures(segment.review), *_lines(segment, segment.review)):
                click.echo(f"  {line}")


def _figures(review: SegmentReview) -> Iterator[str]:
    money = f"revenue {review.revenue:,.0f} ({_share(review.revenue_share)}), {review.orders:,} orders"
    each = "" if review.average_order is None else f" of {review.average_order:,.2f}"
    yield f"{money}{each}, {_share(review.coupon_share)} with a coupon"
    visits = f"orders per visit {_share(review.conversion)}, bounces {_share(review.bounce_share)}"
    yield f"{visits}, churned (not seen for 90 days) {_share(review.churned_share)}"
    clicks = f"campaign clicks per visit {_share(review.campaign_click_through)}"
    yield f"{clicks}, campaign orders per click {_share(review.campaign_conversion)}"
    yield f"since the model before: {review.entered} in, {review.left} out"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _lines(segment: Segment, review: SegmentReview) -> Iterator[str]:
    from models.features import BY_NAME  # noqa: PLC0415 - when needed: --help answers at once

    for what, found in (("categories", review.top_categories), ("brands", review.top_brands)):
        if found:
            yield f"{what}: {_named(found)}"
    apart = []
    for one in segment.differences[:NAMED]:
        label = BY_NAME[one.feature].label if one.feature in BY_NAME else one.feature
        apart.append(f"{label} {one.value:,.2f} (all: {one.base:,.2f})")
    if apart:
        yield f"unlike the others: {', '.join(apart)}"


def _named(found: Sequence[Favourite]) -> str:
    return ", ".join(f"{favourite.name} {favourite.share:.0%}" for favourite in found[:NAMED])

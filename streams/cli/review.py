"""The segments as `segments` prints them: two tables, then what the customers of each one do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from streams.cli.output import moment, print_table, wrapped
from streams.words import counted

if TYPE_CHECKING:
    from models.clusterer import Advice
    from streams.codec.output_records import Favourite, SegmentReview
    from streams.sizes import Segment

NAMED = 3
"""Favourites and differences that a line names."""


def print_segments(segments: Sequence[Segment], advice: Advice | None) -> None:
    """Print a table of the behaviour segments with the advice on their number, and one of the audiences.

    Below them stands what is of now and what of the last count, once there was one.
    """
    from streams.advising import sentence  # noqa: PLC0415 - when needed: --help answers at once

    behaviour = [row for row in segments if row.segment_set == "behaviour"]
    if behaviour:
        _table("Behaviour segments: a customer is in one", "segment", behaviour)
    if advice is not None:
        click.echo(sentence(advice))
    audiences = [row for row in segments if row.segment_set != "behaviour"]
    if audiences:
        click.echo()
        _table("Audiences: a customer is in any number of them", "audience", audiences)
    counts = [(row.model_version or 0, row.as_of_ms or 0) for row in segments if row.review is not None]
    if counts:
        told = "the other figures, also below, of the last daily count, which came with model"
        version, as_of_ms = max(counts)
        at = f" on {moment(as_of_ms)}" if as_of_ms else ""
        click.echo(wrapped(f"Size and share are of now; {told} {version}{at}.", indent=0, hang=0))


def _table(title: str, what: str, rows: Sequence[Segment]) -> None:
    """Print sizes, and what is counted of the customers in a line; nothing before a count."""
    columns: tuple[str, ...] = ("id", what, ">size", ">share")
    cells: list[tuple[object, ...]] = [(row.id, row.name, row.size, f"{row.share:.1%}") for row in rows]
    if any(row.review is not None for row in rows):
        columns += (">revenue", ">in", ">out")
        cells = [(*cell, *_counted(row.review)) for cell, row in zip(cells, rows, strict=True)]
    click.echo(title)
    print_table("", columns, cells)


def _counted(review: SegmentReview | None) -> tuple[object, ...]:
    return (None,) * 3 if review is None else (f"{review.revenue:z,.0f}", review.entered, review.left)


def print_review(segments: Sequence[Segment]) -> None:
    """Print what the segments are, what their customers do, and what sets them apart; see `_table`."""
    for segment in segments:
        told = segment.description if segment.segment_set == "behaviour" else ""
        lines = [wrapped(told, hang=0)] if told else []
        if segment.review is not None:
            lines += map(wrapped, (*_figures(segment), *_lines(segment, segment.review)))
        if lines:
            click.echo("\n".join(("", f"{segment.name} ({segment.id})", *lines)))


def _figures(segment: Segment) -> Iterator[str]:
    review = segment.review
    if review is None:
        return
    money = (
        f"revenue {review.revenue:z,.0f} ({_share(review.revenue_share)}), {counted(review.orders, 'order')}"
    )
    each = "" if review.average_order is None else f" of {review.average_order:,.2f}"
    coupons = "" if review.coupon_share is None else f", {_share(review.coupon_share)} with a coupon"
    yield f"{money}{each}{coupons}"
    visits = f"orders per visit {_share(review.conversion)}, bounces {_share(review.bounce_share)}"
    yield f"{visits}, churned (not seen for 90 days) {_share(review.churned_share)}"
    clicks = f"campaign clicks per visit {_share(review.campaign_click_through)}"
    yield f"{clicks}, campaign orders per click {_share(review.campaign_conversion)}"
    yield f"since the model before: {review.entered:,} in, {review.left:,} out"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:z.1%}"


def _lines(segment: Segment, review: SegmentReview) -> Iterator[str]:
    from models.features import BY_NAME  # noqa: PLC0415 - when needed: --help answers at once

    for what, found in (("categories", review.top_categories), ("brands", review.top_brands)):
        if found:
            yield f"{what}: {_named(found)}"
    apart = []
    for one in segment.differences[:NAMED]:
        label = BY_NAME[one.feature].label if one.feature in BY_NAME else one.feature
        apart.append(f"{label} {one.value:z,.2f} (all: {one.base:z,.2f})")
    if apart:
        yield f"unlike the others: {', '.join(apart)}"


def _named(found: Sequence[Favourite]) -> str:
    return ", ".join(f"{favourite.name} {favourite.share:.0%}" for favourite in found[:NAMED])

"""The sentence in a change record, as a marketer reads it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from streams.codec.changes import Reason
from streams.codec.output_records import Cause
from streams.codec.sentences import reason_sentence

LABELS = {
    "days_since_order": ("days since last order", "days"),
    "orders_90d": ("orders (90 days)", "count"),
    "money_365d": ("money (365 days)", "EUR"),
    "money_total": ("money spent", "money"),
    "coupon_share": ("coupon share", "share"),
    "cart_open": ("open cart", "flag"),
    "top_category": ("favourite category", "name"),
    "session_minutes": ("session length", "minutes"),
    "views_half1d": ("recent views", "count"),
    "views_half7d": ("recent views", "count"),
}


def sentence(*reasons: Reason, cause: Cause = "event", **names: Any) -> str:
    """Return the sentence for a move from Loyal to Dormant, or as named."""
    arguments: dict[str, Any] = {
        "segment_name": "Dormant",
        "entered": True,
        "previous_name": "Loyal",
        "next_name": "Dormant",
        **names,
    }
    return reason_sentence(cause=cause, reasons=reasons, labels=LABELS.__getitem__, **arguments)


ALONE: dict[str, Any] = {"previous_name": None, "next_name": None}


def test_a_move_names_both_segments_and_the_figures() -> None:
    """The sentence tells from where to where, and what moved."""
    assert (
        sentence(Reason("days_since_order", 62.3, 12.0, 0.6), Reason("orders_90d", 0.0, 2.0, 0.4))
        == "Moved from Loyal to Dormant: days since last order rose to 62, orders (90 days) fell to 0."
    )


@pytest.mark.parametrize(
    ("cause", "start"),
    [
        ("event", "Moved from Loyal to Dormant."),
        ("time", "Moved from Loyal to Dormant as time passed."),
        ("model", "Moved from Loyal to Dormant because the segments were recalculated."),
        ("definition", "Moved from Loyal to Dormant because the definition of the audience changed."),
    ],
)
def test_the_cause_is_part_of_the_sentence(cause: Cause, start: str) -> None:
    """Without figures the sentence still says why."""
    assert start == sentence(cause=cause)


def test_an_audience_is_entered_or_left() -> None:
    """An audience has no segment before or after it."""
    assert sentence(entered=True, **ALONE) == "Entered Dormant."
    assert sentence(entered=False, **ALONE) == "Left Dormant."


def test_the_first_segment_is_entered_not_moved_to() -> None:
    """A customer without a segment before has not moved."""
    assert sentence(previous_name=None) == "Entered Dormant."


def test_erasure_tells_no_figures() -> None:
    """What was erased is not repeated in the reason."""
    assert (
        sentence(Reason("orders_90d", 3, 2, 1.0), cause="erasure", entered=False, **ALONE)
        == "Left Dormant because the customer's data was erased."
    )


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason("days_since_order", 60.0, 59.99, 1), "days since last order is 60"),
        (Reason("days_since_order", 60.0, None, 1), "days since last order is 60"),
        (Reason("days_since_order", math.nan, 3.0, 1), "days since last order is unknown"),
        (Reason("orders_90d", 12_500, 3, 1), "orders (90 days) rose to 12,500"),
        (Reason("orders_90d", 2.449, 3.1, 1), "orders (90 days) fell to 2.4"),
        (Reason("orders_90d", 0.0449, 3.1, 1), "orders (90 days) fell to 0.045"),
        (Reason("money_365d", 812.5, 90, 1), "money (365 days) rose to 812.50 EUR"),
        (Reason("money_total", 90.0, 190, 1), "money spent fell to 90"),
        (Reason("coupon_share", 0.5, 0.25, 1), "coupon share rose to 50 %"),
        (Reason("cart_open", 1.0, 0.0, 1), "open cart changed to yes"),
        (Reason("cart_open", False, True, 1), "open cart changed to no"),
        (Reason("top_category", "shoes", "hats", 1), "favourite category changed to shoes"),
        (Reason("top_category", "x" * 50, None, 1), f"favourite category is {'x' * 39}…"),
        (Reason("session_minutes", 12.0, 3.0, 1), "session length rose to 12 minutes"),
    ],
)
def test_a_figure_reads_as_people_write_it(reason: Reason, words: str) -> None:
    """Units, money, shares, names and unknown values are words; a move too small to see is none."""
    assert sentence(reason) == f"Moved from Loyal to Dormant: {words}."


def test_a_sentence_names_few_features() -> None:
    """At most three features, none of small weight or against the move, none called the same as another."""
    shares = [
        ("days_since_order", 0.4),
        ("views_half1d", 0.3),
        ("views_half7d", 0.2),
        ("coupon_share", 0.05),
        ("orders_90d", -0.2),
        ("money_total", 0.15),
        ("session_minutes", 0.1),
    ]

    found = sentence(*(Reason(feature, 2.0, 1.0, weight) for feature, weight in shares))

    assert (
        found == "Moved from Loyal to Dormant: days since last order rose to 2, recent views rose to 2, "
        "money spent rose to 2."
    )

"""The sentence in a change record: why a customer moved, in words a marketer understands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import isfinite
from typing import Any, Protocol

from streams.codec.figure_kernels import MONEY, NUMBER, SHARE
from streams.codec.output_records import Cause, Reason, Scalar

TOP_REASONS = 3
"""Features that a sentence names at most."""
MIN_WEIGHT = 0.1
"""A feature with a smaller share of the change is not worth a place beside the first."""
MAX_VALUE_CHARS = 40
"""Characters shown of a category, brand or city."""
UNKNOWN = "unknown"
_NUMBER = (int, float)
_SILENT_UNITS = frozenset(("", "count", "number", "name"))
"""Units that a figure does not need."""


class FeatureLabels(Protocol):
    """How features are called in sentences."""

    def __call__(self, feature: str, /) -> tuple[str, str]:
        """Return label and unit of a feature, such as ("days since last order", "days").

        The unit "share" shows as per cent, "flag" as yes or no, "money" and currency codes (three capitals)
        with at most two decimals; a unit is left out when the label names it, or it is "count", "number",
        "name", "money" or empty.
        """
        ...


def reason_sentence(
    *,
    cause: Cause,
    entered: bool,
    segment_name: str,
    reasons: Sequence[Reason],
    labels: FeatureLabels,
    previous_name: str | None = None,
    next_name: str | None = None,
) -> str:
    """Return one sentence that says what changed and which features moved, with their figures.

    Both records of a move get the same sentence, so that each alone tells the whole story.

    Args:
        cause: why the customer was decided.
        entered: the segment is entered, not left.
        segment_name: name of the segment of this record.
        reasons: the features behind the change, largest weight first.
        labels: names and units of features.
        previous_name: behaviour: name of the segment before the move; None: there was none, or an audience.
        next_name: behaviour: name of the segment after the move; None: there is none, or an audience.

    Example:
        `Moved from Loyal to Dormant: days since last order rose to 62, orders (90 days) fell to 0.`
    """
    if cause == "erasure":
        return f"Left {segment_name} because the customer's data was erased."
    happened = sentence_opening(
        cause=cause,
        entered=entered,
        segment_name=segment_name,
        previous_name=previous_name,
        next_name=next_name,
    )
    figures = _figures(reasons, labels)
    return f"{happened}: {figures}." if figures else f"{happened}."


def sentence_opening(
    *,
    cause: Cause,
    entered: bool,
    segment_name: str,
    previous_name: str | None = None,
    next_name: str | None = None,
) -> str:
    """Return what `reason_sentence` says before the figures, for a cause other than an erasure."""
    first = cause == "model" and entered and previous_name is None
    circumstance = _FIRST_MODEL if first else _CIRCUMSTANCE[cause]
    return _happened(entered, segment_name, previous_name, next_name) + circumstance


_FIRST_MODEL = " when the segments were found"
_CIRCUMSTANCE: dict[Cause, str] = {
    "event": "",
    "time": " as time passed",
    "model": " because the segments were recalculated",
    "definition": " because the definition of the audience changed",
    "erasure": "",
}


def _happened(entered: bool, segment_name: str, previous_name: str | None, next_name: str | None) -> str:
    """Return the first half of the sentence, without its cause."""
    if previous_name is not None and next_name is not None:
        return f"Moved from {previous_name} to {next_name}"
    return f"{'Entered' if entered else 'Left'} {segment_name}"


def _figures(reasons: Sequence[Reason], labels: FeatureLabels) -> str:
    """Return the reasons worth naming: the first, and others that weigh enough or have no weight.

    Of features that people call the same (recent views, by half-life) the heaviest stands for all.
    """
    named: dict[str, str] = {}
    for reason in reasons:
        label, unit = labels(reason.feature)
        if label in named or (named and reason.weight is not None and not reason.weight >= MIN_WEIGHT):
            continue
        named[label] = _figure(label, unit)(reason.value, reason.previous)
        if len(named) == TOP_REASONS:
            break
    return ", ".join(named.values())


@lru_cache(maxsize=512)
def _figure(label: str, unit: str) -> Callable[[Scalar, Scalar], str]:
    """Return a function that writes a feature with its movement and value: `orders (90 days) fell to 0`."""
    show = _shower(label, unit)

    def figure(value: Scalar, previous: Scalar) -> str:
        if not _known(value):
            return f"{label} is {UNKNOWN}"
        text = show(value)
        if not _known(previous) or show(previous) == text:  # too small to see in the figures is no move
            return f"{label} is {text}"
        return f"{label} {_movement(previous, value, unit)} {text}"

    return figure


def _movement(previous: Scalar, value: Scalar, unit: str) -> str:
    """Return the verb between a feature and its value."""
    if unit == "flag" or not (isinstance(value, _NUMBER) and isinstance(previous, _NUMBER)):
        return "changed to"
    return "rose to" if value > previous else "fell to"


def _known(value: Scalar) -> bool:
    """Tell whether a value is there: neither None nor NaN."""
    return value is not None and (not isinstance(value, float) or isfinite(value))


@lru_cache(maxsize=512)
def _shower(label: str, unit: str) -> Callable[[Any], str]:
    """Return a function that writes known values of a feature as people do."""
    quantity = _quantity(label, unit)

    def show(value: Any) -> str:  # a Scalar: the type checker cannot tell the rest from a number
        if isinstance(value, str):
            return value if len(value) <= MAX_VALUE_CHARS else value[: MAX_VALUE_CHARS - 1] + "…"
        if unit == "flag" or isinstance(value, bool):
            return "yes" if value else "no"
        return quantity(value)

    return show


def _quantity(label: str, unit: str) -> Callable[[float], str]:
    """Return a function that writes numbers with their unit unless the label names it."""
    kind, suffix = how_shown(label, unit)
    return lambda value: f"{bare_figure(value, kind)}{suffix}"


def how_shown(label: str, unit: str) -> tuple[int, str]:
    """Return which kind of figure the numbers of a feature are, and what is written behind them."""
    if unit == "share":
        return SHARE, " %"
    if unit == "money":
        return MONEY, ""
    if len(unit) == 3 and unit.isupper():
        return MONEY, f" {unit}"
    return NUMBER, "" if unit in _SILENT_UNITS or unit in label else f" {unit}"


def bare_figure(value: float, kind: int) -> str:
    """Return a known number as a figure of a kind, without its unit."""
    if kind == MONEY:
        return _money(value)
    return _number(value * 100 if kind == SHARE else value)


def _money(value: float) -> str:
    """Return an amount with two decimals, or none when it is round."""
    text = f"{value:,.2f}".removesuffix(".00")
    return "0" if text == "-0" else text


def _number(value: float) -> str:
    """Return a number with as many digits as matter: 62, 3.4, 0.04, 12,500."""
    size = abs(value)
    if size >= 10 or value == int(value):
        return f"{value:,.0f}"
    if size >= 1:
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:.2g}" if size >= 0.001 else "0"

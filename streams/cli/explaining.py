"""Why a customer is where they are, as `explain` prints it: the answer first, all features on request."""

# ruff: noqa: PLC0415 - a command imports what it needs when it runs, so that --help answers at once

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from streams.cli.output import moment, print_pairs, print_table, shown, wrapped

if TYPE_CHECKING:
    from models.audiences import Condition, Value
    from models.audiences import Explanation as Standing
    from streams.explanation import Explanation

WHOLE = frozenset(("count", "score", "years", "number"))
"""Units whose whole figures have no decimals."""


def print_explanation(found: Explanation) -> None:
    """Print where a customer is, why, and what would have to change."""
    from models.features import BY_NAME

    where = found.segment_id and f"{found.segment_name or 'a segment of an older model'} ({found.segment_id})"
    if where is None:
        where = "none yet: " + ("there is no model" if found.eligible else "too few events")
    held = [standing.name for standing in found.audiences if standing.member]
    print_pairs(
        {
            "customer": found.customer_id,
            "as of": moment(found.as_of_ms),
            "segment": where,
            **({} if found.since_ms is None else {"since": moment(found.since_ms)}),
            **({"audiences": ", ".join(held) or "none"} if found.audiences else {}),
            "model": found.model_version or "none yet",
            "change records": found.sequence,
        }
    )
    print()
    if found.distances:
        print_table(
            "distance to each behaviour segment",
            ("id", "segment", ">distance", ""),
            [(n.id, n.name, n.distance, "<- here" if n.current else "") for n in found.distances],
        )
        _print_margin(found)
    for title, parts in (("speaks for the runner-up", found.for_runner_up), ("against it", found.against)):
        if parts:
            weights = [(BY_NAME[name].label, found.features[name], part) for name, part in parts]
            print_table(title, ("feature", ">value", ">weight"), weights)
    for line in outlook_lines(found):
        print(line)
    for standing in found.audiences:
        print("\n".join(("", *audience_lines(standing))))


def print_features(found: Explanation) -> None:
    """Print all that is known of a customer, a table for each family of features."""
    from models.features import FEATURES

    print()
    families = dict.fromkeys(f.family for f in FEATURES)
    for family in families:
        named = [f for f in FEATURES if f.family == family and found.features[f.name] is not None]
        if named:
            rows = [
                (
                    f.name,
                    _in_unit(f.name, found.features[f.name]),
                    "" if f.unit == "name" else f.unit,
                    f.label,
                )
                for f in named
            ]
            print_table(family, ("feature", ">value", "unit", ""), rows)


def outlook_lines(found: Explanation) -> Iterator[str]:
    """Yield what would have to change for a move to another behaviour segment: one feature a line."""
    from models.features import BY_NAME

    if not any(near.current for near in found.distances) or len(found.distances) == 1:
        return
    if not found.would_move:
        yield "No single feature, changed alone, would be enough for a move."
        return
    yield "would be enough for a move, all else equal:"
    for one in found.would_move:
        now, then = (_in_unit(one.feature, value) for value in (found.features[one.feature], one.value))
        yield f"  {BY_NAME[one.feature].label} {now} -> {then}, to {one.segment_name}"


def _in_unit(feature: str, value: Any) -> str:
    from models.features import BY_NAME

    whole = isinstance(value, float) and BY_NAME[feature].unit in WHOLE and value == int(value)
    return shown(int(value) if whole else value)


def audience_lines(standing: Standing) -> Iterator[str]:
    """Yield how a customer stands to one audience: what holds (+), does not (-), or is not known (?)."""
    verb = "in" if standing.member else "not in"
    began = f", since {moment(standing.since_s * 1000)}" if standing.member else ""
    if standing.since_s and not standing.member:
        began = f", left {moment(standing.since_s * 1000)}"
    wait = f", stays so until {moment(standing.waits_until_s * 1000)}" if standing.waits_until_s else ""
    yield f"{verb} {standing.name} ({standing.audience_id}){began}{wait}"
    yield from _condition_lines("enter", standing.enter, 1)
    if standing.member and standing.leave.text == f"NOT COALESCE({standing.enter.text}, FALSE)":
        yield f"  {_HOLDS[standing.leave.holds]} leave: when enter no longer holds"
    elif standing.member:
        yield from _condition_lines("leave", standing.leave, 1)


_JOINED = {"all": "all of", "any": "any of", "not": "not", "first": "the first that is known of"}
_HOLDS = {True: "+", False: "-", None: "?"}


def _condition_lines(label: str, condition: Condition, depth: int) -> Iterator[str]:
    said = _JOINED[condition.joined] if condition.joined else condition.text
    from models.features import BY_NAME

    units = {name: BY_NAME[name].unit if name in BY_NAME else "" for name, _ in condition.values}
    values = ", ".join(
        f"{name} {_apart(value, condition.text, units[name])}" for name, value in condition.values
    )
    mark, label = _HOLDS[condition.holds], f"{label}: " if label else ""
    yield f"{'  ' * depth}{mark} {label}{said}{f'  [{values}]' if values else ''}"
    for part in condition.parts:
        yield from _condition_lines("", part, depth + 1)


def _apart(value: Value, text: str, unit: str) -> str:
    """Return a value; with more decimals where it would look the same as a number of its condition."""
    if not isinstance(value, float):
        return "unknown" if value is None else shown(value)
    if value == int(value) and unit in WHOLE:
        return shown(int(value))
    limits = {float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)} - {abs(value)}
    same = float(f"{abs(value):.2f}") in limits
    return f"{value:,.9f}".rstrip("0") if same else shown(value)


def _print_margin(found: Explanation) -> None:
    """Say how far the customer is from a move."""
    here = next((near for near in found.distances if near.current), None)
    rival = next((near for near in found.distances if not near.current), None)
    if here is None or rival is None:
        return
    line = (1 - found.margin) * here.distance
    verb = "moves there at the next decision" if rival.distance < line else "stays"
    if found.stays_until_ms is not None:
        verb = f"stays until {moment(found.stays_until_ms)} at least"
    said = (
        f"Runner-up: {rival.name} at {rival.distance:.2f}. A move needs less than {line:.2f} "
        f"({1 - found.margin:.0%} of {here.distance:.2f}): the customer {verb}."
    )
    print(wrapped(said, indent=0))

"""`segments`, `explain`, `tail`: what the segments are, who is in them and why."""

# ruff: noqa: PLC0415 - a command imports what it needs when it runs, so that --help answers at once

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from streams.cli.command import Command
from streams.cli.options import json_option
from streams.cli.output import print_json, print_pairs, print_table, say, shown, wrapped
from streams.errors import LiveSegmentsError

if TYPE_CHECKING:
    from models.audiences import Condition
    from models.audiences import Explanation as Standing
    from streams.codec.output_records import ChangeProperties, ChangeRecord
    from streams.explanation import Explanation
    from streams.reader import Reader


@click.command(
    cls=Command,
    short_help="List the segments with their sizes and what their customers do.",
    example="KAFKA_BOOTSTRAP=localhost:9092 live-segments segments",
)
@json_option
def segments(as_json: bool) -> None:
    """Print all segments with their sizes, and what their customers do.

    From a running or a stopped deployment. What they do is counted once a day; see `segment-definitions`.
    """
    import msgspec

    from streams.advising import newest_advice
    from streams.cli.review import print_review, print_segments
    from streams.reader import Reader
    from streams.settings import load_settings
    from streams.sizes import segment_sizes
    from streams.snapshot import tail_of_models

    settings = load_settings()
    with Reader(settings) as reader:
        rows, advice = segment_sizes(reader), newest_advice(tail_of_models(reader))
    if as_json:
        listed = [msgspec.to_builtins(row) | {"share": round(row.share, 6)} for row in rows]
        print_json({"segments": listed, "advice": msgspec.to_builtins(advice)})
        return
    if not rows:
        raise LiveSegmentsError(
            "there are no segments yet: they are found once 500 customers or customer days are seen"
        )
    print_segments(rows, advice)
    print_review(rows)
    if not any(row.size for row in rows):
        say(
            "nobody is in a segment yet: a new model is taken up at the next sweep, within 30 s; if it stays "
            "so, the worker's log says whether events arrive, and what is wrong with those in `dead-letters`"
        )


@click.command(
    cls=Command,
    short_help="Say why a customer is in their segment.",
    example="KAFKA_BOOTSTRAP=localhost:9092 live-segments explain c-00012",
)
@click.argument("customer")
@json_option
def explain(customer: str, as_json: bool) -> None:
    """Say why a customer is in their segments.

    Features; the distance to each behaviour segment, what speaks for the runner-up, and which single
    features would be enough for a move; for each audience whether the customer is in it, since when, and
    which of its conditions hold.
    """
    from streams.clock import SystemClock
    from streams.explanation import explain as explain_customer
    from streams.reader import Reader
    from streams.settings import load_settings

    settings = load_settings()
    with Reader(settings) as reader:
        found = explain_customer(settings, reader, SystemClock(), customer)
    if found is None:
        raise LiveSegmentsError(
            f"no customer {customer}: never seen, erased, or not committed yet; ids are as in the events"
        )
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(found))
    else:
        _print_explanation(found)


def _print_explanation(found: Explanation) -> None:
    from models.features import BY_NAME, FEATURES

    where = found.segment_id and f"{found.segment_name or 'a segment of an older model'} ({found.segment_id})"
    if where is None:
        where = "none yet: " + ("there is no model" if found.eligible else "too few events")
    print_pairs(
        {
            "customer": found.customer_id,
            "as of": _time(found.as_of_ms),
            "segment": where,
            **({} if found.since_ms is None else {"since": _time(found.since_ms)}),
            "model": found.model_version or "none yet",
            "change records": found.sequence,
        }
    )
    families = dict.fromkeys(f.family for f in FEATURES)
    for family in families:
        named = [f for f in FEATURES if f.family == family and found.features[f.name] is not None]
        if named:
            rows = [
                (f.name, found.features[f.name], "" if f.unit == "name" else f.unit, f.label) for f in named
            ]
            print_table(family, ("feature", ">value", "unit", ""), rows)
    if found.distances:
        print_table(
            "distance to each segment",
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
        for line in audience_lines(standing):
            print(line)


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
        now, then = shown(found.features[one.feature]), _in_unit(one.feature, one.value)
        yield f"  {BY_NAME[one.feature].label} {now} -> {then}, to {one.segment_name}"


def _in_unit(feature: str, value: float) -> str:
    from models.features import BY_NAME

    whole = BY_NAME[feature].unit == "count" and value == int(value)
    return shown(int(value) if whole else value)


def audience_lines(standing: Standing) -> Iterator[str]:
    """Yield how a customer stands to one audience: what holds (+), does not (-), or is not known (?)."""
    verb = "in" if standing.member else "not in"
    began = f", since {_time(standing.since_s * 1000)}" if standing.member else ""
    if standing.since_s and not standing.member:
        began = f", left {_time(standing.since_s * 1000)}"
    wait = f", stays so until {_time(standing.waits_until_s * 1000)}" if standing.waits_until_s else ""
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
    values = ", ".join(f"{name} {'unknown' if v is None else shown(v)}" for name, v in condition.values)
    mark, label = _HOLDS[condition.holds], f"{label}: " if label else ""
    yield f"{'  ' * depth}{mark} {label}{said}{f'  [{values}]' if values else ''}"
    for part in condition.parts:
        yield from _condition_lines("", part, depth + 1)


def _print_margin(found: Explanation) -> None:
    """Say how far the customer is from a move."""
    here = next((near for near in found.distances if near.current), None)
    rival = next((near for near in found.distances if not near.current), None)
    if here is None or rival is None:
        return
    line = (1 - found.margin) * here.distance
    verb = "moves there at the next decision" if rival.distance < line else "stays"
    if found.stays_until_ms is not None:
        verb = f"stays until {_time(found.stays_until_ms)} at least"
    said = (
        f"Runner-up: {rival.name} at {rival.distance:.2f}. A move needs less than {line:.2f} "
        f"({1 - found.margin:.0%} of {here.distance:.2f}): the customer {verb}."
    )
    print(wrapped(said, indent=0))


@click.command(
    cls=Command,
    short_help="Print changes of segment as they come.",
    example="live-segments tail --from-beginning --segment b-3 --limit 10",
)
@click.option("--from-beginning", is_flag=True, help="Begin with the oldest change that is kept.")
@click.option("--segment", help="Only changes of this segment or audience, by id, or by a name of either.")
@click.option("--limit", type=click.IntRange(1), help="Stop after so many.")
@click.option("--json", "as_json", is_flag=True, help="Print each record as one line of JSON.")
def tail(from_beginning: bool, segment: str | None, limit: int | None, as_json: bool) -> None:
    """Print changes of segment as they come, until Ctrl-C: a subscriber to `segment-changes`.

    It waits for a broker that goes away, and says so.
    """
    from streams.cli.presence import Presence
    from streams.codec.changes import decode_change
    from streams.reader import Reader
    from streams.settings import load_settings

    told = 0
    with Reader(load_settings()) as reader:
        if segment is not None:
            _check_known(reader, segment)
        presence = Presence(reader.answers)
        for row in reader.follow(["segment-changes"], from_beginning=from_beginning):
            if row is None:
                presence.silence()
                continue
            presence.heard()
            if row.value is None:
                continue
            change = decode_change(row.value).record
            if segment is not None and not _is_named(change.properties, segment):
                continue
            click.echo(row.value.decode() if as_json else change_line(change))
            told += 1
            if told == limit:
                return


def _check_known(reader: Reader, segment: str) -> None:
    """Refuse a segment that was never defined; before anything is defined, all may come.

    Raises:
        LiveSegmentsError: there is no such segment.
    """
    from difflib import get_close_matches

    from streams.codec.definitions import decode_definition

    defined = [decode_definition(value) for value in reader.latest("segment-definitions").values()]
    names = {d.id: d.id for d in defined} | {d.name.lower(): d.name for d in defined}
    if defined and segment.lower() not in names:
        near = get_close_matches(segment.lower(), names, n=1)
        meant = f"; did you mean {names[near[0]]}?" if near else "; `live-segments segments` lists them"
        raise LiveSegmentsError(f"there is no segment {segment}{meant}")


def _is_named(properties: ChangeProperties, segment: str) -> bool:
    return segment.lower() in {properties.audience_key, properties.segment_name.lower()}


def change_line(change: ChangeRecord) -> str:
    """Return a change as one line for people; a segment and an audience may bear the same name."""
    from streams.codec.output_records import CALLED

    p = change.properties
    note = "" if p.origin == "live" else f" [{p.origin}]"
    when = change.timestamp.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    what = f"{p.change:<7} {CALLED[p.segment_set]:<8}"
    return f"{when}  {change.user_id:<10}  {what}  {p.segment_name}  {p.reason}{note}"


def _time(ms: int) -> Any:
    return shown(datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"))

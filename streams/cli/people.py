"""`segments`, `explain`, `tail`: what the segments are, who is in them and why."""

# ruff: noqa: PLC0415 - a command imports what it needs when it runs, so that --help answers at once

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import click

from streams.cli.command import Command
from streams.cli.options import json_option
from streams.cli.output import print_json, say
from streams.errors import LiveSegmentsError

if TYPE_CHECKING:
    from streams.codec.output_records import ChangeProperties, ChangeRecord
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
@click.option(
    "--features", is_flag=True, help="Also print every feature of the customer. JSON has them always."
)
@json_option
def explain(customer: str, features: bool, as_json: bool) -> None:
    """Say why a customer is in their segments.

    Where they are; the distance to each behaviour segment, what speaks for the runner-up, and which single
    features would be enough for a move; for each audience whether the customer is in it, since when, and
    which of its conditions hold.
    """
    from streams.cli.explaining import print_explanation, print_features
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
        return
    print_explanation(found)
    if features:
        print_features(found)
    else:
        say("`--features` also prints every feature of the customer")


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

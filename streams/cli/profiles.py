"""`profiles`: what is known of every customer."""

# ruff: noqa: PLC0415 - a command imports what it needs when it runs, so that --help answers at once

from __future__ import annotations

from pathlib import Path

import click

from streams.cli.command import Group
from streams.cli.options import Moment, json_option
from streams.cli.output import print_json, progress
from streams.words import counted


@click.group(cls=Group, example="live-segments profiles export --out profiles.parquet")
def profiles() -> None:
    """Export what is known of every customer."""


@profiles.command(
    short_help="Write every customer's features and memberships to a file.",
    example="live-segments profiles export --out profiles.parquet --at 2026-03-14",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write: .parquet, or .csv for a spreadsheet.",
)
@click.option(
    "--at", type=Moment(), help="Time to look at them.  [default: the newest event of each partition]"
)
@json_option
def export(out: Path, at: int | None, as_json: bool) -> None:
    """Write every customer's features and memberships to a file, without touching the workers.

    The profiles are those of the last commits. Features that change with time (days since …, decayed sums)
    are as of --at, but never from before a customer's last event.
    """
    from streams.clock import SystemClock
    from streams.export import check_out, export_profiles
    from streams.reader import Reader
    from streams.settings import load_settings

    settings = load_settings()
    check_out(out)
    with progress("exporting", "customers", total=settings.partitions) as bar, Reader(settings) as reader:

        def done(partitions: int, customers: int) -> None:
            bar.bytes(partitions, settings.partitions)
            bar.count(customers)

        count = export_profiles(settings, reader, SystemClock(), out, at, done)
    if as_json:
        print_json({"customers": count, "file": str(out)})
    else:
        print(f"{counted(count, 'customer')} written to {out}")

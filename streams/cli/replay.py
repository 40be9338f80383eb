"""`replay`: recorded history through the engine, without Kafka."""

# ruff: noqa: PLC0415 - a command imports what it needs when it runs, so that --help answers at once

from __future__ import annotations

import itertools
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.cli.command import Group
from streams.cli.options import Duration, file_arguments, json_option
from streams.cli.output import print_pairs, print_table, progress, say
from streams.errors import InputFileError, UsageError
from streams.words import counted

if TYPE_CHECKING:
    from streams.engine import Engine
    from streams.records import Record
    from streams.replay import Replay, Report, Sink
    from streams.settings import Settings


class _Reasons:
    """A sink that counts dead letters by reason and hands everything on."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.counts: Counter[str] = Counter()

    def write(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.topic == "dead-letters" and record.value is not None:
                self.counts[json.loads(record.value)["reason"]] += 1
        self._sink.write(records)

    def finish(self, engine: Engine, report: bytes) -> None:
        self._sink.finish(engine, report)


@click.group(
    cls=Group,
    short_help="Run recorded history through the engine.",
    example="live-segments replay run orders.csv.gz --format online-retail --currency GBP",
)
def replay() -> None:
    """Run recorded history through the engine; no Kafka is needed."""


@replay.command(
    example="live-segments replay run orders.csv.gz --format online-retail \\\n--currency GBP --out replayed"
)
@file_arguments
@click.option(
    "--mode",
    type=click.Choice(("report", "files")),
    help="report: only say what came out; files: write it to --out. Default: files with --out, else report.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for --mode files.")
@click.option(
    "--sweep-interval",
    "sweep_ms",
    type=Duration(),
    default="1h",
    show_default=True,
    help="Event time between two looks at all customers; segments and audiences begin at the first.",
)
@click.option(
    "--chunk", type=click.IntRange(1, 1_000_000), default=4000, help="Events per call; changes nothing else."
)
@click.option(
    "--currency",
    help="Reporting currency, such as GBP.  [default: LIVE_SEGMENTS_CURRENCY, else the format's own]",
)
@json_option
def run(
    files: tuple[Path, ...],
    format_name: str,
    mode: str | None,
    out: Path | None,
    sweep_ms: int,
    chunk: int,
    currency: str | None,
    as_json: bool,
) -> None:
    """Replay recorded files and say what came out.

    Mode files writes changes.ndjson, dead-letters.ndjson, profiles.parquet and report.json into --out: the
    same bytes for the same history and the same settings.
    """
    _check_mode(mode, out)
    from streams.shop.formats import FORMATS, read_records
    from streams.shop.record import ReadReport

    settings = _settings(currency, FORMATS[format_name].currency)
    read = ReadReport()
    records = read_records(files, format_name, read)
    with progress("replaying") as bar:
        read.progress = bar.bytes
        started = time.monotonic()
        first = list(itertools.islice(records, 1))  # what is wrong with a file is said first
        seconds = time.monotonic() - started
        replaying, reasons = _build(settings, out, sweep_ms, chunk)

        def note_skipped() -> None:
            skipped = sorted(read.skipped.items())
            replaying.report.skipped = {reason: entry.count for reason, entry in skipped}

        started = time.monotonic()
        report = replaying.run(bar.counted(itertools.chain(first, records), note_skipped))
        seconds += time.monotonic() - started
    if as_json:
        click.echo(report.to_json(), nl=False)
    else:
        _print(report)
    if out is not None:
        say(f"changes, dead letters, profiles and report are in {out}")
    for line in read.lines():
        say(line)
    _say_reasons(reasons)
    _say_outcome(report, replaying.ticks, seconds)
    read.check_whole()


def _check_mode(mode: str | None, out: Path | None) -> None:
    """Refuse files without a folder, and a folder without files."""
    if (mode or ("files" if out else "report")) == "files":
        if out is None:
            raise UsageError("--mode files needs --out DIR")
    elif out is not None:
        raise UsageError("--out DIR goes with --mode files")


def _settings(currency: str | None, usual: str | None) -> Settings:
    """Return the settings; of currencies the one given counts, then that of the variable, then the usual."""
    from streams.settings import load_settings

    if currency is None and not os.environ.get("LIVE_SEGMENTS_CURRENCY"):
        currency = usual
    return load_settings(overrides={"currency": currency})


def _build(settings: Settings, out: Path | None, sweep_ms: int, chunk: int) -> tuple[Replay, Counter[str]]:
    """Return a replay into a folder, or into nothing, and the counts by reason of its dead letters."""
    from streams.replay import FileSink, NullSink, Replay
    from streams.segments_file import read_definitions, segments_file

    read_definitions(segments_file(settings))  # a broken one is refused before --out is made or emptied
    sink = _Reasons(FileSink(out) if out is not None else NullSink())
    return Replay(settings, sink, sweep_ms=sweep_ms, chunk=chunk), sink.counts


def _say_outcome(report: Report, ticks: int, seconds: float) -> None:
    """Say how long it took, and why nobody is in a segment where no tick came.

    Raises:
        InputFileError: no record could be used.
    """
    total = sum(report.records.values())
    if total and not report.counted:
        raise InputFileError(f"none of {counted(total, 'record')} could be used; the reasons stand above")
    if total and not ticks:
        say(
            "nobody is in a segment or audience yet: these begin at the first look at all customers, and no "
            "multiple of --sweep-interval lies between these events; a shorter one, such as 5m, may help"
        )
    say(f"{counted(total, 'event')} in {seconds:.1f} s: {total / max(seconds, 1e-9):,.0f} events/s")


def _say_reasons(counts: Counter[str]) -> None:
    """Say how many dead letters there were of each reason, and what it means."""
    from streams.codec.reason_codes import ReasonCode

    meanings = {str(code): code.meaning.rstrip(".") for code in ReasonCode}
    for reason, count in counts.most_common():
        say(f"dead letters, {reason}: {count:,} ({meanings.get(reason, '')})")


def _print(report: Report) -> None:
    from streams.codec.rfc3339 import rfc3339

    print_pairs(
        {
            "from": rfc3339(report.first_event_ms) if report.first_event_ms else "no event",
            "to": rfc3339(report.last_event_ms) if report.last_event_ms else "no event",
            **{f"events: {topic}": count for topic, count in report.records.items() if count},
            "dead letters": report.dead_letters,
            "duplicates": report.duplicates,
            "customers": report.customers,
            **{name.replace("_", " "): value for name, value in report.totals.items()},
            "entered a segment": report.changes["entered"],
            "left a segment": report.changes["left"],
            **{f"changes by {cause}": count for cause, count in sorted(report.causes.items())},
            "model version": report.model_version,
        }
    )
    customers = max(report.customers, 1)
    print_table(
        "Behaviour segments at the end",
        ("id", "segment", ">customers", ">share"),
        [
            (row["id"] or "none", row["name"], row["size"], f"{row['size'] / customers:.1%}")
            for row in report.segments
        ],
    )

"""`produce` and `simulate`: recorded and simulated events onto the input topics."""

# ruff: noqa: PLC0415 - a command imports what it needs when it runs, so that --help answers at once

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.cli.command import Command
from streams.cli.options import Moment, Positive, file_arguments, json_option
from streams.cli.output import print_json, print_pairs, progress, say
from streams.errors import UsageError
from streams.words import counted

if TYPE_CHECKING:
    from streams.settings import Settings
    from streams.shop.pace import Pace
    from streams.shop.record import ReadReport, ShopRecord

DAY_MS = 86_400_000
LIVE_RATE = 20.0
"""Events a second of the simulated shop when it runs live and nothing else is said."""


@click.command(
    cls=Command,
    short_help="Publish recorded events to the input topics.",
    example="live-segments produce orders.csv.gz --format online-retail --speed 3600",
)
@file_arguments
@click.option("--speed", type=Positive(), help="So many times as fast as it happened; 1 = as it happened.")
@click.option("--rate", type=Positive(), help="At most so many records a second.")
@json_option
def produce(
    files: tuple[Path, ...], format_name: str, speed: float | None, rate: float | None, as_json: bool
) -> None:
    """Publish recorded events to the input topics, in event-time order, as fast as the broker takes them.

    Formats: `events` (our own schema as NDJSON or Parquet), `online-retail`, `taobao`, `retailrocket`. Rows
    that make no record are skipped and counted by reason; broken lines of `events` are sent as they are, as a
    shop may send them, and counted too.
    """
    from streams.settings import load_settings
    from streams.shop.formats import read_records
    from streams.shop.pace import Pace
    from streams.shop.record import ReadReport

    settings = load_settings()
    _need_broker(settings)
    read = ReadReport()
    with progress("producing") as bar:
        read.progress = bar.bytes
        records = read_records(files, format_name, read)
        first = list(
            itertools.islice(records, 1)
        )  # a file of another format is refused before anything is sent
        _send(
            settings, bar.counted(itertools.chain(first, records)), Pace(rate, speed), read, as_json=as_json
        )


@click.command(
    cls=Command,
    short_help="Run the simulated shop against any broker.",
    example="live-segments simulate --days 75 --customers 600 --events 20000",
)
@click.option(
    "--customers", type=click.IntRange(1), default=600, show_default=True, help="How many there are."
)
@click.option("--events", type=click.IntRange(1), help="Stop after so many.  [default: none, or the span's]")
@click.option(
    "--rate",
    type=Positive(),
    help=f"Events a second; live they take some minutes to get there.  [default: {LIVE_RATE:g}; "
    "with a span: no limit]",
)
@click.option("--seed", type=click.IntRange(0), help="Same seed, same shop.  [default: LIVE_SEGMENTS_SEED]")
@click.option("--start", type=Moment(), help="A recorded span from here …")
@click.option("--end", type=Moment(), help="… to here, instead of live events.  [default: now]")
@click.option("--days", type=Positive(), help="A recorded span of so many days before --end.")
@json_option
def simulate(
    customers: int,
    events: int | None,
    rate: float | None,
    seed: int | None,
    start: int | None,
    end: int | None,
    days: float | None,
    as_json: bool,
) -> None:
    """Run the simulated shop against any broker, live until Ctrl-C, or over a span of time.

    Its orders are real ones (Online Retail, UCI, CC BY 4.0), the visits around them are generated; prices are
    in GBP, so workers need LIVE_SEGMENTS_CURRENCY=GBP or a rate for it. With --start, --end or --days it
    writes what happened in that span, as fast as the broker takes it.
    """
    from streams.clock import SystemClock
    from streams.settings import load_settings
    from streams.shop.online_retail import CURRENCY
    from streams.shop.pace import Pace

    settings = load_settings()
    _need_broker(settings)
    if settings.currency != CURRENCY and CURRENCY not in settings.currency_rates:
        say(
            f"note: prices are in {CURRENCY}; workers with these settings put all purchases into dead-letters"
        )
    now_ms = SystemClock().now_ms()
    seed = settings.seed if seed is None else seed
    span = _span(start, end, days, now_ms)
    records: Iterable[ShopRecord]
    if span is None:
        from streams.shop.simulation import live_shop

        pace = Pace(speed=1.0)
        records = itertools.islice(live_shop(customers, seed, rate or LIVE_RATE, now_ms), events)
    else:
        from streams.shop.simulation import simulate as simulated

        pace = Pace(rate)
        records = simulated(events, customers, seed, *span)
    with progress("simulating", total=events) as bar:
        _send(settings, bar.counted(records), pace, None, as_json=as_json)


def _span(start: int | None, end: int | None, days: float | None, now_ms: int) -> tuple[int, int] | None:
    """Return the span to write, None for live."""
    if start is None and end is None and days is None:
        return None
    if start is not None and days is not None:
        raise UsageError("--start and --days exclude each other; give one of them")
    if start is None and days is None:
        raise UsageError("--end needs --start or --days")
    end = now_ms if end is None else end
    return (end - round((days or 0) * DAY_MS) if start is None else start), end


def _need_broker(settings: Settings) -> None:
    if settings.kafka_bootstrap is None:
        raise UsageError("KAFKA_BOOTSTRAP is not set; name the brokers as HOST:PORT")


def _send(
    settings: Settings, records: Iterable[ShopRecord], pace: Pace, read: ReadReport | None, *, as_json: bool
) -> None:
    """Publish and report."""
    from streams.clock import SystemClock
    from streams.produce import Publisher, publish

    publisher = Publisher(settings, SystemClock())
    try:
        published = publish(records, publisher, pace)
    except KeyboardInterrupt:
        say(f"stopped; {counted(publisher.published.total, 'record')} sent")
        raise
    rate = published.total / max(published.seconds, 1e-9)
    if as_json:
        answer: dict[str, Any] = {"sent": published.sent, "seconds": round(published.seconds, 3)}
        answer["records_per_second"] = round(rate)
        print_json(answer | (read.as_dict() if read is not None else {}))
    else:
        print_pairs({f"sent to {topic}": count for topic, count in published.sent.items() if count})
        print(f"{counted(published.total, 'record')} in {published.seconds:.1f} s: {rate:,.0f} records/s")
        for line in read.lines() if read is not None else ():
            print(line)
    if read is not None:
        read.check_whole()

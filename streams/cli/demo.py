"""`demo`: everything on this machine, to look at."""

# ruff: noqa: PLC0415 - a command imports what it needs when it runs, so that --help answers at once

from __future__ import annotations

import signal
from types import FrameType
from typing import Literal

import click

from streams.cli.command import Command
from streams.cli.options import json_option
from streams.cli.output import print_json


@click.command(
    cls=Command,
    short_help="Show it all on this machine: shop, worker, changes.",
    example="live-segments demo --events 20000",
)
@click.option("--events", type=click.IntRange(1), help="End after so many.  [default: run until Ctrl-C]")
@click.option("--customers", type=click.IntRange(1), help="Customers of the shop.  [default: events / 33]")
@click.option("--seed", type=click.IntRange(0), help="Same seed, same shop.  [default: LIVE_SEGMENTS_SEED]")
@click.option("--no-web", "web", flag_value=False, default=True, help="Do not tell of the worker's page.")
@click.option(
    "--broker",
    type=click.Choice(("auto", "kafka", "embedded")),
    default="embedded",
    show_default=True,
    help="embedded: in this process; kafka: a real one, needs Java and Maven; auto: the best there is.",
)
@json_option
def demo(
    events: int | None,
    customers: int | None,
    seed: int | None,
    web: bool,
    broker: Literal["auto", "kafka", "embedded"],
    as_json: bool,
) -> None:
    """Start a broker, a simulated shop and a worker, and print changes of segment as they come.

    75 days of the shop pass in seconds. Without --events it then goes on live until Ctrl-C. Nothing that it
    starts is left when it ends.
    """
    from streams.clock import SystemClock
    from streams.demo import Demo, Plan
    from streams.demo.screen import Screen
    from streams.segments_file import read_definitions, segments_file
    from streams.settings import load_settings

    settings = load_settings()
    read_definitions(segments_file(settings))  # what is wrong with it is said before anything is started
    signal.signal(signal.SIGTERM, _interrupt)
    screen = Screen(quiet=as_json)
    plan = Plan(events, customers, seed, web, broker)
    running = Demo(plan, settings, SystemClock(), screen)
    try:
        running.run()
    finally:
        if sum(running.summary.events):
            screen.summarise(running.summary)
            if as_json:
                print_json(running.summary.as_dict())


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End as with Ctrl-C."""
    raise KeyboardInterrupt

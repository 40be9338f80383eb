"""`topics`: make the topics, or say how they differ from what is declared."""

# ruff: noqa: PLC0415 - a command imports what it needs when it runs, so that --help answers at once

from __future__ import annotations

import click

from streams.cli.command import Group
from streams.cli.options import json_option
from streams.cli.output import print_json
from streams.errors import ExitCode
from streams.words import counted


@click.group(cls=Group, example="KAFKA_BOOTSTRAP=localhost:9092 live-segments topics create")
def topics() -> None:
    """Create the topics, or check them."""


@topics.command(
    short_help="Create the topics that are missing.",
    example="LIVE_SEGMENTS_REPLICATION_FACTOR=3 live-segments topics create",
)
@json_option
def create(as_json: bool) -> int:
    """Create the topics that are missing; those that are there stay: exit code 1 says that they differ."""
    from streams.settings import load_settings
    from streams.topics import TOPICS, check_topics, create_topics

    settings = load_settings()
    created = create_topics(settings)
    differences = check_topics(settings) if len(created) < len(TOPICS) else []
    if as_json:
        present = len(TOPICS) - len(created)
        print_json({"created": created, "present": present, "differences": differences})
    else:
        for name in created:
            print(f"created {name}")
        print(f"{counted(len(created), 'topic')} created, {len(TOPICS) - len(created)} there before")
        for line in differences:
            print(line)
    return ExitCode.NO if differences else ExitCode.DONE


@topics.command(short_help="Name each difference from the declaration.", example="live-segments topics check")
@json_option
def check(as_json: bool) -> int:
    """Name each difference between the topics and their declaration; exit code 1 when there is one."""
    from streams.settings import load_settings
    from streams.topics import TOPICS, check_topics

    differences = check_topics(load_settings())
    if as_json:
        print_json({"differences": differences})
    else:
        for line in differences:
            print(line)
        print(
            counted(len(differences), "difference")
            if differences
            else f"all {len(TOPICS)} topics are as declared"
        )
    return ExitCode.NO if differences else ExitCode.DONE

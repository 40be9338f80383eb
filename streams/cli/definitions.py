"""`definitions`: check the file that declares the audiences, see what it would do, put it in force."""

# ruff: noqa: PLC0415 - a command imports what it needs when it runs, so that --help answers at once

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.cli.command import Group
from streams.cli.options import json_option
from streams.cli.output import print_json, say, wrapped
from streams.errors import ExitCode
from streams.words import counted

if TYPE_CHECKING:
    from models.audiences import Definition, Definitions, Problem
    from streams.activating import Difference

NEARLY_FULL = 28
"""Places taken from which on people are told how many are left."""
_file = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.group(
    cls=Group,
    short_help="Check, preview and activate the declared audiences.",
    example="live-segments definitions check segments.toml",
)
def definitions() -> None:
    """Check, preview and activate the declared audiences.

    A file comes in force with `activate`. Workers follow what is in force, whatever their own files say;
    these count at the first start only.
    """


@definitions.command(
    short_help="Name everything that is wrong with a file.",
    example="live-segments definitions check segments.toml",
)
@_file
@json_option
def check(file: Path, as_json: bool) -> int:
    """Name everything that is wrong with a file, as FILE:LINE: …; exit code 1 when there is anything."""
    from streams.segments_file import problems_of, read_definitions, said

    problems = problems_of(file) or _nothing_in(read_definitions(file))
    count = 0 if problems else len(read_definitions(file).audiences)
    _warn_of_room(count)
    if as_json:
        print_json({"file": str(file), "audiences": count, "problems": [asdict(p) for p in problems]})
    else:
        for problem in problems:
            print(said(file, problem))
        print(
            counted(len(problems), "problem")
            if problems
            else f"{counted(count, 'audience')}, nothing is wrong"
        )
    return ExitCode.NO if problems else ExitCode.DONE


@definitions.command(
    short_help="Say what a file would do.",
    example="live-segments definitions preview segments.toml --profiles profiles.parquet",
)
@_file
@click.option(
    "--profiles",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A Parquet file of `profiles export`.  [default: the deployment's customers]",
)
@click.option("--all", "everything", is_flag=True, help="Also the audiences that stay as they are.")
@json_option
def preview(file: Path, profiles: Path | None, everything: bool, as_json: bool) -> None:
    """Say what a file would do: size, share, some customers and overlaps, and how many would change.

    On a deployment customers are decided as the workers would at once, minimum stays and cooldowns included;
    a file of profiles does not say since when somebody is in an audience.
    """
    from streams.activating import difference, following, in_force
    from streams.cli.previewing import print_preview
    from streams.segments_file import read_definitions

    changes: Difference | None = None
    parsed = read_definitions(file)
    if profiles is not None:
        from streams.preview_file import preview_file

        found = preview_file(profiles, parsed)
    else:
        from streams.clock import SystemClock
        from streams.preview import preview_live
        from streams.reader import Reader
        from streams.settings import load_settings

        settings = load_settings()
        with Reader(settings) as reader:
            previous = in_force(reader)
            made = following(previous, parsed) or previous or parsed
            found = preview_live(settings, reader, SystemClock(), previous, made)
            changes = difference(previous, made)
        _warn_of_room(len(made.slots) + len(made.retired))
    if as_json:
        print_json(asdict(found) | {"difference": None if changes is None else asdict(changes)})
    else:
        print_preview(found, changes, everything=everything)


def _nothing_in(parsed: Definitions) -> list[Problem]:
    """Return what is wrong with a file that would end every audience: it was hardly meant."""
    from models.audiences import Problem

    if parsed.audiences:
        return []
    return [Problem(0, "", "there is no [[audience]] in it: it would end all that are in force; name one")]


def _warn_of_room(taken: int) -> None:
    """Say on stderr how many new audiences can still come, when these are few.

    Args:
        taken: audiences of the file or, of a deployment, all that there have ever been.
    """
    from models.profiles.layout import AUDIENCES

    if taken >= NEARLY_FULL:
        say(
            f"{taken} of {AUDIENCES} places are taken, and none is ever given to another id, also when its "
            f"audience is removed: {counted(AUDIENCES - taken, 'new audience')} can still come; to go on "
            "after that, give a new one the id of one that is removed"
        )


@definitions.command(example="live-segments definitions activate segments.toml")
@_file
@json_option
def activate(file: Path, as_json: bool) -> None:
    """Put a file in force and wait until it is.

    Customers whose audiences differ by it change once, with cause `definition`; a file that says the same as
    what is in force changes nothing.
    """
    from streams.activating import activate as put_in_force
    from streams.errors import InputFileError
    from streams.reader import Reader
    from streams.segments_file import read_definitions, said
    from streams.settings import load_settings

    parsed = read_definitions(file)
    for problem in _nothing_in(parsed):
        raise InputFileError(said(file, problem))
    settings = load_settings()
    with Reader(settings) as reader:
        done = put_in_force(settings, reader, parsed)
    if as_json:
        answer = {"activated": done is not None}
        print_json(answer if done is None else answer | {"version": done[0].version} | asdict(done[1]))
    elif done is None:
        print("nothing to do: the definitions in force say the same")
    else:
        made, changes = done
        _warn_of_room(len(made.slots) + len(made.retired))
        print(f"version {made.version} is in force: {counted(len(made.audiences), 'audience')}")
        for line in difference_lines(changes):
            print(line)
        say(f"customers change at the next sweep, within {settings.sweep_interval_s} s")


def difference_lines(changes: Difference) -> Iterator[str]:
    """Yield what a version changes as lines for people."""
    for what, names in asdict(changes).items():
        if names:
            yield f"{what}: {', '.join(names)}"


@definitions.command(example="live-segments definitions show --json")
@json_option
def show(as_json: bool) -> int:
    """Print the definitions in force; exit code 1 when there are none."""
    import json

    from streams.activating import in_force
    from streams.reader import Reader
    from streams.settings import load_settings

    with Reader(load_settings()) as reader:
        found = in_force(reader)
    if as_json:
        print_json(None if found is None else json.loads(found.to_bytes()))
    elif found is None:
        print("no definitions are in force: the first worker to start takes them from its file")
    else:
        _print_definitions(found)
    return ExitCode.NO if found is None else ExitCode.DONE


def _print_definitions(found: Definitions) -> None:
    print(f"version {found.version}: {counted(len(found.audiences), 'audience')}")
    for definition in found.audiences:
        print(f"\n{definition.name} ({definition.id})")
        for line in definition_lines(definition):
            print(line)


def definition_lines(definition: Definition) -> Iterator[str]:
    """Yield what an audience is, in lines that fit the terminal."""
    from streams.defining import duration

    if definition.description:
        yield wrapped(definition.description, hang=0)
    if definition.use:
        yield wrapped(f"use    {definition.use}", hang=7)
    yield wrapped(f"enter  {definition.enter}", hang=7)
    yield wrapped(f"leave  {definition.leave or 'when enter no longer holds'}", hang=7)
    stays = [("min_stay", definition.min_stay_s), ("cooldown", definition.cooldown_s)]
    if any(seconds for _, seconds in stays):
        yield f"  {', '.join(f'{what} {duration(seconds)}' for what, seconds in stays if seconds)}"

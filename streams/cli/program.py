"""The program `live-segments`: all commands, and what becomes of their errors."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence

import click

from streams.cli.definitions import definitions
from streams.cli.demo import demo
from streams.cli.feed import produce, simulate
from streams.cli.people import explain, segments, tail
from streams.cli.profiles import profiles
from streams.cli.replay import replay
from streams.cli.tables import features, settings
from streams.cli.topics import topics
from streams.cli.worker import worker
from streams.errors import ExitCode, LiveSegmentsError

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""One thread each unless set: the arrays are small, and a pool of threads per worker only gets in the way."""
_COMMANDS: tuple[click.Command, ...] = (
    demo,
    worker,
    topics,
    produce,
    simulate,
    replay,
    segments,
    explain,
    tail,
    definitions,
    profiles,
    settings,
    features,
)


class _Program(click.Group):
    """A group that lists its commands in the order of `_COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [command.name or "" for command in _COMMANDS]


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="live-segments", message="%(prog)s %(version)s")
def program(debug: bool) -> None:
    """Keep every customer of a shop in the right segment, live.

    Clicks, product views and purchases come in on Kafka topics; one record for each change of segment goes
    out, with the reason. Start with `live-segments demo`.

    Settings are environment variables: `live-segments settings` lists them.

    Exit codes: 0 done, 1 the answer is no, 2 wrong usage, 3 broker unreachable, 4 bad input file,
    5 refused because it would do harm, 6 an invariant is broken, 130 stopped by the user.
    """
    del debug  # read by main, whatever goes wrong


for _command in _COMMANDS:
    program.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code; errors are one line on stderr."""
    for name in THREADS:
        os.environ.setdefault(name, "1")
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = given[:1] == ["--debug"]
    try:
        code = _invoke(given)
        sys.stdout.flush()
    except BrokenPipeError:
        _leave_pipe()
        code = int(ExitCode.DONE)  # who read our output had enough of it
    except KeyboardInterrupt:
        code = int(ExitCode.STOPPED)
    except click.ClickException as error:
        code = _complain(error)
    except LiveSegmentsError as error:
        code = _say(str(error), int(error.exit_code), debug=debug)
    except Exception as error:  # noqa: BLE001 - whatever it is, a user gets one line
        hint = "" if debug else "; `live-segments --debug …` shows where"
        text = " ".join(str(error).split())
        code = _say(f"unexpected {type(error).__name__}: {text}{hint}", int(ExitCode.NO), debug=debug)
    return code


def _invoke(arguments: list[str]) -> int:
    """Run a command; one that returns nothing is done."""
    try:
        with program.make_context("live-segments", arguments) as context:
            code = program.invoke(context)
    except click.exceptions.Exit as end:
        return int(end.exit_code)
    except click.Abort:
        return int(ExitCode.STOPPED)
    return int(code or ExitCode.DONE)


def _complain(error: click.ClickException) -> int:
    """Print a complaint of click's in our form."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return int(ExitCode.USAGE)
    text = " ".join(error.format_message().split())
    context = getattr(error, "ctx", None)
    if context is not None:
        text = f"{text.rstrip('.')} (see {context.command_path} --help)"
    return _say(text, int(ExitCode.USAGE), debug=False)


def _say(text: str, code: int, *, debug: bool) -> int:
    with contextlib.suppress(BrokenPipeError):
        if debug:
            traceback.print_exc()
        click.echo(f"error: {text}", err=True)
    return code


def _leave_pipe() -> None:
    """Send what is still buffered nowhere, or the interpreter complains at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):
        os.dup2(nowhere, sys.stdout.fileno())

"""The benchmarks: `python -m tests.bench [COMMAND] [OPTIONS]`; `compare` when none is named.

Each command writes its block of BENCHMARKS.md and appends to a CSV beside this file; `--dry` only prints.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from tests.bench.arena import add_arguments
from tests.bench.common import end_on_sigterm
from tests.bench.report import Report

COMMANDS = {
    "compare": "all candidates side by side: CPU per event, events/s, memory",
    "latency": "from produce to a visible change, at steady rates",
    "idle": "CPU of a worker with nothing to do, and at 100 events/s",
    "scaling": "one and two workers",
    "growth": "ever more customers",
    "restore": "restore of 1 M customers",
    "sweep": "sweeps over 1 M customers",
    "size": "bytes per customer in memory and in the changelog",
    "smoke": "all of the above, tiny, to see that they work",
}


def main(arguments: Sequence[str]) -> None:
    """Run a command."""
    given = list(arguments)
    if not given or given[0] not in {*COMMANDS, "-h", "--help"}:
        given.insert(0, "compare")
    parser = argparse.ArgumentParser(
        prog="tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in COMMANDS.items():
        command = commands.add_parser(name, help=what, description=what)
        command.add_argument("--dry", action="store_true", help="print only")
        add_arguments(command)
        import_module(f"tests.bench.{name}").add_arguments(command)
    options = parser.parse_args(given)
    end_on_sigterm()
    report = Report(options.command, arguments, keep=not options.dry)
    import_module(f"tests.bench.{options.command}").run(options, report)


if __name__ == "__main__":
    main(sys.argv[1:])

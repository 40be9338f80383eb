"""Kill, freeze and cut workers and brokers under load, then count: `make chaos ROUNDS=3` runs this."""

# ruff: noqa: T201 - a command prints

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from streams.clock import SystemClock
from streams.errors import ExitCode
from tests.chaos import report
from tests.chaos.actions import ACTIONS
from tests.chaos.run import Outcome, Parameters, discard, run


def parse(arguments: list[str]) -> tuple[Parameters, argparse.Namespace]:
    """Return what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="actions, one a round (default 10)")
    parser.add_argument("--seed", type=int, default=1, help="of actions and content (default 1)")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=3)
    parser.add_argument("--workers", type=int, default=3, help="least number of workers (default 3)")
    parser.add_argument("--partitions", type=int, default=6)
    parser.add_argument("--rate", type=float, default=1800, help="records a second (default 1800)")
    parser.add_argument("--customers", type=int, default=2000, help="at the same time (default 2000)")
    parser.add_argument("--turnover", type=float, default=12, help="new customers a second (default 12)")
    parser.add_argument("--round-seconds", type=float, default=16, help="least length (default 16)")
    parser.add_argument("--actions", default="", help=f"only these, with commas: {', '.join(ACTIONS)}")
    parser.add_argument("--results", type=Path, help="write the results to this Markdown file too")
    parser.add_argument("--folder", type=Path, help="keep everything here instead of in a temporary folder")
    options = parser.parse_args(arguments)
    actions = tuple(name for name in options.actions.split(",") if name)
    if unknown := set(actions) - ACTIONS.keys():
        parser.error(f"unknown actions: {', '.join(sorted(unknown))}")
    asked = Parameters(
        options.rounds,
        options.seed,
        options.brokers,
        options.workers,
        options.partitions,
        options.rate,
        options.customers,
        options.turnover,
        options.round_seconds,
        actions,
    )
    return asked, options


def main(arguments: list[str]) -> int:
    """Run, print, write; return 0 when all is exact."""
    asked, options = parse(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder: Path = (options.folder or Path(tempfile.mkdtemp(prefix="live-segments-chaos-"))).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    outcome = Outcome()
    try:
        outcome = run(asked, folder)
        print("\n" + report.table(outcome.findings))
        print(report.faults(outcome))
        if options.results is not None:
            text = report.document(asked, outcome, SystemClock().now_ms())
            options.results.write_text(text, encoding="utf-8")
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return int(ExitCode.STOPPED)
    finally:
        if outcome.ok and options.folder is None:
            discard(folder)
        else:
            print(f"logs and data: {folder}", file=sys.stderr)
    print("exact" if outcome.ok else "NOT EXACT")
    return int(not outcome.ok)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

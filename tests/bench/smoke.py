"""Every command once, tiny: none of them can rot. Says nothing about speed."""

from __future__ import annotations

import argparse
import time

from tests.bench.arena import arena
from tests.bench.common import out
from tests.bench.report import Report

TINY = {
    "compare": "--events 3000 --customers 500 --k 1 --warm-share 0 --span 300 --limit 300"
    " --only live-segments aiokafka-floor faust quixstreams kafka-streams-tuned",
    "latency": "--rates 500 --seconds 2 --settle 0.2 --calm 0 --warm-up 0 --k 1 --events 2000"
    " --customers 200",
    "idle": "--seconds 1 --calm 0 --k 1 --events 2000 --customers 200",
    "scaling": "--events 3000 --customers 200 --counts 2 --k 1 --warm-share 0",
    "growth": "--sizes 200 --events 3000 --warm-share 0",
    "restore": "--customers 2000 --shop 50 --k 1",
    "sweep": "--customers 2000 --shop 40 --k 1",
    "size": "--customers 20000 --shop 50 --events 3000 --among 200",
}
"""The options of each command."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--only", nargs="*", choices=list(TINY), help="leave out the others")


def run(options: argparse.Namespace, report: Report) -> None:  # noqa: ARG001 - as every command; nothing is kept
    """Run the commands; the first that fails ends it."""
    from tests.bench.__main__ import main  # noqa: PLC0415 - which imports this file

    chosen, options.partitions = options.only or list(TINY), 2
    with arena(options) as place:
        for name in chosen:
            began = time.monotonic()
            out(f"== {name} {TINY[name]}")
            shared = ["--bootstrap", place.bootstrap, "--folder", str(place.folder), "--partitions", "2"]
            main([name, "--dry", *shared, *TINY[name].split()])
            out(f"== {name}: {time.monotonic() - began:.1f} s\n")
    out(f"{len(chosen)} passed, 0 failed")

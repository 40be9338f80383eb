"""The product's worker with the counting engine: settings as JSON in the first line on stdin.

NO_CHANGES=1 leaves the changes out, UNCHECKED=1 the comparison of counts
and positions; WORKER is the name that its changes bear.
"""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec

from streams import worker
from streams.app import Parts
from streams.clock import SystemClock
from streams.settings import Settings
from streams.supervisor import Supervisor
from streams.transport.failstop import exit_code, one_line
from tests.kafka.counting import CountingEngine, CountingMerger
from tests.kafka.trap import arm

COMMAND = (sys.executable, "-m", "tests.kafka.counting_worker")
PROCESS = "counting in process "
"""Goes before the process id in the log."""


def make_parts(settings: Settings, transactions: bool) -> Parts:
    """Return the counting insides."""
    del settings
    worker.log.info("%s%d", PROCESS, os.getpid())
    engine = CountingEngine(
        changes=os.environ.get("NO_CHANGES") != "1",
        checked=transactions and os.environ.get("UNCHECKED") != "1",
        name=os.environ.get("WORKER", ""),
    )
    return Parts(engine=engine, merger=CountingMerger(), transactions=transactions)


def read_settings() -> Settings:
    """Return the settings unchecked: some tests go below what is allowed."""
    settings = Settings(**msgspec.json.decode(sys.stdin.buffer.readline()))
    worker._configure_logs(settings)
    return settings


def main() -> int:
    """Run the supervised child, as the product's own does."""
    arm()
    settings = read_settings()
    try:
        return asyncio.run(worker.serve(settings, SystemClock(), make_parts, sys.stdin.buffer))
    except Exception as error:  # noqa: BLE001 - an operator gets one line, whatever it is
        worker.log.critical("%s", one_line(error))
        return exit_code(error)


def supervise() -> int:
    """Run a supervisor of counting workers."""
    return Supervisor(read_settings(), COMMAND).run()


if __name__ == "__main__":
    sys.exit(main())

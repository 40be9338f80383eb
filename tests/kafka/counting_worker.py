"""A worker with the counting engine: `python -m tests.kafka.counting_worker`, settings as JSON on stdin."""

from __future__ import annotations

import os
import sys

import msgspec

from streams.app import Parts
from streams.settings import Settings
from streams.worker import run_worker
from tests.kafka.counting import CountingEngine, CountingMerger


def make_parts(settings: Settings, transactions: bool) -> Parts:
    """Return the counting insides; NO_CHANGES=1 leaves the outputs out."""
    del settings
    engine = CountingEngine(changes=os.environ.get("NO_CHANGES") != "1", checked=transactions)
    return Parts(engine=engine, merger=CountingMerger(), transactions=transactions)


if __name__ == "__main__":
    chosen = msgspec.json.decode(sys.stdin.buffer.readline(), type=Settings)
    sys.exit(run_worker(chosen, supervise=False, make_parts=make_parts))

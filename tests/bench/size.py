"""What a customer costs: bytes in memory (row, key, index), and in the changelog on disk per changed row."""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import subprocess
import sys
from collections import Counter

from models.profiles import COLD_BYTES, HOT_BYTES, ROW_BYTES
from streams.clock import SystemClock
from streams.codec.profile_rows import COLD_PREFIX, HOT_PREFIX
from streams.outbox import CHANGELOG
from streams.settings import Settings
from streams.wiring import make_engine
from tests.bench.arena import arena, records
from tests.bench.common import out, own_rss_mb
from tests.bench.deployed import wait_until_done, workers
from tests.bench.events import fill
from tests.bench.peers.candidate import ROOT
from tests.bench.report import Figure, Report, Spread
from tests.bench.restore import commits, shop

APP = "size"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--customers", type=int, default=1_000_000, help="in memory")
    parser.add_argument("--shop", type=int, default=2_000, help="different customers among them")
    parser.add_argument("--events", type=int, default=600_000, help="that change rows on disk")
    parser.add_argument("--among", type=int, default=50_000, help="customers of these events")
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)


def run(options: argparse.Namespace, report: Report) -> None:
    """Measure and write the table."""
    command = [sys.executable, "-m", "tests.bench.size", str(options.customers), str(options.shop)]
    told = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    in_memory = float(told.split()[-1])
    out(f"{in_memory:,.0f} bytes in memory per customer")
    rows, size = on_disk(options)
    changed = rows["hot"] + rows["cold"]
    out(f"{rows}, {size:,} bytes on disk")
    report.figures(
        [
            Figure("memory per customer: row, key, index", "bytes", Spread([in_memory])),
            Figure("of it the row", "bytes", Spread([float(ROW_BYTES)])),
            Figure(
                "changelog on disk per row that changed (a hot or a cold block)",
                "bytes",
                Spread([size / changed]),
            ),
            Figure("before compression: hot block", "bytes", Spread([float(HOT_BYTES)])),
            Figure("before compression: cold block", "bytes", Spread([float(COLD_BYTES)])),
            Figure("changelog on disk per event", "bytes", Spread([size / options.events])),
            Figure("hot blocks per event", "", Spread([rows["hot"] / options.events]), ".2f"),
            Figure("cold blocks per event", "", Spread([rows["cold"] / options.events]), ".2f"),
        ],
        f"Memory: {options.customers:,} customers restored. Disk: {options.events:,} events of "
        f"{options.among:,} customers caught up with at full speed, an uncompacted changelog.",
    )


def on_disk(options: argparse.Namespace) -> tuple[Counter[str], int]:
    """Return the records of a changelog that was never compacted, by kind, and its bytes on disk."""
    with arena(options) as place:
        place.drop([CHANGELOG])
        place.create([CHANGELOG])  # keeps all that is written
        fill(place.settings(APP), options.events, options.among, options.seed)
        with workers(place, APP):
            wait_until_done(place, APP, options.events, 300)
        kinds = {HOT_PREFIX: "hot", COLD_PREFIX: "cold"}
        keys = (key or b"" for key, _ in records(place.bootstrap, CHANGELOG, options.partitions))
        return Counter(kinds.get(key[:1], "other") for key in keys), place.size(CHANGELOG)


def in_memory(customers: int, different: int) -> float:
    """Return the resident bytes that each customer adds to a process."""
    settings = Settings(partitions=8, currency="GBP")
    whole, end_ms = shop(settings, different)
    rows = [[r for r in whole.take(p, end_ms).records if r.topic == CHANGELOG] for p in whole.parts]
    engine = make_engine(settings, SystemClock())
    before = _resident()
    for number, theirs in enumerate(rows):
        engine.open(number)
        for batch in commits(theirs, customers // len(rows)):
            engine.restore(number, [row.key or b"" for row in batch], [row.value for row in batch])
        engine.restored(number)
    return (_resident() - before) * 2**20 / customers


def _resident() -> float:
    """Return the process's memory without what is free and was not given back, in MB."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return own_rss_mb(os.getpid())


if __name__ == "__main__":
    out(f"{in_memory(int(sys.argv[1]), int(sys.argv[2])):.1f}")

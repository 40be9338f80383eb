"""The product's own worker as a process, with records to feed it and its topics read back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from streams.clock import SystemClock
from streams.produce import Publisher, publish
from streams.reader import Reader
from streams.replay.run import totals
from streams.settings import SETTINGS, Settings
from streams.shop.pace import Pace
from streams.shop.record import ShopRecord
from streams.snapshot import partitions
from tests.kafka.workers import ROOT, committed, group_admin, read, until

PROGRAM = str(Path(sys.executable).with_name("live-segments"))


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the variables that make these settings, with nothing else of ours set."""
    ours = ("LIVE_SEGMENTS_", "KAFKA_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    for row in SETTINGS:
        value = getattr(settings, row.name)
        if value != row.default:
            environment[row.env] = str(value)
    return environment


@contextmanager
def worker(settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the product's worker until the block ends."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "streams.worker"],
            cwd=log.parent,  # Faust makes a folder there
            env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
        )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(settings) + b"\n")
    process.stdin.flush()
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()


def feed(settings: Settings, records: Iterable[ShopRecord]) -> int:
    """Publish records and return their number."""
    publisher = Publisher(settings, SystemClock())
    publish(records, publisher, Pace())
    return publisher.flush().total


def wait_for(settings: Settings, count: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the group has committed that many records of the event topics."""
    admin = group_admin(settings)

    def done() -> bool:
        assert process.poll() is None, (
            f"the worker ended with {process.returncode}: {log.read_text()[-2000:]}"
        )
        return committed(settings, admin) >= count

    until(done, f"{count} records", 100)


def profile_totals(settings: Settings) -> dict[str, float]:
    """Return sums over all customers as of the last commits, from the changelog."""
    sums: Counter[str] = Counter()
    with Reader(settings) as reader:
        for engine in partitions(settings, reader, SystemClock()):
            sums.update(totals(engine))
            sums["customers"] += sum(engine.customers(number) for number in engine.parts)
    return dict(sums)


def changes(settings: Settings) -> list[dict[str, Any]]:
    """Return the change records that a subscriber sees."""
    return [json.loads(value) for _, _, value in read(settings, "segment-changes")]


def assert_sequences(found: Iterable[dict[str, Any]]) -> None:
    """Check that every customer's sequence numbers grow by one, and that no message id comes twice."""
    last: dict[str, int] = {}
    ids = set()
    for change in found:
        customer, sequence = change["userId"], change["properties"]["sequence"]
        assert sequence == last.get(customer, 0) + 1, (
            f"{customer}: {sequence} follows {last.get(customer, 0)}"
        )
        last[customer] = sequence
        assert change["messageId"] not in ids
        ids.add(change["messageId"])


__all__ = [
    "PROGRAM",
    "assert_sequences",
    "changes",
    "environment_of",
    "feed",
    "profile_totals",
    "wait_for",
    "worker",
]

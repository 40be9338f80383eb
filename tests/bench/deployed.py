"""A worker of the product on a broker of the benchmark's, and the events it is fed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from streams.records import INPUT_TOPICS
from tests.bench.arena import Arena, Offsets
from tests.bench.common import Worker, until
from tests.bench.peers.candidate import ROOT

EVENT_TOPICS = tuple(topic for topic in INPUT_TOPICS if topic != "customers")
STOP_S = 30.0


@contextmanager
def workers(place: Arena, app_id: str, count: int = 1) -> Iterator[list[Worker]]:
    """Run workers of one deployment."""
    started: list[Worker] = []
    try:
        started.extend(Worker(place.environ(app_id)) for _ in range(count))
        yield started
    finally:
        for worker in started:
            worker.terminate()
        for worker in started:
            worker.stop()


def offsets(place: Arena, app_id: str) -> Offsets:
    """Return what tells how far a deployment is."""
    return Offsets(place.bootstrap, app_id, EVENT_TOPICS, place.partitions)


def wait_until_done(place: Arena, app_id: str, events: int, limit_s: float) -> float:
    """Wait until so many events are committed; return how long it took in seconds."""
    with offsets(place, app_id) as committed:
        return until(lambda: committed.committed() >= events, f"{events} events", limit_s)


@contextmanager
def feeder(
    place: Arena, rate: float, seconds: float, customers: int, seed: int
) -> Iterator[subprocess.Popen[str]]:
    """Feed events at a steady rate from a process of its own; it prints how many it has sent at the end."""
    # fmt: off
    command = [
        sys.executable, "-m", "tests.bench.feeder", "--bootstrap", place.bootstrap, "--rate", str(rate),
        "--seconds", str(seconds), "--customers", str(customers), "--partitions", str(place.partitions),
        "--seed", str(seed),
    ]
    # fmt: on
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(STOP_S)

"""Measure a worker's memory over many rebalances: `python -m tests.bench.rebalances --minutes 30`.

Worker A stays; every 20 s a worker B joins or leaves in good order, under steady events. Sampled is the
process of A that does the work. Memory goes up and down as half of the partitions go and come, so the
figure of a minute is the median over it, and minutes are compared that hold whole rounds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from streams.broker import start_broker
from streams.settings import load_settings
from streams.topics import create_topics
from tests.bench.common import Worker, end_on_sigterm, load_average, out, own_rss_mb, pss_mb, wait_until_done
from tests.bench.events import Feed, introduce
from tests.bench.progress import Group

EVERY_S = 20.0
SAMPLE_S = 0.5
ROUNDS_MINUTES = 2
"""The least time that holds whole rounds of joining and leaving: what is compared."""
HEADING = "minute   rss MB    least     most   pss MB  rebalances   load"
TARGET = 0.05
"""Most growth from minute 5 to the end."""


class Samples:
    """Memory of one process, by minute."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.rss_mb: dict[int, list[float]] = defaultdict(list)
        self.pss_mb: dict[int, list[float]] = defaultdict(list)

    def sample(self, minute: int) -> None:
        """Take a sample; end the benchmark when the process has ended: a new one's memory says nothing."""
        rss = own_rss_mb(self.pid)
        if not rss:
            sys.exit("the worker has ended meanwhile; see its lines (--logs)")
        self.rss_mb[minute].append(rss)
        self.pss_mb[minute].append(pss_mb(self.pid))

    def line(self, minute: int) -> str:
        """Return the figures of a minute."""
        rss, pss = self.rss_mb[minute], self.pss_mb[minute]
        return (
            f"{minute + 1:6} {statistics.median(rss):8.1f} {min(rss):8.1f} {max(rss):8.1f} "
            f"{statistics.median(pss):8.1f}"
        )

    def growth(self, first: int, last: int) -> float:
        """Return by which share memory grew from the minutes that end with `first` to those with `last`."""
        before, after = (
            statistics.median(
                value
                for minute in range(end - ROUNDS_MINUTES + 1, end + 1)
                for value in self.rss_mb.get(minute, [])
            )
            for end in (first, last)
        )
        return after / before - 1


class Visits:
    """Lets worker B come and go, and counts how often the group has really changed.

    Args:
        start: starts B.
        group: tells who owns partitions.
    """

    def __init__(self, start: Callable[[], Worker], group: Group) -> None:
        self._start = start
        self._group = group
        self._worker: Worker | None = None
        self._pending = False
        self._acted_s = time.monotonic()
        self.rebalances = 0

    def step(self) -> None:
        """Let B come or go, `EVERY_S` after it last did and not before the group has changed."""
        if self._pending and self._group.members() == (1 if self._worker is None else 2):
            self._pending = False
            self.rebalances += 1
        if self._pending or time.monotonic() - self._acted_s < EVERY_S:
            return
        self._acted_s, self._pending = time.monotonic(), True
        if self._worker is None:
            self._worker = self._start()
        else:
            self.end()

    def end(self) -> None:
        """Let B go if it is there."""
        if self._worker is not None:
            self._worker.stop()
            self._worker = None


def run(minutes: int, visits: Visits, samples: Samples) -> None:
    """Let B come and go until the time is over, and print a line a minute."""
    began_s = time.monotonic()
    minute = 0
    try:
        while minute < minutes:
            samples.sample(minute)
            visits.step()
            time.sleep(SAMPLE_S)
            now = int((time.monotonic() - began_s) // 60)
            if now > minute:
                out(f"{samples.line(minute)} {visits.rebalances:11} {load_average():6.1f}")
                minute = now
    finally:
        visits.end()


def report(samples: Samples, minutes: int) -> None:
    """Print the growth."""
    last, first = minutes - 1, min(4, (minutes - 1) // 2)
    growth = samples.growth(first, last)
    out(
        f"resident memory in the {ROUNDS_MINUTES} minutes up to the end of minute {last + 1} against those "
        f"up to minute {first + 1}: {growth:+.1%}, target at most {TARGET:+.0%}: "
        f"{'held' if growth <= TARGET else 'missed'}"
    )


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=1_000.0, help="events per second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--logs", type=Path, help="folder to keep the workers' lines in")
    options = parser.parse_args()
    end_on_sigterm()
    with tempfile.TemporaryDirectory() as folder, start_broker("kafka", Path(folder) / "kafka") as broker:
        logs = options.logs or Path(folder)
        logs.mkdir(parents=True, exist_ok=True)
        environ = {"KAFKA_BOOTSTRAP": str(broker.bootstrap)}
        settings = load_settings(environ)
        create_topics(settings)
        first = introduce(settings, options.customers, 3, options.seed)
        with Worker(environ, logs / "a.log") as worker:
            wait_until_done(settings, 120)
            samples = Samples(worker.child)
            out(HEADING)
            visits = Visits(lambda: Worker(environ, logs / "b.log"), Group(settings))
            with Feed(settings, options.customers, options.rate, options.seed, first):
                run(options.minutes, visits, samples)
        out(f"{visits.rebalances} rebalances, {options.customers:,} customers, {options.rate:,.0f} events/s")
        report(samples, options.minutes)


if __name__ == "__main__":
    main()

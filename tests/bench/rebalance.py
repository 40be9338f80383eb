"""Measure the longest silence of a partition while workers come and go: `python -m tests.bench.rebalance`.

One broker, a worker A that stays, steady events. A worker B joins, leaves by SIGTERM, joins, is killed
together with its supervisor, joins, is killed and started again by its supervisor; several times over.
The silence of a partition is the longest time between two arrivals of its commits at a `read_committed`
subscriber, in a span that begins when B is started, told to stop, or killed. The baseline is the same
figure in the quiet span before. Moved partitions changed their owner, retained ones did not.

All this begins when the first two sweeps over customers who were met a moment ago are over: a worker of
200,000 of them is busy then, whoever comes or goes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from streams.broker import start_broker
from streams.settings import load_settings
from streams.topics import create_topics
from tests.bench.common import Worker, end_on_sigterm, load_average, out, until, wait_until_done
from tests.bench.events import Feed, introduce
from tests.bench.progress import Group, Progress, moved

SESSION_S = 6.0
SETTLE_LIMIT_S = 90.0
CALM_S = 75.0
"""Two sweeps decide everybody who was just met by the first models; that is no part of a move."""
TARGETS_S = {"join": 1.0, "leave": 1.0, "kill": SESSION_S + 2, "restart": SESSION_S + 2}
MEANING = {
    "join": "a worker joins",
    "leave": "a worker leaves by SIGTERM",
    "kill": "kill -9 of worker and supervisor",
    "restart": "kill -9 of the worker, its supervisor restarts it",
}


@dataclass(slots=True)
class Figures:
    """Silences of one kind of event in seconds, one entry a repetition: the worst partition's."""

    moved_s: list[float] = field(default_factory=list)
    retained_s: list[float] = field(default_factory=list)
    baseline_s: list[float] = field(default_factory=list)
    load: list[float] = field(default_factory=list)


class Scene:
    """The deployment under test: what happens to worker B, and what the partitions show of it."""

    def __init__(self, environ: Mapping[str, str], progress: Progress, group: Group, quiet_s: float) -> None:
        self._environ = environ
        self._progress = progress
        self._group = group
        self._quiet_s = quiet_s
        self.figures: dict[str, Figures] = defaultdict(Figures)

    def start(self, log: Path) -> Worker:
        """Start another worker."""
        return Worker(self._environ, log)

    def settle(self, workers: int, since_s: float, gone: str = "") -> dict[int, str]:
        """Wait until the group has this many workers and all partitions go on; return who owns what."""

        def settled() -> bool:
            owners = self._group.owners()
            who = set(owners.values())
            return len(who) == workers and gone not in who and self._progress.all_since(since_s)

        until(settled, f"a group of {workers} workers", SETTLE_LIMIT_S)
        resumed_s = time.monotonic()
        until(lambda: self._progress.all_since(resumed_s), "progress of all partitions", SETTLE_LIMIT_S)
        until(settled, "the last rebalance of a move", SETTLE_LIMIT_S)
        return self._group.owners()

    def watch(self, kind: str, workers: int, action: Callable[[], None], gone: str = "") -> dict[int, str]:
        """Let something happen after a quiet span, note the silences and return who owns what then.

        Args:
            kind: of the event.
            workers: how many own partitions in the end.
            action: makes it happen, without waiting.
            gone: member that must not own anything in the end.
        """
        time.sleep(self._quiet_s)
        before = self._group.owners()
        began_s = time.monotonic()
        quiet = self._progress.silences(began_s - self._quiet_s, began_s)
        action()
        after = self.settle(workers, began_s, gone)
        ended_s = time.monotonic()
        silences = self._progress.silences(began_s, ended_s)
        changed = moved(before, after)
        self._note(kind, changed, silences, max(quiet.values()), ended_s - began_s)
        return after

    def _note(
        self, kind: str, changed: set[int], silences: dict[int, float], quiet_s: float, took_s: float
    ) -> None:
        found = self.figures[kind]
        away = [seconds for partition, seconds in silences.items() if partition in changed]
        kept = [seconds for partition, seconds in silences.items() if partition not in changed]
        found.moved_s.append(max(away, default=0.0))
        found.retained_s.append(max(kept, default=0.0))
        found.baseline_s.append(quiet_s)
        found.load.append(load_average())
        out(
            f"{kind:8} moved {len(away)}: {_span(away)}   retained {len(kept)}: {_span(kept)}   "
            f"baseline {quiet_s:5.2f}   settled after {took_s:5.1f} s   load {found.load[-1]:.1f}"
        )


def _span(values: list[float]) -> str:
    return f"{min(values):5.2f} to {max(values):5.2f} s" if values else "none".rjust(15)


def repetition(scene: Scene, log: Path) -> None:
    """Let worker B come and go in each of the ways."""
    with ExitStack() as stack:
        started: list[Worker] = []

        def join() -> None:
            started.append(stack.enter_context(scene.start(log)))

        scene.watch("join", 2, join)
        scene.watch("leave", 1, started[-1].terminate)
        before = scene.settle(1, time.monotonic())
        scene.watch("join", 2, join)
        scene.watch("kill", 1, started[-1].kill)
        owners = scene.watch("join", 2, join)
        killed = next(owner for owner in owners.values() if owner not in before.values())
        scene.watch("restart", 2, started[-1].kill_child, killed)
    scene.settle(1, time.monotonic())


def report(figures: Mapping[str, Figures]) -> None:
    """Print the table: median and worst repetition, each with its worst partition."""
    out(f"{'longest silence, s':52} {'moved':>15} {'retained':>15} {'baseline':>9} {'target':>7} {'load':>5}")
    for kind, found in figures.items():
        worst = max(found.moved_s + found.retained_s)
        verdict = "held" if worst <= TARGETS_S[kind] else "missed"
        out(
            f"{MEANING[kind]:48} k={len(found.moved_s):<2} {_both(found.moved_s)} {_both(found.retained_s)} "
            f"{max(found.baseline_s):9.2f} {TARGETS_S[kind]:7.1f} {max(found.load):5.1f} {verdict}"
        )


def _both(values: list[float]) -> str:
    return f"{statistics.median(values):6.2f} /{max(values):6.2f}".rjust(15)


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("--rate", type=float, default=2_000.0, help="events per second")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--quiet", type=float, default=8.0, help="seconds between two events")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--logs", type=Path, help="folder to keep the workers' lines in")
    options = parser.parse_args()
    end_on_sigterm()
    with tempfile.TemporaryDirectory() as folder, start_broker("kafka", Path(folder) / "kafka") as broker:
        logs = options.logs or Path(folder)
        logs.mkdir(parents=True, exist_ok=True)
        environ = {
            "KAFKA_BOOTSTRAP": broker.bootstrap,
            "LIVE_SEGMENTS_SESSION_TIMEOUT_MS": str(int(SESSION_S * 1000)),
        }
        settings = load_settings(environ)
        create_topics(settings)
        first = introduce(settings, options.customers, 3, options.seed)
        with Worker(environ, logs / "a.log"):
            took_s = wait_until_done(settings, 300)
            out(f"{options.customers:,} customers met in {took_s:.0f} s; now {options.rate:,.0f} events/s")
            with (
                Feed(settings, options.customers, options.rate, options.seed, first),
                Progress(settings) as progress,
            ):
                scene = Scene(environ, progress, Group(settings), options.quiet)
                scene.settle(1, time.monotonic())
                time.sleep(CALM_S)
                for number in range(options.repetitions):
                    repetition(scene, logs / f"b{number + 1}.log")
        report(scene.figures)


if __name__ == "__main__":
    main()

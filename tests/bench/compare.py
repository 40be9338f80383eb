"""All candidates on the same events, broker and topics, in turn: CPU per event, events/s, memory."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.bench.arena import Arena, Offsets, arena, count
from tests.bench.common import Worker, load_average, out
from tests.bench.events import fill
from tests.bench.measuring import Figures, Span, measure
from tests.bench.peers import aiokafka_floor, faust_idiomatic, kafka_streams, live_segments, quix
from tests.bench.peers.candidate import EVENTS, OUT, Candidate, Place, UnavailableError
from tests.bench.report import Report, Spread

CANDIDATES = (
    live_segments.CANDIDATE,
    aiokafka_floor.CANDIDATE,
    faust_idiomatic.CANDIDATE,
    quix.CANDIDATE,
    kafka_streams.DEFAULTS,
    kafka_streams.TUNED_UP,
)
OURS = live_segments.CANDIDATE.name
Found = dict[str, list[Figures]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--events", type=int, default=2_000_000, help="written once, read by all")
    parser.add_argument("--customers", type=int, default=50_000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--k", type=int, default=3, help="repetitions of each candidate")
    parser.add_argument(
        "--only", nargs="*", choices=[c.name for c in CANDIDATES], help="leave out the others"
    )
    parser.add_argument("--warm-share", type=float, default=0.5, help="of the events, before it is measured")
    parser.add_argument("--warm-up", type=float, default=90.0, help="most seconds of it")
    parser.add_argument("--span", type=float, default=20.0, help="most seconds that are measured")
    parser.add_argument("--limit", type=float, default=180.0, help="seconds after which to give up a run")
    parser.add_argument("--seed", type=int, default=1)


def run(options: argparse.Namespace, report: Report) -> None:
    """Run the comparison and write its table."""
    chosen = [c for c in CANDIDATES if not options.only or c.name in options.only]
    found: Found = {c.name: [] for c in chosen}
    absent: dict[str, str] = {}
    emissions: dict[int, str] = {}
    with arena(options) as place:
        size = fill(place.settings(), options.events, options.customers, options.seed, EVENTS)
        what = f"{options.events:,} events of {size:.0f} bytes, {options.customers:,} customers"
        out(what)
        for number, candidate in enumerate(order(chosen, options.k)):
            if candidate.name in absent:
                continue
            try:
                figures, emitted = once(place, candidate, number, options)
            except UnavailableError as error:
                absent[candidate.name] = str(error)
                out(f"{candidate.name}: not available here: {error}")
                continue
            found[candidate.name].append(figures)
            out(line(candidate, figures, emitted))
            if candidate.emits and figures.complete:
                emissions[emitted] = candidate.name
    if len(emissions) > 1:
        sys.exit(f"the peers do not do the same job: changes emitted, by the last that did: {emissions}")
    publish(report, chosen, found, absent, f"{what}, {options.partitions} partitions")


def order(chosen: Sequence[Candidate], k: int) -> Iterator[Candidate]:
    """Yield the candidates in turn, every second time backwards: a drift of the machine cancels out."""
    for repetition in range(k):
        yield from chosen if repetition % 2 == 0 else reversed(chosen)


def once(place: Arena, candidate: Candidate, number: int, options: argparse.Namespace) -> tuple[Figures, int]:
    """Measure one candidate from the first event on; return the figures and what it has emitted.

    Raises:
        UnavailableError: it cannot run here.
    """
    place.reset()
    warm_s = min(options.warm_up, candidate.warm_s)
    span = Span(options.events, options.warm_share, warm_s, options.span, options.limit)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        log = Path(folder) / "log"
        told = Place(
            place.bootstrap, f"{candidate.name}-{number}", place.partitions, str(Path(folder) / "state")
        )
        begin = candidate.start(told)
        with (
            Offsets(place.bootstrap, told.group, candidate.reads, place.partitions) as offsets,
            Worker(begin.environ, log, begin.command) as process,
        ):
            try:
                figures = measure([process], offsets, span, begin.stages)
            except SystemExit as error:
                tail = log.read_text(encoding="utf-8", errors="replace")[-2_000:]
                sys.exit(f"{candidate.name}: {error}\n{tail}")
        topic = OUT if candidate.emits else "segment-changes"
        return figures, count(place.bootstrap, topic, place.partitions)


def line(candidate: Candidate, figures: Figures, emitted: int) -> str:
    """Return what is printed after a run."""
    return (
        f"{candidate.name:20} {figures.cpu_us_per_event:8.2f} us CPU/event "
        f"{figures.events_per_second:10,.0f} events/s {figures.rss_mb:7,.0f} MB  "
        f"over {figures.events:,} events, {figures.seconds:.1f} s; "
        f"{emitted:,} changes; load {load_average():.1f}"
    )


def publish(
    report: Report, chosen: Sequence[Candidate], found: Found, absent: Mapping[str, str], what: str
) -> None:
    """Write the table, the CPU by stage, and the rows of the CSV."""
    spreads = {
        name: {
            "cpu_us_per_event": Spread([f.cpu_us_per_event for f in figures]),
            "events_per_s": Spread([f.events_per_second for f in figures]),
            "rss_mb": Spread([f.rss_mb for f in figures]),
        }
        for name, figures in found.items()
        if figures
    }
    ours = spreads[OURS]["cpu_us_per_event"].median if OURS in spreads else None
    rows = []
    for candidate in chosen:
        of = spreads.get(candidate.name)
        told = [candidate.title, candidate.job, candidate.guarantee]
        if of is None:
            rows.append([*told, f"not available here: {absent[candidate.name]}", "", "", ""])
            continue
        cpu, rate, rss = of.values()
        times = f"{cpu.median / ours:.2f}" if ours else ""
        rows.append([*told, cpu.show(".2f"), times, rate.show(), rss.show()])
        report.candidate(candidate.name, of)
    header = ("candidate", "job", "guarantee", "CPU µs per event", "CPU, ours = 1", "events/s", "peak RSS MB")
    k = max(map(len, found.values()))
    text = f"{what}; median of {k} (lowest to highest).\n\n{report.table(header, rows)}"
    stages = budget(report, found.get(OURS, []))
    report.write(f"{text}\n\n{stages}" if stages else text)


def budget(report: Report, figures: Sequence[Figures]) -> str:
    """Return where the CPU of our worker goes, by stage."""
    if not figures or not figures[0].stages:
        return ""
    rows = [[name, Spread([f.stages[name] for f in figures]).show(".2f")] for name in figures[0].stages]
    rest = [f.cpu_us_per_event - sum(f.stages.values()) for f in figures]
    rows.append(["in no stage: Kafka client, Faust, supervisor", Spread(rest).show(".2f")])
    rows.append(["all", Spread([f.cpu_us_per_event for f in figures]).show(".2f")])
    return report.table(("stage of live-segments", "CPU µs per event"), rows)

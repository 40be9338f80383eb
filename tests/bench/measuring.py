"""Measure a process tree while it works: CPU per event, events/s, memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.bench.arena import Offsets
from tests.bench.common import Worker, cpu_s, rss_mb

POLL_S = 0.1
Stages = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Figures:
    """What a process tree did between two of its commits."""

    events: int
    seconds: float
    cpu_us_per_event: float
    rss_mb: float
    """Peak of its resident memory over the whole run, sampled."""
    complete: bool
    """All events are done."""
    stages: Stages = field(default_factory=dict)
    """CPU µs per event by stage, from those that tell."""

    @property
    def events_per_second(self) -> float:
        """Return the rate."""
        return self.events / self.seconds


@dataclass(frozen=True, slots=True)
class Span:
    """What part of a run is measured: from the first commit behind the warm-up to one near the end."""

    events: int
    """There are, in all."""
    warm_share: float = 0.5
    """Of the events: caches, models and compilers are warm then; 0 counts from the start of the process."""
    warm_s: float = 20.0
    """The warm-up of a slow one ends after this long."""
    span_s: float = 20.0
    """So does what is measured."""
    limit_s: float = 180.0


@dataclass(frozen=True, slots=True)
class _Sample:
    at_s: float
    cpu_s: float
    done: int
    stages: Stages


def measure(
    processes: Sequence[Worker], offsets: Offsets, span: Span, stages: Callable[[], Stages] | None = None
) -> Figures:
    """Watch process trees that work together until the span is over.

    Only moments at which the committed offsets have moved are looked at: what is processed and not yet
    committed would be counted at one end and not at the other.

    Args:
        processes: the trees' roots.
        offsets: how far they are.
        span: what to measure.
        stages: the CPU seconds by stage so far.
    """
    began, last, peak = time.monotonic(), 0, 0.0
    working_s = 0.0
    first = _Sample(began, 0.0, 0, {}) if not span.warm_share else None
    while time.monotonic() - began < span.limit_s:
        time.sleep(POLL_S)
        if any(process.exit_code is not None for process in processes):
            sys.exit(f"ended with exit codes {[process.exit_code for process in processes]}")
        done, now = offsets.committed(), time.monotonic()
        peak = max(peak, sum(rss_mb(process.pid) for process in processes))
        if done == last:
            continue
        working_s, last = working_s or now, done
        warm = done >= span.events * span.warm_share or now - working_s >= span.warm_s
        over = done >= span.events or (first is not None and now - first.at_s >= span.span_s)
        if first is None and warm and not over:
            first = _sample(processes, done, stages)
        elif over:
            if first is None:
                sys.exit(f"{span.events} events are too few: they were done before it could be measured")
            return _figures(first, _sample(processes, done, stages), peak, complete=done >= span.events)
    sys.exit(f"not done after {span.limit_s:g} s: {last} of {span.events} events")


def _sample(processes: Sequence[Worker], done: int, stages: Callable[[], Stages] | None) -> _Sample:
    used_s = sum(cpu_s(process.pid) for process in processes)
    return _Sample(time.monotonic(), used_s, done, stages() if stages else {})


def _figures(first: _Sample, last: _Sample, peak: float, *, complete: bool) -> Figures:
    events = last.done - first.done
    return Figures(
        events,
        last.at_s - first.at_s,
        (last.cpu_s - first.cpu_s) / events * 1e6,
        peak,
        complete,
        {
            name: (seconds - first.stages.get(name, 0.0)) / events * 1e6
            for name, seconds in last.stages.items()
        },
    )

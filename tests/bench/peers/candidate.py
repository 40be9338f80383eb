"""What takes part in the comparison, and where a run of it finds its input. Standard library only.

Peers run in environments of their own, with this folder's files and nothing else of the product.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[3]
EVENTS = "events"
"""All events once more, in one topic: the peers need not join three."""
OUT = "peer-out"
"""Where the small job emits."""
_VARIABLE = "BENCH_PLACE"


@dataclass(frozen=True, slots=True)
class Place:
    """What a run of a candidate is told."""

    bootstrap: str
    group: str
    """Consumer group, application and transactional ids: new for each run."""
    partitions: int
    folder: str
    """Scratch space for local state, empty."""

    def environ(self) -> dict[str, str]:
        """Return the environment that tells a peer."""
        return {_VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def told(cls) -> Place:
        """Return what this process was told."""
        return cls(**json.loads(os.environ[_VARIABLE]))


@dataclass(frozen=True, slots=True)
class Start:
    """How to start a candidate."""

    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    stages: Callable[[], Mapping[str, float]] | None = None
    """Returns the CPU seconds by stage so far, from those that tell."""


class UnavailableError(Exception):
    """This candidate cannot run here; says why in a few words."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One line of the comparison."""

    name: str
    title: str
    job: str
    guarantee: str
    start: Callable[[Place], Start]
    """Prepares a run; raises UnavailableError."""
    reads: tuple[str, ...] = (EVENTS,)
    """Topics whose committed offsets tell how far it is."""
    warm_s: float = 90.0
    """Its warm-up ends after this long if half of the events take longer."""
    emits: bool = True
    """It does the small job: its output can be compared with the others'."""

"""What the engine knows of one partition number."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.clusterer import Accumulator, Model
from models.names import Names
from streams.codec.changes import Change
from streams.records import INPUT_TOPICS, Record

NOWHERE = -1
"""Position of an input topic of which nothing has been seen."""


@dataclass(slots=True)
class Partition:
    """State and uncommitted effects of one partition number of the input topics."""

    number: int
    accumulator: Accumulator
    index: dict[bytes, int] = field(default_factory=dict)
    """Customer id to row."""
    names: Names = field(default_factory=Names)
    model: Model | None = None
    """The model in force; another one is adopted at ticks only."""
    stream_ms: int = 0
    anchor_ms: int = 0
    tick_ms: int = 0
    positions: list[int] = field(default_factory=lambda: [NOWHERE] * len(INPUT_TOPICS))
    erased: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """Keyed hash of a customer id to (erased_before ms, last sequence)."""
    counted: int = 0
    dead: int = 0
    duplicates: int = 0
    ignored: int = 0
    """Events older than the erasure of their customer."""

    pending: int = 0
    """Records processed since the last commit."""
    moved: bool = False
    """The meta row differs from the committed one."""
    hot: list[NDArray[np.intp]] = field(default_factory=list)
    cold: list[NDArray[np.intp]] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    fresh_erased: list[bytes] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    changed: dict[bytes, Change] = field(default_factory=dict)
    """Last change of each customer since the last commit."""
    dead_letters: list[Record] = field(default_factory=list)

    def dirty(self) -> bool:
        """Return whether there is anything to commit."""
        return bool(self.pending or self.moved or self.hot or self.changes)

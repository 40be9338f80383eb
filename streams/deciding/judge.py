"""What is in force says where customers belong: a model of the behaviour segments, rules of the audiences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.audiences import Flips, Inputs, Rules, Standing, apply
from models.calendar import Calendar
from models.clusterer import Model
from models.events import F64, I64, Bool
from models.features import View, vectors
from models.hysteresis import settle
from streams.deciding.columns import inputs_of, value_of
from streams.deciding.crowd import Crowd
from streams.rules import EngineRules

Rows = NDArray[np.void]
NEVER = np.iinfo(np.int64).max
TOLD = ("orders", "views", "clicks", "behaviour")
"""Fields that `eligible` asks for."""


@dataclass(slots=True)
class Verdict:
    """To which behaviour segment n customers belong, each at a time."""

    seen: F64
    """(n, d) what the model saw."""
    distances: F64
    """(n, k)"""
    old: I64
    """(n,) number of the segment that each holds, 0 for none."""
    new: I64

    def moves(self) -> Bool:
        """Return who moves."""
        return self.new != self.old


@dataclass(slots=True)
class Timeline:
    """Behaviour segments of n customers between two ticks."""

    first: I64
    """(n,) number held at the first."""
    steps: list[tuple[I64, I64]] = field(default_factory=list)
    """Rounds of moves, each (n,) tick of the move (`NEVER` for none) and number held from then on."""

    def at(self, rows: NDArray[np.intp], tick: I64) -> I64:
        """Return the numbers that customers hold at ticks."""
        held = self.first[rows]
        for when, number in self.steps:
            held = np.where(tick >= when[rows], number[rows], held)
        return held


@dataclass(slots=True)
class Judge:
    """Decides by one model and one version of the rules, either of which may be missing."""

    model: Model | None
    rules: Rules | None
    engine_rules: EngineRules
    calendar: Calendar
    sight: View | None = None
    """Customers at a time, with what is known of them already: for whoever asks for the very same."""

    def view(self, r: Rows, now: I64) -> View:
        """Return rows (n,) at their times (n,)."""
        sight = self.sight
        if sight is not None and sight.r is r and np.array_equal(sight.now, now):
            return sight
        return View(r, now, self.calendar, value_of(self.model))

    def behaviour(self, model: Model, r: Rows, now: I64, seen: F64 | None = None) -> Verdict:
        """Return the behaviour segments of customers at their times; who has told too little keeps none.

        Args:
            model: decides.
            r: (n,) rows.
            now: (n,) epoch milliseconds.
            seen: (n, d) their vectors at these times, if they are known.
        """
        if seen is None:
            seen = vectors(View(r, now, self.calendar))
        distances = model.distances(seen)
        old = r["behaviour"].astype(np.int64)
        rules, stayed_ms = self.engine_rules, now - r["behaviour_since"]
        new, _ = settle(model, distances, rules.margin, old, stayed_ms, rules.min_stay_ms)
        return Verdict(seen, distances, old, np.where(self.eligible(r), new, old))

    def eligible(self, r: Rows | Mapping[str, I64]) -> Bool:
        """Return who has told enough to be put into a behaviour segment; (n,)."""
        return eligible(r, self.engine_rules.min_events)

    def audiences(self, rules: Rules, crowd: Crowd, numbers: I64, now: I64) -> Flips:
        """Return who enters and leaves at one decision; `Flips.row` is the place in the crowd."""
        standing = standing_of(crowd.r)
        held = rules.decide(self._inputs(rules, crowd, numbers, now), standing, now)
        return apply(standing, np.arange(len(crowd)), held, now)

    def audiences_due(self, rules: Rules, crowd: Crowd, numbers: Timeline) -> Flips:
        """Return who enters and leaves from the tick before to the last one, each when it was due."""
        grid, everyone = self.engine_rules.sweep_ms, np.arange(len(crowd))

        def see(rows: NDArray[np.intp], tick: I64) -> tuple[Inputs, I64]:
            some = crowd if np.array_equal(rows, everyone) else crowd.sorted(rows)
            now = some.at(tick * grid)
            return self._inputs(rules, some, numbers.at(rows, tick), now), now

        high = crowd.tick() // grid
        low = np.minimum(crowd.since() // grid, high - 1)  # the grid may have changed
        return rules.decide_due(see, standing_of(crowd.r), low, high)

    def _inputs(self, rules: Rules, crowd: Crowd, numbers: I64, now: I64) -> Inputs:
        return inputs_of(
            rules.columns, self.view(crowd.r, now), numbers, crowd.parts, crowd.owner, self.model
        )

    def sure(self, r: Rows, now: I64, numbers: I64, distances: F64 | None = None) -> F64:
        """Return (n,) how sure the model is of behaviour segments, NaN where there is none.

        Args:
            r: (n,) rows.
            now: (n,) epoch milliseconds.
            numbers: (n,) of the behaviour segments.
            distances: (n, k) by the model at these times, if they are known.
        """
        if self.model is None or not len(r):
            return np.full(len(r), np.nan)
        if distances is None:
            distances = self.model.distances(vectors(View(r, now, self.calendar)))
        return np.where(numbers > 0, self.model.confidence(distances, numbers), np.nan)


def eligible(r: Rows | Mapping[str, I64], min_events: int) -> Bool:
    """Return who has told enough to be put into a behaviour segment; (n,), from rows or from columns."""
    told = r["views"].astype(np.int64) + r["clicks"] + r["orders"]
    return (r["orders"] > 0) | (told >= min_events) | (r["behaviour"] > 0)


def standing_of(r: Rows, at: NDArray[np.intp] | slice = slice(None)) -> Standing:
    """Return a copy of what customers hold, of those at some places."""
    return Standing(r["audience_bits"][at].copy(), r["audience_since_s"][at].copy())

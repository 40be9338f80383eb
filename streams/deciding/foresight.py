"""Until when a customer without events need not be decided: nothing about them can change before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.audiences import Inputs, Rules, Standing
from models.calendar import DAY_MS, HOUR_MS, Calendar
from models.clusterer import Model
from models.events import F64, I64, Bool
from models.features import BY_NAME, CLUSTERED, View, vectors_later
from models.steadiness import stays
from streams.deciding.columns import inputs_of
from streams.deciding.crowd import Crowd
from streams.deciding.judge import TOLD, Judge

SPANS_MS = np.array([DAY_MS, HOUR_MS, 300_000])
"""How far to look ahead; never beyond a midnight, of UTC (on each day something is learned of everyone) or of
the calendar (the windows of days move on)."""
WAITS = -1
"""In the place of a time, for who has not been decided."""
TOUCHED, SOON = 0, 1
"""Times before any tick, for who is looked at in the next one: who has had an event, or is not known yet; of
whom nothing was found out. The numbers that follow stand for shorter spans, after a longer one failed."""
UNSURE = SOON + len(SPANS_MS) - 1
"""The last of these numbers: what is greater is a time."""
_STRAYING = [feature.name for feature in CLUSTERED if feature.course == "any"]


@dataclass(slots=True)
class Foresight:
    """Looks ahead for customers who have just been decided by a judge, and whom nothing changed."""

    judge: Judge
    calendar: Calendar

    def until(self, crowd: Crowd, view: View, seen: F64, due: I64) -> I64:
        """Return the time (n,) before which no tick, nor the decision itself, changes a customer.

        Args:
            crowd: n customers, who have no event until then.
            view: they, when they are decided, at the last tick of their partitions.
            seen: (n, d) their vectors.
            due: (n,) what was returned last: a time, or how far to look.

        Returns:
            The time; up to `UNSURE` for those of whom nothing is known.
        """
        tick, now = crowd.tick(), view.now
        place = np.where((due >= SOON) & (due <= UNSURE), due - SOON, 0)
        midnight = np.minimum(self.calendar.until(now), (tick // DAY_MS + 1) * DAY_MS)
        end = np.minimum(tick + SPANS_MS[place], midnight)
        worth = end > 2 * tick - crowd.since()  # beyond the next tick, if they go on like this
        if not worth.any():
            return np.full(len(crowd), SOON, np.int64)
        steady = self._steady(crowd, view, np.maximum(end - 1, now), seen)
        shorter = SOON + np.minimum(place + 1, len(SPANS_MS) - 1)
        return np.where(worth, np.where(steady, end, shorter), SOON)

    def _steady(self, crowd: Crowd, view: View, last: I64, seen: F64) -> Bool:
        """Return whom (n,) no decision changes, at the time of the view, at `last` or at any time between."""
        later, steady = view.later(last), np.ones(len(crowd), np.bool_)
        if self.judge.model is not None:
            steady &= self._in_segment(self.judge.model, seen, later)
        if self.judge.rules is not None:
            steady &= self._in_audiences(self.judge.rules, crowd, view, later)
        return steady

    def _in_segment(self, model: Model, seen: F64, later: View) -> Bool:
        if _STRAYING:
            return np.zeros(len(seen), np.bool_)
        margin = self.judge.engine_rules.margin
        held = stays(model, seen, vectors_later(later, seen), later.whole("behaviour"), margin)
        return held | ~self.judge.eligible({name: later.whole(name) for name in TOLD})

    def _in_audiences(self, rules: Rules, crowd: Crowd, view: View, later: View) -> Bool:
        courses = {name: BY_NAME[name].course for name in rules.columns if name in BY_NAME}
        if "any" in courses.values():
            return np.zeros(len(crowd), np.bool_)
        moving = [name for name, course in courses.items() if course != "still"]
        numbers, model = view.whole("behaviour"), self.judge.model
        first = inputs_of(rules.columns, view, numbers, crowd.parts, crowd.owner, model)
        moved = inputs_of(moving, later, numbers, crowd.parts, crowd.owner, model)
        last = Inputs({**first.columns, **moved.columns}, first.size, first.books, first.owner)
        standing = Standing(view.whole("audience_bits").astype(np.uint32), Since(crowd))
        return rules.steady(first, last, standing, later.now)


@dataclass(slots=True)
class Since:
    """Since when customers are in each audience, or out of it: looked up for those of whom it is asked."""

    crowd: Crowd

    def __getitem__(self, at: tuple[NDArray[np.intp], I64]) -> NDArray[np.uint32]:
        """Return the times (m,), epoch seconds, of the customers at some places, for a slot each."""
        place, slot = at
        since_s: NDArray[np.uint32] = self.crowd.slab.rows["audience_since_s"][self.crowd.rows[place], slot]
        return since_s

"""Until when a customer without events need not be decided: nothing about them can change before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.audiences import Inputs, Rules
from models.calendar import DAY_MS, HOUR_MS, Calendar
from models.clusterer import Model
from models.events import F64, I64, Bool
from models.features import BY_NAME, CLUSTERED, View, vectors_later
from models.steadiness import stays
from streams.deciding.columns import inputs_of
from streams.deciding.crowd import Crowd
from streams.deciding.judge import Judge, standing_of

SPANS_MS = np.array([DAY_MS, HOUR_MS, 300_000])
"""How far to look ahead; never beyond a midnight, of UTC (on each day something is learned of everyone) or of
the calendar (the windows of days move on)."""
TOUCHED, SOON = 0, 1
"""Times before any tick, for who is decided at the next one: who has had an event, or is not known yet; whom
to look ahead for next time. The numbers that follow stand for shorter spans, after a longer one failed."""
_STRAYING = [feature.name for feature in CLUSTERED if feature.course == "any"]


@dataclass(slots=True)
class Foresight:
    """Looks ahead for customers who have just been decided by a judge, and whom nothing changed."""

    judge: Judge
    calendar: Calendar

    def until(self, crowd: Crowd, now: I64, seen: F64, due: I64) -> I64:
        """Return the time (n,) before which no tick, however many there are, changes a customer.

        Args:
            crowd: n customers, who have no event until then.
            now: (n,) when they were decided, at the last tick of their partitions.
            seen: (n, d) their vectors.
            due: (n,) what was returned last: a time, or how far to look.
        """
        tick = crowd.tick()
        place = np.where(due <= len(SPANS_MS), due - SOON, 0)
        midnight = np.minimum(self.calendar.until(now), (tick // DAY_MS + 1) * DAY_MS)
        end = np.minimum(tick + SPANS_MS[place], midnight)
        worth = end > 2 * tick - crowd.since()  # beyond the next tick, if they go on like this
        if not worth.any():
            return np.full(len(crowd), SOON, np.int64)
        steady = self._steady(crowd, now, np.maximum(end - 1, now), seen)
        shorter = SOON + np.minimum(place + 1, len(SPANS_MS) - 1)
        return np.where(worth, np.where(steady, end, shorter), SOON)

    def _steady(self, crowd: Crowd, now: I64, last: I64, seen: F64) -> Bool:
        """Return who (n,) is decided at `last` and at any time before as they have been `now`."""
        view, later = self.judge.view(crowd.r, now), self.judge.view(crowd.r, last)
        steady = np.ones(len(crowd), np.bool_)
        if self.judge.model is not None:
            steady &= self._in_segment(self.judge.model, crowd, seen, later)
        if self.judge.rules is not None:
            steady &= self._in_audiences(self.judge.rules, crowd, view, later)
        return steady

    def _in_segment(self, model: Model, crowd: Crowd, seen: F64, later: View) -> Bool:
        if _STRAYING:
            return np.zeros(len(crowd), np.bool_)
        margin = self.judge.engine_rules.margin
        held = stays(model, seen, vectors_later(later, seen), crowd.numbers(), margin)
        return held | ~self.judge.eligible(crowd.r)

    def _in_audiences(self, rules: Rules, crowd: Crowd, view: View, later: View) -> Bool:
        courses = {name: BY_NAME[name].course for name in rules.columns if name in BY_NAME}
        if "any" in courses.values():
            return np.zeros(len(crowd), np.bool_)
        moving = [name for name, course in courses.items() if course != "still"]
        numbers, model = crowd.numbers(), self.judge.model
        first = inputs_of(rules.columns, view, numbers, crowd.parts, crowd.owner, model)
        moved = inputs_of(moving, later, numbers, crowd.parts, crowd.owner, model)
        last = Inputs({**first.columns, **moved.columns}, first.size, first.books, first.owner)
        return rules.steady(first, last, standing_of(crowd.r), later.now)

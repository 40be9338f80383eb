"""Decide customers at a tick: as time has passed, by a newer model, by newer definitions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.audiences import Flips
from models.calendar import DAY_MS, Calendar
from models.clusterer import Model
from models.events import F64, I64, Bool
from models.features import View, vectors
from models.profiles import Slab, gather
from streams.deciding.columns import value_of
from streams.deciding.crowd import Crowd, Force
from streams.deciding.foresight import SOON, TOUCHED, Foresight
from streams.deciding.journal import Journal
from streams.deciding.judge import NEVER, Judge, Timeline, eligible
from streams.deciding.moves import AudienceMoves, BehaviourMoves, Movers, Moves
from streams.deciding.sampling import show
from streams.reviewing import audiences_in
from streams.rules import EngineRules


@dataclass(slots=True)
class AtTicks:
    """Decides crowds; their change events go to the journal."""

    slab: Slab
    rules: EngineRules
    calendar: Calendar
    journal: Journal

    def decide(self, crowd: Crowd, due: I64) -> I64:
        """Decide customers at the last tick of their partitions, which have a sweep.

        What was in force before the tick decides first, as time has passed since the tick before; then the
        model that is in force from the tick on; then the definitions.

        Args:
            crowd: n customers.
            due: (n,) what was returned at the tick before; `TOUCHED`: an event makes looking ahead futile.

        Returns:
            The time (n,) before which time alone changes nothing for the customer.
        """
        now = crowd.at(crowd.tick())
        view = View(crowd.r, now, self.calendar)
        seen = vectors(view)
        self._learn(crowd, now, seen)
        judges: dict[Force, Judge] = {}
        for force, theirs in crowd.by_former():
            judges[force] = self._judge(force, view)
            self._as_time_passes(judges[force], crowd.where(theirs), seen[theirs])
        if not crowd.adopting():
            until = np.full(len(crowd), SOON, np.int64)
            silent = (due != TOUCHED) & (self.slab.rows["sequence"][crowd.rows] == crowd.r["sequence"])
            for force, theirs in crowd.by_former():
                self._look_ahead(judges[force], crowd, theirs & silent, seen, due, until)
            self._review(crowd, now)
            return until
        crowd.refresh(self.slab)
        for force, theirs in crowd.by_new_model():
            there, judge = crowd.where(theirs), self._judge(force)
            self.journal.publish("model", self._at_once(judge, there, now[theirs], seen[theirs]))
        crowd.refresh(self.slab)
        for force, theirs in crowd.by_new_rules():
            there, judge = crowd.where(theirs), self._judge(force)
            flips = self._flips(judge, there, there.numbers(), now[theirs])
            moves = self._audiences(judge, there, there.numbers()[flips.row], flips, None)
            self.journal.publish("definition", moves)
        self._review(crowd, now)
        return np.full(len(crowd), SOON, np.int64)

    def _look_ahead(self, judge: Judge, crowd: Crowd, chosen: Bool, seen: F64, due: I64, until: I64) -> None:
        """Put down until when time changes nothing for the chosen ones."""
        if not chosen.any():
            return
        foresight, now = Foresight(judge, self.calendar), crowd.at(crowd.tick())
        if 2 * chosen.sum() > len(crowd):  # what is known of everyone already saves more than it costs
            np.copyto(until, foresight.until(crowd, now, seen, due), where=chosen)
        else:
            some = crowd.where(chosen)
            until[chosen] = foresight.until(some, now[chosen], seen[chosen], due[chosen])

    def _review(self, crowd: Crowd, now: I64) -> None:
        """Count the customers, as they are by now, where the tick begins a day."""
        tallies = [part.sweep.tally if part.sweep is not None else None for part in crowd.parts]
        if any(tally is not None for tally in tallies):
            crowd.refresh(self.slab)
            for i, tally in enumerate(tallies):
                if tally is not None:
                    mine = crowd.owner == i
                    r = crowd.where(mine).r
                    inside = audiences_in(crowd.parts[i], r["audience_bits"])
                    tally.add(View(r, now[mine], self.calendar), *inside)

    def _judge(self, force: Force, view: View | None = None) -> Judge:
        sight = None if view is None else view.valued(value_of(force[0]))
        return Judge(*force, self.rules, self.calendar, sight)

    def _learn(self, crowd: Crowd, now: I64, seen: F64) -> None:
        """Learn those from whom nothing has been learnt on the day of the tick."""
        day = crowd.tick() // DAY_MS
        teach = (crowd.r["learned_day"] < day) & eligible(crowd.r, self.rules.min_events)
        if not teach.any():
            return
        self.slab.rows["learned_day"][crowd.rows[teach]] = day[teach]
        crowd.r["learned_day"][teach] = day[teach]
        for i, part in enumerate(crowd.parts):
            mine = teach & (crowd.owner == i)
            pupils = crowd.where(mine)
            part.accumulator.learn(seen[mine])
            keys = self.slab.keys(pupils.rows.tolist())
            show(part.accumulator, keys, pupils.r, now[mine], self.rules.erasure_key)
            part.hot.append(pupils.rows)

    # ---- since the tick before ------------------------------------------------------------------
    def _as_time_passes(self, judge: Judge, crowd: Crowd, seen: F64) -> None:
        """Decide customers at the tick; a change comes at the first tick of the grid that makes it."""
        timeline = Timeline(crowd.numbers())
        moves: list[Moves] = []
        if judge.model is not None:
            moves += self._behaviour_due(judge, judge.model, crowd, seen, timeline)
        if judge.rules is not None:
            flips = judge.audiences_due(judge.rules, crowd, timeline)
            numbers = timeline.at(flips.row, flips.time_ms // self.rules.sweep_ms)
            moves += self._audiences(judge, crowd, numbers, flips, crowd.since())
        self.journal.publish("time", moves)

    def _behaviour_due(
        self, judge: Judge, model: Model, everyone: Crowd, seen: F64, timeline: Timeline
    ) -> list[BehaviourMoves]:
        """Return the moves, each at the first tick that makes it; the timeline learns of them.

        The first tick is found by bisection, and again from there on, until nobody moves.
        """
        grid = self.rules.sweep_ms
        found = []
        low = np.minimum(everyone.since() // grid, everyone.tick() // grid - 1)  # the grid may have changed
        moving = judge.behaviour(model, everyone.r, everyone.at(everyone.tick()), seen).moves()
        place = np.flatnonzero(moving)
        crowd = Crowd(everyone.parts, everyone.owner[place], everyone.rows[place], gather(everyone.r, place))
        low = low[place]
        while len(crowd):
            high = crowd.tick() // grid
            while (high - low > 1).any():
                middle = (low + high) // 2
                gone = judge.behaviour(model, crowd.r, crowd.at(middle * grid)).moves()
                high, low = np.where(gone, middle, high), np.where(gone, low, middle)
            now, before = crowd.at(high * grid), crowd.at(crowd.since())
            moves = self._behaviour(judge, model, crowd, now, np.minimum(before, now))
            found.append(moves)
            step = np.full(len(everyone), NEVER), np.zeros(len(everyone), np.int64)
            crowd.r["behaviour"], crowd.r["behaviour_since"] = judge.behaviour(model, crowd.r, now).new, now
            step[0][place], step[1][place] = high, crowd.numbers()
            timeline.steps.append(step)
            again = np.flatnonzero(judge.behaviour(model, crowd.r, crowd.at(crowd.tick())).moves())
            place, low, crowd = place[again], high[again], crowd.sorted(again)
        return found

    # ---- at the tick itself -----------------------------------------------------------------------
    def _at_once(self, judge: Judge, crowd: Crowd, now: I64, seen: F64) -> list[Moves]:
        """Return the changes of one decision of each customer."""
        moves: list[Moves] = []
        numbers = crowd.numbers()
        if judge.model is not None:
            verdict = judge.behaviour(judge.model, crowd.r, now, seen)
            moves.append(self._behaviour(judge, judge.model, crowd, now, now, seen))
            numbers = verdict.new
        flips = self._flips(judge, crowd, numbers, now)
        return moves + self._audiences(judge, crowd, numbers[flips.row], flips, None)

    def _flips(self, judge: Judge, crowd: Crowd, numbers: I64, now: I64) -> Flips:
        if judge.rules is None:
            return Flips.joined([])
        return judge.audiences(judge.rules, crowd, numbers, now)

    # ---- moves ------------------------------------------------------------------------------------
    def _behaviour(
        self, judge: Judge, model: Model, crowd: Crowd, now: I64, before_at: I64, seen: F64 | None = None
    ) -> BehaviourMoves:
        """Return the moves of those who belong elsewhere at their times."""
        verdict = judge.behaviour(model, crowd.r, now, seen)
        at = np.flatnonzero(verdict.moves())
        who = self._movers(crowd, at, now[at], before_at[at])
        return BehaviourMoves(
            who, model, verdict.old[at], verdict.new[at], verdict.seen[at], verdict.distances[at]
        )

    def _audiences(
        self, judge: Judge, crowd: Crowd, numbers: I64, flips: Flips, since_ms: I64 | None
    ) -> list[Moves]:
        """Return changes of audiences as moves.

        Args:
            judge: has decided them.
            crowd: the customers.
            numbers: (m,) the behaviour segment that the customer of each change holds.
            flips: m changes.
            since_ms: (n,) the tick before; None: the decision before was at the same time.
        """
        if judge.rules is None or not len(flips):
            return []
        at = flips.time_ms
        before = at if since_ms is None else np.minimum(crowd.at(since_ms)[flips.row], at)
        who = self._movers(crowd, flips.row, at, before)
        began = np.where(flips.entered, at // 1000, flips.since_s) * 1000
        sure = judge.sure(who.after, at, numbers)
        return [AudienceMoves(who, judge.rules, judge.model, flips.slot, flips.entered, numbers, sure, began)]

    def _movers(self, crowd: Crowd, at: NDArray[np.intp], now: I64, before_at: I64) -> Movers:
        """Return customers of a crowd at their decisions."""
        r = gather(crowd.r, at)
        return Movers(
            rows=crowd.rows[at],
            parts=crowd.owners(at),
            when=now,
            at=now,
            after=r,
            before=r,
            before_at=np.where(before_at > 0, before_at, now),
            trigger=[None] * len(at),
        )

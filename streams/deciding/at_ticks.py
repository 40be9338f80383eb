"""Decide customers at a tick: as time has passed, by a newer model, by newer definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import audiences, steadiness
from models.audiences import Flips
from models.calendar import DAY_MS, Calendar
from models.clusterer import Model
from models.events import F64, I64, Bool
from models.features import BY_NAME, CLUSTERED, Feature, View, tally, vectors
from models.features.reading import Reading
from models.features.tally import HELD, READINGS
from models.profiles import Slab, gather
from streams.codec.hashing import keyed64_many
from streams.deciding.columns import value_of
from streams.deciding.crowd import Crowd, Force
from streams.deciding.foresight import SOON, UNSURE, WAITS, Foresight
from streams.deciding.journal import Journal
from streams.deciding.judge import NEVER, TOLD, Judge, Timeline, eligible
from streams.deciding.moves import AudienceMoves, BehaviourMoves, Movers, Moves
from streams.partition import Partition
from streams.reviewing import in_force
from streams.rules import EngineRules

READ = (*TOLD, "learned_day", "audience_bits", "first_order", "last_order", "money_gross", "money_refunded")
"""Fields that are read of everyone beside what features are made of."""

FEW = 8
"""Of so many customers one at most may wait."""


@dataclass(slots=True)
class AtTicks:
    """Decides crowds; their change events go to the journal."""

    slab: Slab
    rules: EngineRules
    calendar: Calendar
    journal: Journal

    def __post_init__(self) -> None:
        """Have the kernels ready."""
        audiences.prepare()
        tally.prepare()
        steadiness.prepare()

    def decide(self, crowd: Crowd, due: I64) -> I64:
        """Decide customers at the last tick of their partitions, which have a sweep.

        What was in force before the tick decides first, as time has passed since the tick before; then the
        model that is in force from the tick on; then the definitions.

        Args:
            crowd: n customers.
            due: (n,) what was returned at the tick before; `TOUCHED`: an event has come since.

        Returns:
            The time (n,) before which time alone changes nothing for the customer; `WAITS` for who was not
            decided.
        """
        if crowd.adopting():
            return self._adopt(crowd)
        view = View(self.slab.rows, crowd.at(crowd.tick()), self.calendar, None, crowd.rows)
        view.read(_wanted(crowd.parts), READ, _reviewed(crowd.parts))
        seen = vectors(view)
        self._learn(crowd, view, seen)
        until = np.full(len(crowd), SOON, np.int64)
        for force, theirs in crowd.by_former():
            if theirs.all():
                until = self._go_on(force, crowd, view, seen, due)
            else:
                at = np.flatnonzero(theirs)
                until[at] = self._go_on(force, crowd.sorted(at), view.at(at), seen[at], due[at])
        if _reviewed(crowd.parts):
            self._review(crowd, view.anew(HELD, np.flatnonzero(until == SOON)), until != WAITS)
        return until

    def _go_on(self, force: Force, crowd: Crowd, view: View, seen: F64, due: I64) -> I64:
        """Decide those whom it may change, by what stays in force; see `decide`.

        To find out that somebody stays takes no copy of the row: so it is asked of who had an event, too.
        """
        view = view.valued(value_of(force[0]))
        foresight, until = Foresight(self._judge(force), self.calendar), np.full(len(crowd), SOON, np.int64)
        if crowd.ahead:
            until = foresight.until(crowd, view, seen, due)
        at = np.flatnonzero(until <= UNSURE)
        if crowd.patient and FEW * len(at) <= len(crowd):
            until[at] = WAITS
        elif len(at):
            some = crowd.pick(at)
            sight = view.on(some.r) if some is crowd else view.at(at).on(some.r)
            self._as_time_passes(self._judge(force, sight), some, seen[at])
            until[at[some.changed()]] = SOON
        return until

    def _adopt(self, crowd: Crowd) -> I64:
        """Decide everyone: something else is in force somewhere from the tick on."""
        now = crowd.at(crowd.tick())
        view = View(crowd.r, now, self.calendar)
        view.read(_wanted(crowd.parts), READ)
        seen = vectors(view)
        self._learn(crowd, view, seen)
        for force, theirs in crowd.by_former():
            judge = self._judge(force, view.valued(value_of(force[0])))
            self._as_time_passes(judge, crowd.where(theirs), seen[theirs])
        crowd.refresh()
        for force, theirs in crowd.by_new_model():
            there, judge = crowd.where(theirs), self._judge(force)
            self.journal.publish("model", self._at_once(judge, there, now[theirs], seen[theirs]))
        crowd.refresh()
        for force, theirs in crowd.by_new_rules():
            there, judge = crowd.where(theirs), self._judge(force)
            flips = self._flips(judge, there, there.numbers(), now[theirs])
            moves = self._audiences(judge, there, there.numbers()[flips.row], flips, None)
            self.journal.publish("definition", moves)
        if _reviewed(crowd.parts):
            by_now = View(self.slab.rows, now, self.calendar, None, crowd.rows)
            self._review(crowd, by_now, np.ones(len(crowd), np.bool_))
        return np.full(len(crowd), SOON, np.int64)

    @staticmethod
    def _review(crowd: Crowd, view: View, decided: Bool) -> None:
        """Count the customers who are decided, as they are by now, where the tick begins a day."""
        for i, part in enumerate(crowd.parts):
            if part.sweep is not None and part.sweep.tally is not None:
                mine = np.flatnonzero(decided & (crowd.owner == i))
                part.sweep.tally.add(view, in_force(part), mine)

    def _judge(self, force: Force, sight: View | None = None) -> Judge:
        return Judge(*force, self.rules, self.calendar, sight)

    def _learn(self, crowd: Crowd, view: View, seen: F64) -> None:
        """Learn those from whom nothing has been learnt on the day of the tick."""
        day = crowd.tick() // DAY_MS
        told = {name: view.whole(name) for name in TOLD}
        teach = (view.whole("learned_day") < day) & eligible(told, self.rules.min_events)
        if not teach.any():
            return
        self.slab.rows["learned_day"][crowd.rows[teach]] = day[teach]
        if "r" in crowd.__dict__:
            crowd.r["learned_day"][teach] = day[teach]
        buyers = teach & (view.whole("orders") > 0)
        for i, part in enumerate(crowd.parts):
            mine = teach & (crowd.owner == i)
            if mine.any():
                part.accumulator.learn(seen if mine.all() else seen[mine])
                self._show(part, crowd.rows, view, np.flatnonzero(mine & buyers))
                part.hot.append(crowd.rows[mine])

    def _show(self, part: Partition, rows: NDArray[np.intp], view: View, at: NDArray[np.intp]) -> None:
        """Show buyers who are being learnt for the sample of the population."""
        hashes = self.slab.hashes[rows[at]]
        fresh = np.flatnonzero(hashes == 0)
        if len(fresh):
            keys = self.slab.keys(rows[at[fresh]].tolist())
            hashes[fresh] = keyed64_many(keys, self.rules.erasure_key)
            self.slab.hashes[rows[at[fresh]]] = hashes[fresh]
        admitted = part.accumulator.admits(hashes)
        if admitted.any():
            part.accumulator.sample(hashes[admitted], view.history().take(at[admitted]))

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
        crowd = everyone.sorted(place)
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
        former = crowd.numbers()[flips.row]
        return [
            AudienceMoves(
                who, judge.rules, judge.model, flips.slot, flips.entered, numbers, former, sure, began
            )
        ]

    def _movers(self, crowd: Crowd, at: NDArray[np.intp], now: I64, before_at: I64) -> Movers:
        """Return customers of a crowd at their decisions."""
        r = gather(crowd.r, at)
        return Movers(
            rows=crowd.rows[at],
            parts=crowd.parts,
            owner=crowd.owner[at],
            when=now,
            at=now,
            after=r,
            before=r,
            before_at=np.where(before_at > 0, before_at, now),
            trigger=None,
        )


def _reviewed(parts: Sequence[Partition]) -> tuple[Reading, ...]:
    """Return what is read to count the customers of partitions, nothing if none of them counts its own."""
    counted = any(part.sweep is not None and part.sweep.tally is not None for part in parts)
    return READINGS if counted else ()


def _wanted(parts: Sequence[Partition]) -> list[Feature]:
    """Return the features by which customers of partitions are decided."""
    rules = {id(part.rules): part.rules for part in parts if part.rules is not None}
    names = {name for one in rules.values() for name in one.columns if name in BY_NAME}
    return [*CLUSTERED, *(BY_NAME[name] for name in sorted(names))]

"""Decide customers after each of their events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models import features
from models.audiences import Rules
from models.calendar import DAY_MS, Calendar
from models.clusterer import Model
from models.events import F64, I64, Bool
from models.features import BY_NAME, CLUSTERED, Feature, View, vectors
from models.hysteresis import decide
from models.profiles import Slab, gather, newest_time
from streams.codec import changes, sentence_columns
from streams.deciding.applied import Applied, running_max
from streams.deciding.at_ticks import AtTicks
from streams.deciding.columns import inputs_of, value_of
from streams.deciding.crowd import Crowd, groups_of
from streams.deciding.journal import Journal
from streams.deciding.judge import Judge, eligible, standing_of
from streams.deciding.moves import AudienceMoves, BehaviourMoves, Movers, Moves
from streams.deciding.sampling import show
from streams.observer import EngineObserver
from streams.partition import Partition
from streams.rules import EngineRules
from streams.stages import StageClock


@dataclass(slots=True)
class Seen:
    """n applied events as they are decided."""

    applied: Applied
    parts: Sequence[Partition]
    """By number."""
    owner: NDArray[np.intp]
    """(n,) place in `parts`."""
    view: View
    now: I64
    """(n,) when."""
    ready: Bool
    """(n,) for a behaviour segment."""
    vectors: F64
    """(n, d)"""


@dataclass(slots=True)
class Groups:
    """g customers among the events, of the same model and rules."""

    picked: NDArray[np.intp]
    """(g,) index into the rows of the update."""
    order: NDArray[np.intp]
    """(m,) their events, sorted by customer."""
    start: NDArray[np.intp]
    """(g,) first position of each in `order`."""

    @classmethod
    def of(cls, order: NDArray[np.intp], start: NDArray[np.intp], chosen: Bool) -> Groups:
        """Return the chosen ones of all customers."""
        picked = np.flatnonzero(chosen)
        if len(picked) == len(start):
            return cls(picked, order, start)
        sizes = np.diff(np.append(start, len(order)))
        begin = np.concatenate([[0], np.cumsum(sizes[picked])[:-1]]).astype(np.intp)
        return cls(picked, order[np.repeat(chosen, sizes)], begin)


@dataclass(slots=True)
class Decider:
    """Decides customers of any partitions; their change events go to the journal."""

    slab: Slab
    rules: EngineRules
    calendar: Calendar
    observer: EngineObserver
    stages: StageClock
    """Of the thread that decides."""
    journal: Journal = field(init=False)
    ticks: AtTicks = field(init=False)

    def __post_init__(self) -> None:
        """Open the journal and have the kernels ready."""
        features.prepare()
        changes.prepare()
        sentence_columns.prepare()
        self.journal = Journal(self.slab, self.rules, self.calendar, self.observer)
        self.ticks = AtTicks(self.slab, self.rules, self.calendar, self.journal)

    def at_tick(self, crowd: Crowd, due: I64) -> I64:
        """Decide customers at the last tick of their partitions, which have a sweep; see `AtTicks.decide`."""
        return self.ticks.decide(crowd, due)

    def after_events(self, applied: Applied, parts: dict[int, Partition]) -> None:
        """Learn and decide the customers of events, after each of them."""
        updated = applied.updated
        numbers = np.unique(applied.partition).tolist()
        tick = np.zeros(max(numbers) + 1, np.int64)
        for number in numbers:
            tick[number] = parts[number].tick_ms
        now = np.maximum(newest_time(updated.after), tick[applied.partition])
        ready = updated.accepted & eligible(updated.after, self.rules.min_events)
        view = View(updated.after, now, self.calendar)
        view.read(self._wanted([parts[number] for number in numbers]))
        everyone = sorted(parts)
        owner = np.searchsorted(everyone, applied.partition)
        seen = Seen(applied, [*map(parts.__getitem__, everyone)], owner, view, now, ready, vectors(view))
        self._learn(seen)
        self.stages.lap("vector")
        group_part = applied.partition[updated.order[updated.start]]
        moves: list[Moves] = []
        for (model, rules), theirs in groups_of([parts[number] for number in numbers]):
            chosen = np.isin(group_part, [part.number for part in theirs])
            groups = Groups.of(updated.order, updated.start, chosen)
            held = np.repeat(updated.before["behaviour"][groups.picked], _sizes(groups)).astype(np.int64)
            distances = None
            if model is not None:
                distances = self._distances(seen, model, groups)
                behaviour, held = self._behaviour(seen, model, distances, groups, held)
                moves.append(behaviour)
                self.stages.lap("assign")
            if rules is not None:
                judge = Judge(model, rules, self.rules, self.calendar)
                moves.append(self._audiences(seen, judge, rules, distances, groups, held))
                self.stages.lap("audiences")
            self._stamp(updated.rows[groups.picked], model, rules)
        self.journal.publish("event", moves)
        self.stages.lap("changes")

    def _wanted(self, parts: Sequence[Partition]) -> list[Feature]:
        """Return the features by which customers of partitions are decided."""
        rules = {id(part.rules): part.rules for part in parts if part.rules is not None}
        names = {name for one in rules.values() for name in one.columns if name in BY_NAME}
        return [*CLUSTERED, *(BY_NAME[name] for name in names)]

    def _stamp(self, rows: NDArray[np.intp], model: Model | None, rules: Rules | None) -> None:
        """Say by what customers were decided: a sweep that goes on after a restart leaves them out."""
        if model is not None:
            self.slab.rows["model_version"][rows] = model.version
        if rules is not None:
            self.slab.rows["definitions_version"][rows] = rules.version

    def _learn(self, seen: Seen) -> None:
        """Learn each customer at the first decision of a day."""
        applied, updated = seen.applied, seen.applied.updated
        order, start = updated.order, updated.start
        before = updated.before["learned_day"].astype(np.int64)
        due = np.where(seen.ready[order], seen.now[order] // DAY_MS, 0)
        earlier = np.concatenate([[0], due[:-1]])
        earlier[start] = before
        teach = due > running_max(earlier, start)
        if not teach.any():
            return
        self.slab.rows["learned_day"][updated.rows] = np.maximum(np.maximum.reduceat(due, start), before)
        by_event = np.sort(order[teach])
        for place in np.unique(seen.owner[by_event]).tolist():
            mine = by_event[seen.owner[by_event] == place]
            accumulator = seen.parts[place].accumulator
            accumulator.learn(seen.vectors[mine])
            keys = applied.events.key.take(applied.chosen[mine]).filled()
            show(accumulator, keys, gather(updated.after, mine), seen.now[mine], self.rules.erasure_key)

    def _distances(self, seen: Seen, model: Model, groups: Groups) -> F64:
        """Return the distances (n, k) by a model, of the customers of `groups`."""
        if len(groups.order) == len(seen.now):
            return model.distances(seen.vectors)
        distances = np.zeros((len(seen.now), len(model.numbers)))
        distances[groups.order] = model.distances(seen.vectors[groups.order])
        return distances

    def _behaviour(
        self, seen: Seen, model: Model, distances: F64, groups: Groups, held: I64
    ) -> tuple[BehaviourMoves, I64]:
        """Return the moves by one model, and the number held after each event of `groups.order`."""
        updated, order = seen.applied.updated, groups.order
        current = updated.before["behaviour"][groups.picked].astype(np.int64)
        moves, _ = decide(
            model,
            distances,
            self.rules.margin,
            current,
            order,
            groups.start,
            seen.ready,
            at_ms=seen.now,
            since_ms=updated.before["behaviour_since"][groups.picked],
            min_stay_ms=self.rules.min_stay_ms,
        )
        self.observer.held(moves.by_margin, moves.by_stay)
        if len(moves.event):
            held = _filled(held, groups, moves.event, moves.new, len(seen.now))
        who = self._movers(seen, moves.event)
        found = BehaviourMoves(
            who, model, moves.old, moves.new, seen.vectors[moves.event], distances[moves.event]
        )
        return found, held

    def _audiences(
        self, seen: Seen, judge: Judge, rules: Rules, distances: F64 | None, groups: Groups, held: I64
    ) -> AudienceMoves:
        """Return who enters and leaves audiences."""
        updated = seen.applied.updated
        numbers, former = np.zeros((2, len(seen.now)), np.int64)
        numbers[groups.order] = held
        former[groups.order[1:]] = held[:-1]
        former[groups.order[groups.start]] = updated.before["behaviour"][groups.picked]
        view = seen.view.valued(value_of(judge.model))
        inputs = inputs_of(rules.columns, view, numbers, seen.parts, seen.owner, judge.model)
        standing = standing_of(updated.before, groups.picked)
        flips = rules.decide_events(inputs, standing, groups.order, groups.start, updated.accepted, seen.now)
        who = self._movers(seen, flips.row)
        began = np.where(flips.entered, flips.time_ms // 1000, flips.since_s) * 1000
        theirs_now = numbers[flips.row]
        far = None if distances is None else distances[flips.row]
        sure = judge.sure(who.after, who.at, theirs_now, far)
        before = former[flips.row]
        return AudienceMoves(
            who, rules, judge.model, flips.slot, flips.entered, theirs_now, before, sure, began
        )

    def _movers(self, seen: Seen, event: NDArray[np.intp]) -> Movers:
        """Return the customers whom events move."""
        applied = seen.applied
        group, before = applied.groups_of(event)
        at, before_at = seen.now[event], before["last_seen"]
        return Movers(
            rows=applied.updated.rows[group],
            parts=seen.parts,
            owner=seen.owner[event],
            when=event.astype(np.int64),
            at=at,
            after=gather(applied.updated.after, event),
            before=before,
            before_at=np.where(before_at > 0, before_at, at),
            trigger=applied.triggers(event),
        )


def _sizes(groups: Groups) -> NDArray[np.intp]:
    return np.diff(np.append(groups.start, len(groups.order)))


def _filled(held: I64, groups: Groups, event: NDArray[np.intp], new: I64, n: int) -> I64:
    """Return the number held after each event of `groups.order`, from the moves."""
    place = np.empty(n, np.intp)
    place[groups.order] = np.arange(len(groups.order))
    held = held.copy()
    held[place[event]] = new
    last = np.zeros(len(held), np.intp)
    last[groups.start] = groups.start
    last[place[event]] = place[event]
    return held[np.maximum.accumulate(last)]

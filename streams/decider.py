"""Decide customers: after their events, and at ticks when time has passed or a newer model is adopted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.calendar import DAY_MS, Calendar
from models.clusterer import Model
from models.events import F64, I64, Bool, Events
from models.features import BY_NAME, View, vectors
from models.hysteresis import decide
from models.profiles import Slab, Updated, gather
from streams.codec.changes import Trigger
from streams.codec.output_records import Cause
from streams.decisions import Decided, changes_of
from streams.observer import EngineObserver
from streams.partition import Partition
from streams.records import INPUT_TOPICS, RawBatch
from streams.rules import EngineRules

SWEEP_SLICE = 1024
"""Customers decided at a time at a tick; their rows fit the processor's cache."""


@dataclass(slots=True)
class Chunk:
    """Events of a chunk that were applied together, and what they did."""

    raw: RawBatch
    events: Events
    chosen: NDArray[np.intp]
    """(n,) index of each applied event in `events`."""
    partition: NDArray[np.int32]
    updated: Updated


@dataclass(slots=True)
class Crowd:
    """Customers decided together at a tick."""

    parts: Sequence[Partition]
    owner: NDArray[np.intp]
    """(n,) index into `parts`."""
    rows: NDArray[np.intp]
    r: NDArray[np.void]
    """(n,) copies of the rows."""

    def pick(self, at: NDArray[np.intp]) -> Crowd:
        """Return the customers at these places, ascending."""
        if len(at) == len(self.rows):
            return self
        return self.sorted(at)

    def sorted(self, order: NDArray[np.intp]) -> Crowd:
        """Return the customers in another order."""
        return Crowd(self.parts, self.owner[order], self.rows[order], gather(self.r, order))

    def current(self) -> I64:
        """Return the number of the segment that each holds."""
        return self.r["behaviour"].astype(np.int64)

    def at(self, time_ms: I64 | int) -> I64:
        """Return when each is decided: a decision's time never goes back."""
        return np.maximum(self.r["last_seen"], time_ms)


@dataclass(slots=True)
class Decider:
    """Decides customers of any partitions and keeps the change events in their partitions."""

    slab: Slab
    rules: EngineRules
    calendar: Calendar
    observer: EngineObserver

    def eligible(self, rows: NDArray[np.void]) -> Bool:
        """Return who has told enough to be put into a segment; (n,) from (n,) rows."""
        told = rows["views"].astype(np.int64) + rows["clicks"] + rows["orders"]
        return (rows["orders"] > 0) | (told >= self.rules.min_events) | (rows["behaviour"] > 0)

    # ---- after events ---------------------------------------------------------------------------
    def after_events(self, chunk: Chunk, parts: dict[int, Partition]) -> None:
        """Learn and decide the customers of a chunk, after each of their events."""
        updated = chunk.updated
        numbers = np.unique(chunk.partition).tolist()
        tick = np.zeros(max(numbers) + 1, np.int64)
        for number in numbers:
            tick[number] = parts[number].tick_ms
        now = np.maximum(updated.after["last_seen"], tick[chunk.partition])
        ready = updated.accepted & self.eligible(updated.after)
        seen = vectors(View(updated.after, now, self.calendar))
        self._learn(chunk, parts, now, ready, seen)
        group_part = chunk.partition[updated.order[updated.start]]
        versions = {number: parts[number].model for number in numbers}
        for model in {id(m): m for m in versions.values() if m is not None}.values():
            groups = np.isin(group_part, [number for number in numbers if versions[number] is model])
            self._decide(chunk, parts, model, groups, now, ready, seen)

    def _learn(self, chunk: Chunk, parts: dict[int, Partition], now: I64, ready: Bool, seen: F64) -> None:
        """Learn each customer at the first decision of a day."""
        updated = chunk.updated
        order, start = updated.order, updated.start
        before = updated.before["learned_day"].astype(np.int64)
        due = np.where(ready[order], now[order] // DAY_MS, 0)
        earlier = np.concatenate([[0], due[:-1]])
        earlier[start] = before
        teach = due > _running_max(earlier, start)
        if not teach.any():
            return
        self.slab.rows["learned_day"][updated.rows] = np.maximum(np.maximum.reduceat(due, start), before)
        by_event = np.sort(order[teach])
        for number in np.unique(chunk.partition[by_event]).tolist():
            mine = by_event[chunk.partition[by_event] == number]
            parts[number].accumulator.learn(seen[mine])

    def _decide(
        self,
        chunk: Chunk,
        parts: dict[int, Partition],
        model: Model,
        groups: Bool,
        now: I64,
        ready: Bool,
        seen: F64,
    ) -> None:
        """Decide the chosen groups (customers) by one model."""
        updated = chunk.updated
        order, start = updated.order, updated.start
        picked = np.flatnonzero(groups)
        if len(picked) < len(start):
            sizes = np.diff(np.append(start, len(order)))
            order = order[np.repeat(groups, sizes)]
            start = np.concatenate([[0], np.cumsum(sizes[picked])[:-1]]).astype(np.intp)
        distances = np.zeros((len(now), len(model.numbers)))
        distances[order] = model.distances(seen[order])
        current = updated.before["behaviour"][picked].astype(np.int64)
        moves, _ = decide(model, distances, self.rules.margin, current, order, start, ready)
        event = moves.event
        if not len(event):
            return
        place = np.empty(len(now), np.intp)
        place[updated.order] = np.arange(len(now))
        group = np.searchsorted(updated.start, place[event], side="right") - 1
        first = place[event] == updated.start[group]
        previous = gather(updated.after, updated.order[np.maximum(place[event] - 1, 0)])
        before = np.where(first, gather(updated.before, group), previous)
        source = chunk.events.source[chunk.chosen[event]].tolist()
        self._move(
            model,
            "event",
            updated.rows[group],
            [parts[number] for number in chunk.partition[event].tolist()],
            moves.old,
            moves.new,
            now[event],
            gather(updated.after, event),
            before,
            before["last_seen"],
            seen[event],
            distances[event],
            [_trigger(chunk.raw, at) for at in source],
        )

    # ---- at ticks -------------------------------------------------------------------------------
    def at_tick(self, parts: Sequence[Partition], since_ms: Sequence[int], tick_ms: int) -> None:
        """Learn and decide all customers of partitions as of a tick.

        Args:
            parts: the partitions.
            since_ms: the tick before, of each.
            tick_ms: the tick.
        """
        day = tick_ms // DAY_MS
        for crowd in self._crowds(parts):
            seen = vectors(View(crowd.r, crowd.at(tick_ms), self.calendar))
            teach = crowd.r["learned_day"] < day
            if teach.any():
                self.slab.rows["learned_day"][crowd.rows[teach]] = day
                crowd.r["learned_day"][teach] = day
                for i, part in enumerate(parts):
                    mine = teach & (crowd.owner == i)
                    part.accumulator.learn(seen[mine])
                    part.hot.append(crowd.rows[mine])
            for model, mine in _by_model(crowd):
                self._decide_due(
                    model, crowd.pick(np.flatnonzero(mine)), seen[mine], np.array(since_ms), tick_ms
                )

    def adopt(self, parts: Sequence[Partition], model: Model, tick_ms: int) -> None:
        """Put a model in force and decide all customers of the partitions by it, as of a tick."""
        for part in parts:
            part.model = model
            part.accumulator.adopt(model)
        for crowd in self._crowds(parts):
            now = crowd.at(tick_ms)
            seen = vectors(View(crowd.r, now, self.calendar))
            moving = model.decide(seen, crowd.current(), self.rules.margin) != crowd.current()
            if moving.any():
                self._move_at(model, "model", crowd.pick(np.flatnonzero(moving)), now[moving], now[moving])

    def _crowds(self, parts: Sequence[Partition]) -> Iterator[Crowd]:
        """Yield the eligible customers of partitions, a slice at a time."""
        owner = np.repeat(np.arange(len(parts)), [len(part.index) for part in parts])
        rows = np.concatenate([np.fromiter(part.index.values(), np.intp, len(part.index)) for part in parts])
        for start in range(0, len(rows), SWEEP_SLICE):
            here, whose = rows[start : start + SWEEP_SLICE], owner[start : start + SWEEP_SLICE]
            r = gather(self.slab.rows, here)
            ready = self.eligible(r)
            crowd = Crowd(parts, whose, here, r)
            if ready.all():
                yield crowd
            elif ready.any():
                yield crowd.pick(np.flatnonzero(ready))

    def _decide_due(self, model: Model, crowd: Crowd, seen: F64, since_ms: I64, tick_ms: int) -> None:
        """Decide customers at a tick; who moves does so at the first tick of the grid that would move them.

        The first such tick is found by bisection, and again from there on, until nobody moves.
        """
        grid, margin = self.rules.sweep_ms, self.rules.margin
        low = since_ms[crowd.owner] // grid
        leaves = model.decide(seen, crowd.current(), margin) != crowd.current()
        while leaves.any():
            crowd, low = crowd.pick(np.flatnonzero(leaves)), low[leaves]
            current = crowd.current()
            high = np.full(len(low), tick_ms // grid, np.int64)
            while (high - low > 1).any():
                middle = (low + high) // 2
                seen = vectors(View(crowd.r, crowd.at(middle * grid), self.calendar))
                gone = model.decide(seen, current, margin) != current
                high, low = np.where(gone, middle, high), np.where(gone, low, middle)
            by_time = np.argsort(high, kind="stable")
            crowd, low = crowd.sorted(by_time), high[by_time]
            before = np.minimum(crowd.at(since_ms[crowd.owner]), crowd.at(low * grid))
            self._move_at(model, "time", crowd, crowd.at(low * grid), before)
            crowd.r = gather(self.slab.rows, crowd.rows)
            seen = vectors(View(crowd.r, crowd.at(tick_ms), self.calendar))
            leaves = model.decide(seen, crowd.current(), margin) != crowd.current()

    # ---- moves ----------------------------------------------------------------------------------
    def _move_at(self, model: Model, cause: Cause, crowd: Crowd, now: I64, before_at: I64) -> None:
        """Move customers to what they are decided to be at their times."""
        seen = vectors(View(crowd.r, now, self.calendar))
        distances = model.distances(seen)
        current = crowd.current()
        new = model.step(distances, current, self.rules.margin)
        moving = np.flatnonzero(new != current)
        if len(moving) < len(new):
            crowd, current, new, now = crowd.pick(moving), current[moving], new[moving], now[moving]
            seen, distances, before_at = seen[moving], distances[moving], before_at[moving]
        parts = [crowd.parts[i] for i in crowd.owner.tolist()]
        none = [None] * len(parts)
        self._move(
            model,
            cause,
            crowd.rows,
            parts,
            current,
            new,
            now,
            crowd.r,
            crowd.r,
            before_at,
            seen,
            distances,
            none,
        )

    def _move(
        self,
        model: Model,
        cause: Cause,
        rows: NDArray[np.intp],
        parts: Sequence[Partition],
        old: I64,
        new: I64,
        at: I64,
        after: NDArray[np.void],
        before: NDArray[np.void],
        before_at: I64,
        seen: F64,
        distances: F64,
        triggers: Sequence[Trigger | None],
    ) -> None:
        """Write moves into the rows, in order, and keep their change events for the commit."""
        slab = self.slab.rows
        since, sequence = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
        for i, row in enumerate(rows.tolist()):
            since[i], sequence[i] = slab["behaviour_since"][row], slab["sequence"][row]
            slab["behaviour"][row] = new[i]
            slab["behaviour_since"][row] = at[i]
            slab["model_version"][row] = model.version
            slab["sequence"][row] += 1 + (old[i] > 0)
        moves = Decided(
            key=self.slab.keys(rows.tolist()),
            names=[part.names for part in parts],
            old=old,
            new=new,
            since=since,
            sequence=sequence,
            at=at,
            after=after,
            before=before,
            before_at=np.where(before_at > 0, before_at, at),
            vectors=seen,
            confidence=model.confidence(distances, new),
            trigger=triggers,
        )
        main = [BY_NAME[name] for name in self.rules.main_features]
        found = changes_of(moves, model, cause, main, self.calendar, self.rules.run_id)
        for part, key, row, records in zip(parts, moves.key, rows.tolist(), found, strict=True):
            part.changes.extend(records)
            part.changed[key] = records[-1]
            part.hot.append(np.array([row]))
            for change in records:
                self.observer.change(change)


def _by_model(crowd: Crowd) -> Iterator[tuple[Model, Bool]]:
    """Yield each model in force and whose customers it decides."""
    models = {id(part.model): part.model for part in crowd.parts if part.model is not None}
    for model in models.values():
        owners = [i for i, part in enumerate(crowd.parts) if part.model is model]
        yield model, np.isin(crowd.owner, owners)


class _EventId(msgspec.Struct):
    event_id: str


_decode_id = msgspec.json.Decoder(_EventId).decode


def _trigger(raw: RawBatch, source: int) -> Trigger:
    event_id = _decode_id(raw.value[source] or b"{}").event_id
    return Trigger(INPUT_TOPICS[raw.topic[source]], raw.partition[source], raw.offset[source], event_id)


def _running_max(values: I64, start: NDArray[np.intp]) -> I64:
    """Return the running maximum within groups that begin at `start`; values are not negative."""
    sizes = np.diff(np.append(start, len(values)))
    lift = np.repeat(np.arange(len(start)), sizes) * (int(values.max(initial=0)) + 1)
    return np.maximum.accumulate(values + lift) - lift

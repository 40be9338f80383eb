"""The engine: chunk in, effects out. The worker, the replay and the demo all call this, and nothing else.

A chunk is decoded, applied to the profiles and decided in one call over all partitions. Customers are decided
after each of their own events and at ticks, which are multiples of the sweep interval of stream time: so the
result does not depend on where chunks or commits happen to end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.calendar import DAY_MS, HOUR_MS, Calendar
from models.clusterer import Accumulator, Model
from models.events import I64, Bool, Events, Kind
from models.features import BY_NAME, CLUSTERED, View, vectors
from models.hysteresis import decide
from models.profiles import HOT_BYTES, Columns, Slab, Updated, gather, update
from streams.clock import Clock
from streams.codec import profile_rows as rows_codec
from streams.codec.changes import Change, Trigger
from streams.codec.dead_letters import encode_dead_letter
from streams.codec.events import Decoder
from streams.codec.guards import PartitionerCheck, UnusableShare
from streams.codec.output_records import Cause, Origin
from streams.coding import to_columns
from streams.decisions import Decided, changes_of
from streams.errors import LiveSegmentsError
from streams.observer import NO_OBSERVER, EngineObserver
from streams.outbox import take
from streams.partition import NOWHERE, Partition
from streams.records import INPUT_TOPICS, Batch, RawBatch

FEATURE_NAMES = tuple(f.name for f in CLUSTERED)
KEPT_MODELS = 64
"""Model versions kept for partitions that have not adopted a newer one."""
SWEEP_SLICE = 8192
"""Customers decided at a time in a sweep."""


@dataclass(frozen=True, kw_only=True)
class EngineRules:
    """What a deployment says about the engine."""

    app_id: str
    margin: float = 0.2
    """Share by which another segment must be nearer before a customer moves."""
    min_events: int = 3
    """Events before a customer without orders gets a segment; an order suffices."""
    sweep_ms: int = 30_000
    """The tick interval near the wall clock, and the grid of due times."""
    catchup_sweep_ms: int = HOUR_MS
    """The tick interval while stream time is more than `catchup_after_ms` behind the wall clock."""
    catchup_after_ms: int = HOUR_MS
    main_features: tuple[str, ...] = ()
    erasure_key: str = "live-segments"
    run_id: str = "live"
    origin: Origin | None = None
    """Origin of all records; None: live or catchup, by age at the commit."""
    max_unusable_share: float = 0.9
    capacity: int = 1 << 23
    """Most customers in memory."""


@dataclass(slots=True)
class Engine:
    """Profiles, decisions and their uncommitted effects, for all partitions of a worker."""

    rules: EngineRules
    decoder: Decoder
    clock: Clock
    calendar: Calendar
    partitioner_check: PartitionerCheck | None = None
    observer: EngineObserver = NO_OBSERVER
    parts: dict[int, Partition] = field(default_factory=dict)
    slab: Slab = field(init=False)
    unusable: UnusableShare = field(init=False)
    models: dict[int, Model] = field(default_factory=dict)
    newest: Model | None = None

    def __post_init__(self) -> None:
        """Reserve the slab."""
        self.slab = Slab(self.rules.capacity)
        self.unusable = UnusableShare(self.rules.max_unusable_share)

    # ---- life of a partition ------------------------------------------------------------------
    def open(self, partition: int) -> None:
        """Start a partition empty, before its restore."""
        self.close(partition)
        self.parts[partition] = Partition(partition, Accumulator(FEATURE_NAMES))

    def restore(
        self, partition: int, keys: Sequence[bytes], values: Sequence[bytes | None]
    ) -> None:
        """Apply changelog records in order; called as often as needed after `open`.

        Raises:
            LiveSegmentsError: the changelog was written in another format.
        """
        part = self.parts[partition]
        for key, value in zip(keys, values, strict=True):
            self._restore_one(part, key, value)

    def _restore_one(self, part: Partition, key: bytes, value: bytes | None) -> None:
        prefix = key[:1]
        if prefix in {rows_codec.HOT_PREFIX, rows_codec.COLD_PREFIX}:
            customer = key[1:]
            row = part.index.get(customer)
            if value is None:
                if row is not None and prefix == rows_codec.HOT_PREFIX:
                    self._forget_row(part, customer)
                return
            hot = prefix == rows_codec.HOT_PREFIX
            rows_codec.check_block(value, hot=hot)
            if row is None:
                row = part.index[customer] = self.slab.new(part.number, customer)
            block = np.frombuffer(value, np.uint8, offset=1)
            if hot:
                self.slab.bytes[row, :HOT_BYTES] = block
            else:
                self.slab.bytes[row, HOT_BYTES:] = block
        elif value is None:
            return
        elif prefix == rows_codec.NAME_PREFIX:
            space, code = rows_codec.decode_name_key(key)
            part.names.put(space, code, value.decode())
        elif prefix == rows_codec.ERASED_PREFIX:
            part.erased[key[1:]] = rows_codec.decode_erased(value)
        elif key == rows_codec.META_KEY:
            meta = rows_codec.decode_meta(value)
            part.stream_ms, part.anchor_ms, part.tick_ms = meta.stream_ms, meta.anchor_ms, meta.tick_ms
            part.positions = [meta.positions.get(t, NOWHERE) for t in INPUT_TOPICS]
            part.counted, part.dead = meta.counted, meta.dead
            part.duplicates, part.ignored = meta.duplicates, meta.erased
            if meta.model_version:
                part.model = self.models.get(meta.model_version, self.newest)
                if part.model is not None:
                    part.accumulator.adopt(part.model)

    def opened(self, partition: int, positions: dict[int, int]) -> None:
        """Check the restored state against the committed offsets, topic index to next offset.

        Raises:
            LiveSegmentsError: the state was made from other records than the group has committed.
        """
        part = self.parts[partition]
        for topic, offset in positions.items():
            restored = part.positions[topic]
            if restored not in {NOWHERE, offset}:
                raise LiveSegmentsError(
                    f"partition {partition}: the state was made up to {INPUT_TOPICS[topic]} offset {restored}, but "
                    f"the group has committed {offset}: was the group's offset or the changelog reset? Reset both, "
                    "or use a new LIVE_SEGMENTS_APP_ID"
                )

    def close(self, partition: int) -> None:
        """Drop all state of a partition."""
        if self.parts.pop(partition, None) is not None:
            self.slab.drop(partition)
            self.unusable.forget(partition)

    def offer_model(self, data: bytes) -> None:
        """Take note of a model; partitions adopt the newest one at their next tick.

        Raises:
            ModelFormatError: the bytes are not a model.
        """
        model = Model.from_bytes(data)
        if model.features != FEATURE_NAMES:
            return
        self.models[model.version] = model
        for version in sorted(self.models)[:-KEPT_MODELS]:
            del self.models[version]
        if self.newest is None or model.version > self.newest.version:
            self.newest = model
        self.observer.model(self.newest.version)

    # ---- processing -----------------------------------------------------------------------------
    def process(self, raw: RawBatch) -> None:
        """Decode, apply and decide a chunk.

        Raises:
            LiveSegmentsError: the input is such that going on would do harm.
        """
        now_ms = self.clock.now_ms()
        if self.partitioner_check is not None and not self.partitioner_check.done:
            self.partitioner_check.observe(raw)
        decoded = self.decoder.decode(raw, now_ms)
        for letter in decoded.dead:
            part = self.parts[raw.partition[letter.index]]
            part.dead_letters.append(encode_dead_letter(raw, letter))
            part.dead += 1
            self.observer.dead_letter(letter.reason.value)
        self.unusable.observe(raw, decoded.dead)
        for number, topic, offset in zip(raw.partition, raw.topic, raw.offset, strict=True):
            part = self.parts[number]
            part.positions[topic] = offset + 1
            part.pending += 1
        for number in set(raw.partition):
            self.parts[number].anchor_ms = now_ms
        self.observer.records(raw.topic, decoded.unknown_fields)
        if len(decoded.events):
            names = {number: part.names for number, part in self.parts.items()}
            self._apply(raw, decoded.events, to_columns(decoded.events, names, self.calendar), now_ms)

    def advance(self, partition: int, wall_ms: int) -> None:
        """Let stream time go on with the wall clock: called while a partition has nothing to process."""
        part = self.parts[partition]
        if part.stream_ms:
            elapsed = max(wall_ms - part.anchor_ms, 0)
            part.anchor_ms = wall_ms
            self.advance_to(partition, min(part.stream_ms + elapsed, wall_ms), wall_ms)

    def advance_to(self, partition: int, stream_ms: int, wall_ms: int) -> None:
        """Move stream time of a partition forward, and sweep if that crosses a tick."""
        part = self.parts[partition]
        if not part.stream_ms or stream_ms <= part.stream_ms:
            return
        part.stream_ms = stream_ms
        interval = self._interval(stream_ms, wall_ms)
        tick = stream_ms // interval * interval
        if tick > part.tick_ms:
            self._sweep(part, tick)

    def _interval(self, stream_ms: int, wall_ms: int) -> int:
        behind = wall_ms - stream_ms > self.rules.catchup_after_ms
        return self.rules.catchup_sweep_ms if behind else self.rules.sweep_ms

    def _apply(self, raw: RawBatch, events: Events, columns: Columns, wall_ms: int) -> None:
        """Apply events; before the one that crosses a tick, its partition is swept."""
        queues = {
            int(p): np.flatnonzero(events.partition == p) for p in np.unique(events.partition)
        }
        while queues:
            ready: list[NDArray[np.intp]] = []
            then: list[tuple[Partition, int | None, int]] = []
            for number in list(queues):
                part, index = self.parts[number], queues[number]
                count, stream_ms, erase = self._cut(part, events, index, wall_ms)
                ready.append(index[:count])
                part.stream_ms = max(part.stream_ms, stream_ms)
                rest = index[count + (erase is not None) :]
                if count < len(index):
                    then.append((part, erase, int(index[count])))
                if len(rest):
                    queues[number] = rest
                else:
                    del queues[number]
            chosen = np.sort(np.concatenate(ready))
            if len(chosen):
                self._kernel(raw, events, columns, chosen)
            for part, erase, at in then:
                if erase is not None:
                    self._erase(part, events.key[at], int(events.time[at]))
                else:
                    self.advance_to(part.number, min(int(events.time[at]), wall_ms), wall_ms)

    def _cut(
        self, part: Partition, events: Events, index: NDArray[np.intp], wall_ms: int
    ) -> tuple[int, int, int | None]:
        """Return how many events to apply at once, stream time after them, and the erasure that comes next."""
        capped = np.minimum(events.time[index], wall_ms)
        if part.stream_ms == 0:
            part.stream_ms = int(capped[0])
            part.tick_ms = part.stream_ms // self.rules.sweep_ms * self.rules.sweep_ms
        running = np.maximum(np.maximum.accumulate(capped), part.stream_ms)
        interval = self._interval(part.stream_ms, wall_ms)
        crossing = running // interval * interval > part.tick_ms
        count = int(crossing.argmax()) if crossing.any() else len(index)
        erasures = np.flatnonzero(events.kind[index[:count]] == Kind.ERASE)
        erase = None
        if len(erasures):
            count = int(erasures[0])
            erase = count
        stream_ms = int(running[count - 1]) if count else part.stream_ms
        return count, stream_ms, erase

    def _kernel(
        self, raw: RawBatch, events: Events, columns: Columns, chosen: NDArray[np.intp]
    ) -> None:
        """Apply and decide events between which no tick lies."""
        chosen, rows = self._rows(events, chosen)
        if not len(chosen):
            return
        cols = columns.take(chosen)
        updated = update(self.slab.rows, rows, cols)
        partition = events.partition[chosen]
        cold = (cols.kind >= Kind.PURCHASE) | (cols.country > 0) | (cols.interest[:, 1] > cols.interest[:, 0])
        for number in np.unique(partition).tolist():
            part, mine = self.parts[number], partition == number
            part.hot.append(rows[mine])
            part.cold.append(rows[mine & cold])
            many = int(np.count_nonzero(mine & ~updated.accepted))
            part.duplicates += many
            part.counted += int(np.count_nonzero(mine)) - many
        self.observer.events(updated.accepted, updated.late)
        self._decide_events(raw, events, chosen, partition, updated)

    def _rows(
        self, events: Events, chosen: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the events to apply and their rows; events from before an erasure are left out."""
        rows: list[int] = []
        kept: list[int] = []
        partition, keys, new = events.partition, events.key, self.slab.new
        for i, number in zip(chosen.tolist(), partition[chosen].tolist(), strict=True):
            part, key = self.parts[number], keys[i]
            sequence = 0
            if part.erased:
                marker = part.erased.get(rows_codec.erased_hash(key, self.rules.erasure_key))
                if marker is not None:
                    if events.time[i] <= marker[0]:
                        part.ignored += 1
                        continue
                    sequence = marker[1]
            row = part.index.get(key)
            if row is None:
                row = part.index[key] = new(number, key)
                if sequence:
                    self.slab.rows[row]["sequence"] = sequence
            rows.append(row)
            kept.append(i)
        return np.array(kept, np.intp), np.array(rows, np.intp)

    # ---- decisions ------------------------------------------------------------------------------
    def _eligible(self, rows: NDArray[np.void]) -> Bool:
        """Return who has told enough to be put into a segment."""
        told = rows["views"].astype(np.int64) + rows["clicks"] + rows["orders"]
        return (rows["orders"] > 0) | (told >= self.rules.min_events) | (rows["behaviour"] > 0)

    def _decide_events(
        self,
        raw: RawBatch,
        events: Events,
        chosen: NDArray[np.intp],
        partition: NDArray[np.int32],
        updated: Updated,
    ) -> None:
        numbers = np.unique(partition).tolist()
        tick = np.zeros(max(numbers) + 1, np.int64)
        for number in numbers:
            tick[number] = self.parts[number].tick_ms
        now = np.maximum(updated.after["last_seen"], tick[partition])
        ready = updated.accepted & self._eligible(updated.after)
        seen = vectors(View(updated.after, now, self.calendar))
        self._learn_events(partition, updated, now, ready, seen)
        group_part = partition[updated.order[updated.start]]
        versions = {number: self.parts[number].model for number in numbers}
        for model in {id(m): m for m in versions.values() if m is not None}.values():
            groups = np.isin(group_part, [number for number in numbers if versions[number] is model])
            self._decide_groups(raw, events, chosen, updated, groups, model, now, ready, seen)

    def _decide_groups(
        self,
        raw: RawBatch,
        events: Events,
        chosen: NDArray[np.intp],
        updated: Updated,
        groups: Bool,
        model: Model,
        now: I64,
        ready: Bool,
        seen: NDArray[np.float64],
    ) -> None:
        order, start = updated.order, updated.start
        sizes = np.diff(np.append(start, len(order)))
        picked = np.flatnonzero(groups)
        if len(picked) < len(start):
            order = order[np.repeat(groups, sizes)]
            start = np.concatenate([[0], np.cumsum(sizes[picked])[:-1]]).astype(np.intp)
        current = updated.before["behaviour"][picked].astype(np.int64)
        distances = np.zeros((len(now), len(model.numbers)))
        distances[order] = model.distances(seen[order])
        moves, _final = decide(model, distances, self.rules.margin, current, order, start, ready)
        if not len(moves.event):
            return
        at_order = np.empty(len(now), np.intp)
        at_order[updated.order] = np.arange(len(now))
        group = np.searchsorted(updated.start, at_order[moves.event], side="right") - 1
        first = at_order[moves.event] == updated.start[group]
        previous = updated.after[updated.order[np.maximum(at_order[moves.event] - 1, 0)]]
        before = np.where(first, updated.before[group], previous)
        self._move(
            model,
            "event",
            updated.rows[group],
            moves.old,
            moves.new,
            now[moves.event],
            updated.after[moves.event],
            before,
            np.maximum(before["last_seen"], 0),
            seen[moves.event],
            distances[moves.event],
            [_trigger(raw, int(events.source[chosen[e]])) for e in moves.event.tolist()],
            [self.parts[int(events.partition[chosen[e]])] for e in moves.event.tolist()],
        )

    def _move(
        self,
        model: Model,
        cause: Cause,
        rows: NDArray[np.intp],
        old: I64,
        new: I64,
        at: I64,
        after: NDArray[np.void],
        before: NDArray[np.void],
        before_at: I64,
        seen: NDArray[np.float64],
        distances: NDArray[np.float64],
        triggers: Sequence[Trigger | None],
        parts: Sequence[Partition],
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
            self.slab.keys(rows.tolist()),
            [part.names for part in parts],
            old,
            new,
            since,
            sequence,
            at,
            after,
            before,
            np.where(before_at > 0, before_at, at),
            seen,
            model.confidence(distances, new),
            triggers,
        )
        main = [BY_NAME[name] for name in self.rules.main_features]
        found = changes_of(moves, model, cause, main, self.calendar, self.rules.run_id)
        for part, key, row, records in zip(parts, moves.key, rows.tolist(), found, strict=True):
            part.changes.extend(records)
            part.changed[key] = records[-1]
            part.hot.append(np.array([row]))
            for change in records:
                self.observer.change(change.segment_set, change.entered, change.cause)

    # ---- learning -------------------------------------------------------------------------------
    def _learn_events(
        self,
        partition: NDArray[np.int32],
        updated: Updated,
        now: I64,
        ready: Bool,
        seen: NDArray[np.float64],
    ) -> None:
        """Learn each customer at the first decision of a day."""
        order, start = updated.order, updated.start
        day = now // DAY_MS
        sizes = np.diff(np.append(start, len(order)))
        learned = np.repeat(updated.before["learned_day"].astype(np.int64), sizes)
        due = np.where(ready[order], day[order], 0)
        previous = np.concatenate([[0], due[:-1]])
        previous[start] = 0
        running = _running_max(previous, start)
        teach = (due > learned) & (due > running)
        if not teach.any():
            return
        chosen = order[teach]
        newest = np.maximum(np.maximum.reduceat(due, start), updated.before["learned_day"].astype(np.int64))
        self.slab.rows["learned_day"][updated.rows] = newest
        by_event = np.sort(chosen)
        for number in np.unique(partition[by_event]).tolist():
            mine = by_event[partition[by_event] == number]
            self.parts[number].accumulator.learn(seen[mine])

    # ---- sweeps ---------------------------------------------------------------------------------
    def _sweep(self, part: Partition, tick_ms: int) -> None:
        """Decide all customers of a partition at a tick, then adopt a newer model and decide them again."""
        since_ms, part.tick_ms, part.moved = part.tick_ms, tick_ms, True
        rows = np.fromiter(part.index.values(), np.intp, len(part.index))
        for start in range(0, len(rows), SWEEP_SLICE):
            self._sweep_rows(part, rows[start : start + SWEEP_SLICE], since_ms, tick_ms)
        newest = self.newest
        if newest is not None and (part.model is None or newest.version > part.model.version):
            part.model = newest
            part.accumulator.adopt(newest)
            for start in range(0, len(rows), SWEEP_SLICE):
                self._decide_rows(part, rows[start : start + SWEEP_SLICE], tick_ms, "model")
        self.observer.sweep(part.number, len(rows))

    def _sweep_rows(self, part: Partition, rows: NDArray[np.intp], since_ms: int, tick_ms: int) -> None:
        r = gather(self.slab.rows, rows)
        ready = self._eligible(r)
        rows, r = rows[ready], gather(r, np.flatnonzero(ready))
        if not len(rows):
            return
        now = np.maximum(r["last_seen"], tick_ms)
        seen = vectors(View(r, now, self.calendar))
        day = tick_ms // DAY_MS
        teach = r["learned_day"] < day
        if teach.any():
            part.accumulator.learn(seen[teach])
            self.slab.rows["learned_day"][rows[teach]] = day
            part.hot.append(rows[teach])
        if part.model is not None:
            self._decide_due(part, rows, since_ms, tick_ms)

    def _decide_due(self, part: Partition, rows: NDArray[np.intp], since_ms: int, tick_ms: int) -> None:
        """Decide customers at a tick; who moves does so at the first tick of the grid at which they would have.

        The first such tick is found by bisection, and again from there on, until nobody moves.
        """
        model = part.model
        grid = self.rules.sweep_ms
        low = np.full(len(rows), since_ms // grid, np.int64)
        while len(rows) and model is not None:
            r = gather(self.slab.rows, rows)
            current = r["behaviour"].astype(np.int64)

            def moved(at: I64, r: NDArray[np.void] = r, current: I64 = current) -> Bool:
                now = np.maximum(r["last_seen"], at * grid)
                seen = vectors(View(r, now, self.calendar))
                return model.decide(seen, current, self.rules.margin) != current

            high = np.full(len(rows), tick_ms // grid, np.int64)
            leaves = moved(high)
            rows, low, high = rows[leaves], low[leaves], high[leaves]
            if not len(rows):
                return
            r, current = r[leaves], current[leaves]
            while (high - low > 1).any():
                middle = (low + high) // 2
                gone = moved(middle, r, current)
                high = np.where(gone, middle, high)
                low = np.where(gone, low, middle)
            order = np.argsort(high, kind="stable")
            rows, low, r, current = rows[order], high[order], r[order], current[order]
            self._move_at(part, model, "time", rows, r, current, np.maximum(r["last_seen"], low * grid), since_ms)

    def _decide_rows(self, part: Partition, rows: NDArray[np.intp], tick_ms: int, cause: Cause) -> None:
        """Decide customers once, as of a tick."""
        r = gather(self.slab.rows, rows)
        ready = self._eligible(r)
        rows, r = rows[ready], gather(r, np.flatnonzero(ready))
        model = part.model
        if not len(rows) or model is None:
            return
        now = np.maximum(r["last_seen"], tick_ms)
        current = r["behaviour"].astype(np.int64)
        seen = vectors(View(r, now, self.calendar))
        moving = model.decide(seen, current, self.rules.margin) != current
        if moving.any():
            self._move_at(part, model, cause, rows[moving], r[moving], current[moving], now[moving], tick_ms)

    def _move_at(
        self,
        part: Partition,
        model: Model,
        cause: Cause,
        rows: NDArray[np.intp],
        r: NDArray[np.void],
        current: I64,
        now: I64,
        before_ms: int,
    ) -> None:
        seen = vectors(View(r, now, self.calendar))
        distances = model.distances(seen)
        new = model.step(distances, current, self.rules.margin)
        before_at = np.minimum(np.maximum(r["last_seen"], before_ms), now)
        none = [None] * len(rows)
        self._move(
            model, cause, rows, current, new, now, r, r, before_at, seen, distances, none, [part] * len(rows)
        )

    # ---- erasure --------------------------------------------------------------------------------
    def _erase(self, part: Partition, key: bytes, at_ms: int) -> None:
        """Remove a customer: exit event, tombstones, and a marker so that replayed history is ignored."""
        part.counted += 1
        mark = rows_codec.erased_hash(key, self.rules.erasure_key)
        before_ms, sequence = part.erased.get(mark, (0, 0))
        row = part.index.get(key)
        if row is not None:
            r = self.slab.rows[row]
            sequence = int(r["sequence"])
            number = int(r["behaviour"])
            if number:
                sequence += 1
                part.changes.append(self._erasure_change(part, key, r, number, at_ms, sequence))
                self.observer.change("behaviour", entered=False, cause="erasure")
            self._forget_row(part, key)
        part.gone.append(key)
        part.changed.pop(key, None)
        part.erased[mark] = (max(before_ms, at_ms), sequence)
        part.fresh_erased.append(mark)

    def _forget_row(self, part: Partition, key: bytes) -> None:
        row = part.index.pop(key)
        part.hot = [rows[rows != row] for rows in part.hot]
        part.cold = [rows[rows != row] for rows in part.cold]
        self.slab.release(part.number, row)

    def _erasure_change(
        self, part: Partition, key: bytes, r: np.void, number: int, at_ms: int, sequence: int
    ) -> Change:
        known = part.model is not None and number in part.model.numbers
        name = part.model.segment(number).name if part.model is not None and known else f"b-{number}"
        return Change(
            customer_id=key.decode(),
            segment_set="behaviour",
            segment_id=f"b-{number}",
            segment_name=name,
            entered=False,
            previous_segment=f"b-{number}",
            since_ms=int(r["behaviour_since"]),
            timestamp_ms=max(at_ms, int(r["behaviour_since"])),
            sequence=sequence,
            cause="erasure",
            reason=f"Left {name} because the customer's data was erased.",
            model_version=int(r["model_version"]),
            definitions_version=int(r["definitions_version"]),
        )

    # ---- commit ---------------------------------------------------------------------------------
    def pending(self, partition: int) -> int:
        """Return the records processed since the last `take`."""
        return self.parts[partition].pending

    def dirty(self, partition: int) -> bool:
        """Return whether a partition has anything to commit."""
        return self.parts[partition].dirty()

    def take(self, partition: int, received_at_ms: int) -> Batch:
        """Return what a partition has to write since the last `take`, and forget it."""
        return take(self.parts[partition], self.slab, self.rules, received_at_ms)

    def customers(self, partition: int) -> int:
        """Return the number of customers of a partition."""
        return len(self.parts[partition].index)


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


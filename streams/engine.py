"""The engine: chunk in, effects out. The worker, the replay and the demo all call this, and nothing else.

A chunk is decoded, applied to the profiles and decided in one call over all partitions. Customers are decided
after each of their own events and at ticks, which are multiples of the sweep interval of stream time: so the
result does not depend on where chunks or commits happen to end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models import clusterer, hysteresis, packed, profiles
from models.calendar import Calendar
from models.clusterer import Accumulator
from models.events import I64, Events, Kind
from models.profiles import Columns, Slab, update
from streams import coding
from streams.clock import Clock
from streams.codec.dead_letters import encode_dead_letter
from streams.codec.events import Decoder
from streams.codec.guards import PartitionerCheck, UnusableShare
from streams.deciding import Applied, Decider
from streams.erasing import Eraser
from streams.errors import LiveSegmentsError, StaleStateError
from streams.index import Index
from streams.ledger import Entry
from streams.observer import NO_OBSERVER, EngineObserver
from streams.outbox import take
from streams.partition import Partition, deliver
from streams.records import INPUT_TOPICS, Batch, RawBatch
from streams.restoring import finish, restore
from streams.rules import EngineRules
from streams.stages import StageClock
from streams.sweeper import Sweeper
from streams.versions import FEATURE_NAMES, Versions

NEAR_MS = 500
"""A partition whose sweep is not done so long before the next tick gets no more records until it is."""


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
    decider: Decider = field(init=False)
    sweeper: Sweeper = field(init=False)
    eraser: Eraser = field(init=False)
    index: Index = field(init=False)
    unusable: UnusableShare = field(init=False)
    stages: StageClock = field(init=False)
    versions: Versions = field(default_factory=Versions)

    def __post_init__(self) -> None:
        """Reserve the slab and have the kernels ready."""
        self.slab = Slab(self.rules.capacity)
        profiles.prepare(self.slab.rows, self.calendar)
        clusterer.prepare()
        hysteresis.prepare()
        coding.prepare()
        packed.prepare()
        self.stages = StageClock(self.observer.stage)
        self.decider = Decider(self.slab, self.rules, self.calendar, self.observer, self.stages)
        self.sweeper = Sweeper(self.slab, self.decider, self.observer)
        self.eraser = Eraser(self.slab, self.sweeper, self.observer, self.rules)
        self.index = Index(self.slab, self.sweeper, self.rules.erasure_key)
        self.unusable = UnusableShare(self.rules.max_unusable_share)

    # ---- life of a partition ------------------------------------------------------------------
    def open(self, partition: int) -> None:
        """Start a partition empty, before its restore."""
        self.close(partition)
        self.parts[partition] = Partition(partition, Accumulator(FEATURE_NAMES))

    def restore(self, partition: int, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:
        """Apply changelog records in order; called as often as needed after `open`.

        Raises:
            LiveSegmentsError: the changelog was written in another format.
        """
        part = self.parts[partition]
        part.restoring = True
        restore(part, self.slab, keys, values)

    def knows(self, partition: int) -> bool:
        """Return whether the model and the definitions that a restored state was made with have been offered.

        Somebody else may have adopted them a moment ago, before they came here.
        """
        meta, versions = self.parts[partition].meta, self.versions
        return meta is None or (
            meta.model_version <= versions.seen_model
            and meta.definitions_version <= versions.seen_definitions
        )

    def restored(self, partition: int) -> None:
        """End a restore: what was read is all there is. `opened` does it too."""
        finish(self.parts[partition], self.versions)
        self.sweeper.forget(self.parts[partition])

    def opened(self, partition: int, positions: dict[int, int]) -> dict[int, int]:
        """Compare the restored state with the committed offsets; both are topic index to next offset.

        State and offsets are committed together, so they differ only when one of them was lost or reset. A
        state that is ahead of the group's offsets is right: it says itself which records it holds.

        Returns:
            The offsets to go on from. Where state and offsets are not committed together these are the
            group's: `process` leaves out what the state holds.

        Raises:
            StaleStateError: the group has committed more than the state holds.
            LiveSegmentsError: the group has forgotten some of the topics, as it does when they are deleted.
        """
        self.restored(partition)
        restored = self.parts[partition].positions
        held = {topic: max(restored[topic], 0) for topic in positions}
        for topic, offset in positions.items():
            if held[topic] < offset:
                raise StaleStateError(
                    f"partition {partition}: the state was made up to {INPUT_TOPICS[topic]} offset "
                    f"{held[topic]}, but the group has committed {offset}: was the changelog reset? "
                    "Restore it, or use a new LIVE_SEGMENTS_APP_ID"
                )
            if held[topic] and not offset and any(positions.values()) and self.rules.exactly_once:
                raise LiveSegmentsError(
                    f"partition {partition}: the state was made up to {INPUT_TOPICS[topic]} offset "
                    f"{held[topic]}, but the group has no offset of this topic any more: was it deleted and "
                    "made anew? Restore it, or use a new LIVE_SEGMENTS_APP_ID"
                )
        self.sweeper.resume(self.parts[partition])
        return held if self.rules.exactly_once else positions

    def close(self, partition: int) -> None:
        """Drop all state of a partition."""
        if self.parts.pop(partition, None) is not None:
            self.slab.drop(partition)
            self.unusable.forget(partition)

    def offer_model(self, data: bytes) -> None:
        """Take note of a model or of definitions; partitions adopt the newest at their next tick.

        Raises:
            ModelFormatError: the bytes are no model.
            DefinitionsError: they are no definitions, or such as this program cannot use.
        """
        self.versions.offer(data)
        model, rules = self.versions.model, self.versions.newest_rules
        self.observer.versions(model.version if model else 0, rules.version if rules else 0)

    # ---- processing -----------------------------------------------------------------------------
    def process(self, raw: RawBatch) -> None:
        """Decode, apply and decide a chunk.

        Raises:
            LiveSegmentsError: the input is such that going on would do harm.
        """
        self.stages.begin()
        now_ms = self.clock.now_ms()
        if not self.rules.exactly_once:
            raw = self._fresh(raw)
            if not len(raw):
                return
        if self.partitioner_check is not None and not self.partitioner_check.done:
            self.partitioner_check.observe(raw)
        decoded = self.decoder.decode(raw, now_ms)
        for letter in decoded.dead:
            part = self.parts[int(raw.partition[letter.index])]
            part.dead_letters.append(encode_dead_letter(raw, letter))
            topic = int(raw.topic[letter.index])
            part.ledger.add(Entry.DEAD, topic)
            self.observer.dead_letter(INPUT_TOPICS[topic], letter.reason.value, letter.detail)
        self.unusable.observe(raw, decoded.dead)
        deliver(self.parts, raw, now_ms)
        usable = np.bincount(raw.topic[decoded.events.source], minlength=len(INPUT_TOPICS)).tolist()
        self.observer.records(usable, decoded.unknown_fields)
        if len(decoded.events):
            names = {number: part.names for number, part in self.parts.items()}
            columns = coding.to_columns(decoded.events, names, self.calendar)
            self.stages.lap("decode")
            self._apply(raw, decoded.events, columns, now_ms)

    def _fresh(self, raw: RawBatch) -> RawBatch:
        """Leave out records that the restored state holds: a crash came before their offsets."""
        known = np.zeros((max(self.parts) + 1, len(INPUT_TOPICS)), np.int64)
        for number, part in self.parts.items():
            known[number] = part.positions
        fresh = np.flatnonzero(raw.offset >= known[raw.partition, raw.topic])
        return raw if len(fresh) == len(raw) else raw.take(fresh)

    def advance(self, partition: int, wall_ms: int) -> None:
        """Let stream time go on with the wall clock: called while a partition has nothing to process."""
        part = self.parts[partition]
        self.stages.begin()
        if part.stream_ms:
            elapsed = max(wall_ms - part.anchor_ms, 0)
            part.anchor_ms = wall_ms
            part.stream_ms = max(part.stream_ms, min(part.stream_ms + elapsed, wall_ms))
            self._cross([part], part.stream_ms // self.rules.sweep_ms * self.rules.sweep_ms)

    def advance_to(self, partitions: Iterable[int], stream_ms: int, wall_ms: int) -> None:
        """Move stream time of partitions forward, and decide all customers of those that cross a tick.

        A newer model is adopted at the tick, after everyone was decided by the old one.
        """
        behind = [p for p in map(self.parts.__getitem__, partitions) if 0 < p.stream_ms < stream_ms]
        for part in behind:
            part.stream_ms = stream_ms
        self._cross(behind, self._tick_of(stream_ms, wall_ms))

    def _cross(self, parts: Iterable[Partition], tick_ms: int) -> None:
        """Begin to sweep those of the partitions that have not yet seen the tick."""
        due = [part for part in parts if part.tick_ms < tick_ms]
        self.sweeper.begin(due, tick_ms, self.versions.model, self.versions.newest_rules)
        if not self.rules.sliced:
            self.sweeper.finish(due)
        self.stages.lap("sweep")

    def sweep(self, partitions: Iterable[int]) -> bool:
        """Carry on with one sweep that is under way in the partitions, for some milliseconds.

        Returns:
            Whether there is more to do.
        """
        under_way = [
            part for part in map(self.parts.__getitem__, partitions) if part.sweep and not part.full()
        ]
        if under_way:
            self.stages.begin()
            self.sweeper.go_on(under_way[0])
            self.stages.lap("sweep")
        return len(under_way) > 1 or any(part.sweep is not None for part in under_way)

    def _ticks(self, stream_ms: I64, wall_ms: int) -> I64:
        """Return the last tick at each stream time.

        Ticks are multiples of the sweep interval, or of coarser ones (rounded to the same grid) while stream
        time is far behind the wall clock: due times are found by bisection then.
        """
        rules, behind = self.rules, wall_ms - stream_ms
        near, far = behind <= rules.catchup_after_ms, behind > rules.history_after_ms
        grid = rules.sweep_ms
        catchup, history = (-(-ms // grid) * grid for ms in (rules.catchup_sweep_ms, rules.history_sweep_ms))
        interval = np.where(near, grid, np.where(far, history, catchup))
        return stream_ms // interval * interval

    def _tick_of(self, stream_ms: int, wall_ms: int) -> int:
        return int(self._ticks(np.array([stream_ms]), wall_ms)[0])

    def _apply(self, raw: RawBatch, events: Events, columns: Columns, wall_ms: int) -> None:
        """Apply events; before the one that crosses a tick, its partition is swept."""
        queues = {int(p): np.flatnonzero(events.partition == p) for p in np.unique(events.partition)}
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
            crossing: dict[int, list[Partition]] = {}
            for part, erase, at in then:
                if erase is not None:
                    entry = self.eraser.erase(part, events.key[at] or b"", int(events.time[at]))
                    part.ledger.add(entry, int(raw.topic[events.source[at]]))
                    continue
                part.stream_ms = max(part.stream_ms, min(int(events.time[at]), wall_ms))
                crossing.setdefault(self._tick_of(part.stream_ms, wall_ms), []).append(part)
            for tick_ms, parts in crossing.items():
                self._cross(parts, tick_ms)

    def _cut(
        self, part: Partition, events: Events, index: NDArray[np.intp], wall_ms: int
    ) -> tuple[int, int, int | None]:
        """Return how many events to apply at once, stream time after them, and an erasure that follows."""
        capped = np.minimum(events.time[index], wall_ms)
        if part.stream_ms == 0:
            part.stream_ms = int(capped[0])
            part.tick_ms = part.stream_ms // self.rules.sweep_ms * self.rules.sweep_ms
        running = np.maximum(np.maximum.accumulate(capped), part.stream_ms)
        crossing = self._ticks(running, wall_ms) > part.tick_ms
        count = int(crossing.argmax()) if crossing.any() else len(index)
        erasures = np.flatnonzero(events.kind[index[:count]] == Kind.ERASE)
        erase = None
        if len(erasures):
            count = int(erasures[0])
            erase = count
        stream_ms = int(running[count - 1]) if count else part.stream_ms
        return count, stream_ms, erase

    def _kernel(self, raw: RawBatch, events: Events, columns: Columns, chosen: NDArray[np.intp]) -> None:
        """Apply and decide events between which no tick lies."""
        chosen, rows = self.index.rows(self.parts, raw, events, chosen)
        self.stages.lap("index")
        if not len(chosen):
            return
        self._sweep_first(events.partition[chosen], rows)
        self.stages.lap("sweep")
        cols = columns if len(chosen) == len(events) else columns.take(chosen)
        updated = update(self.slab.rows, rows, cols)
        self.sweeper.touched(rows)
        partition = events.partition[chosen]
        topics = raw.topic[events.source[chosen]]
        cold = (cols.kind >= Kind.PURCHASE) | (cols.country > 0) | (cols.interest[:, 1] > cols.interest[:, 0])
        for number in np.unique(partition).tolist():
            part, mine = self.parts[number], partition == number
            part.hot.append(rows[mine])
            part.cold.append(rows[mine & cold])
            for entry, which in ((Entry.COUNTED, updated.accepted), (Entry.DUPLICATE, ~updated.accepted)):
                part.ledger.add_each(entry, np.bincount(topics[mine & which], minlength=len(INPUT_TOPICS)))
        self.observer.events(updated.accepted, updated.late)
        self.stages.lap("update")
        self.decider.after_events(Applied(raw, events, chosen, partition, updated), self.parts)

    def _sweep_first(self, partition: NDArray[np.int32], rows: NDArray[np.intp]) -> None:
        """Decide those at the last tick whose turn has not come yet."""
        under_way = [part for part in self.parts.values() if part.sweep is not None]
        if under_way:
            self.sweeper.first(under_way, [rows[partition == part.number] for part in under_way])

    # ---- commit ---------------------------------------------------------------------------------
    def pending(self, partition: int) -> int:
        """Return the records processed since the last `take`."""
        return self.parts[partition].pending

    def full(self, partition: int) -> bool:
        """Return whether a sweep waits for a commit."""
        return self.parts[partition].full()

    def held_up(self, partition: int) -> bool:
        """Return whether a sweep has to end before there are more records: they may cross the next tick.

        Crossing it would decide all who are left in one go, for seconds if there are many and all of them
        change.
        """
        part = self.parts[partition]
        return part.sweep is not None and self.clock.now_ms() >= part.tick_ms + self.rules.sweep_ms - NEAR_MS

    def dirty(self, partition: int) -> bool:
        """Return whether a partition has anything to commit."""
        return self.parts[partition].dirty()

    def take(self, partition: int, received_at_ms: int) -> Batch:
        """Return what a partition has to write since the last `take`, and forget it.

        Raises:
            InvariantError: a record that was delivered is unaccounted for, or counted twice.
        """
        self.stages.begin()
        batch = take(self.parts[partition], self.slab, self.rules, received_at_ms)
        self.stages.lap("encode")
        return batch

    def customers(self, partition: int) -> int:
        """Return the number of customers of a partition."""
        return len(self.parts[partition].index)

    def segment_sizes(self) -> dict[int, int]:
        """Return the number of customers by number of their behaviour segment, 0 for none."""
        sizes: dict[int, int] = {}
        for part in self.parts.values():
            if part.restoring:
                continue
            numbers, counts = np.unique(self.slab.rows["behaviour"][part.rows()], return_counts=True)
            for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
                sizes[number] = sizes.get(number, 0) + count
        return sizes

    def audience_sizes(self) -> dict[str, int]:
        """Return the number of customers by id of the audiences that are in force somewhere."""
        sizes: dict[str, int] = {}
        for part in self.parts.values():
            if part.restoring or part.rules is None:
                continue
            bits = self.slab.rows["audience_bits"][part.rows()]
            for name, rule in part.rules.rules.items():
                sizes[name] = sizes.get(name, 0) + int((bits >> np.uint32(rule.slot) & 1).sum())
        return sizes

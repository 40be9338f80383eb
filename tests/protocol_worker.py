"""A worker for the model of Kafka: it drives the product's protocol, each task a generator.

Every `yield` of a task is an await of the real one: the other tasks, other workers and the broker may go
on there, and the process may die there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Hashable
from dataclasses import replace
from typing import Any

from streams.errors import LiveSegmentsError, StaleStateError
from streams.transport import protocol
from streams.transport.life import State
from streams.transport.protocol import FencedError, Share, Step, Steps
from tests.protocol_kafka import TICK, TOPICS, Kafka, exactly, without_ticks
from tests.protocol_parts import (
    CommitError,
    Engine,
    Fetching,
    ModelPart,
    Piece,
    Place,
    Replica,
    Task,
    Variant,
    reordered,
)

FETCH = 3
"""Records of a topic in one answer at most."""


class Worker:
    """One process; `step` lets one of its tasks go on to its next await."""

    def __init__(self, kafka: Kafka, name: Hashable, variant: Variant) -> None:
        self.kafka, self.name, self.variant = kafka, name, variant
        self.share: Share[ModelPart] = Share()
        self.engine: dict[int, Engine] = {}
        self.replicas: dict[int, Replica] = {}
        self.client: dict[Place, Fetching] = {}
        self.fetched: dict[Place, tuple[Fetching, int, int]] = {}
        self.queue: list[Piece] = []
        self.assigned_at = 0
        self.dropped: set[tuple[int, int]] = set()
        """Partition and generation of what was fenced while assigned to us."""
        self.failing = 0
        """Steps of a write until the broker refuses one; 0: it does not."""
        self.leaving = False
        self.stalled: str | None = None
        """A task that waits for longer than all others."""
        self.ended = False
        self._made = 0
        self.tasks: dict[str, Task] = {
            "group": self._in_group(),
            "fetch": self._fetching(),
            "collect": self._collecting(),
            "agent": self._processing(),
            "timer": self._ticking(),
        }

    def step(self, name: str) -> None:
        """Let a task go on; an error that the protocol has no answer to ends the process."""
        self.kafka.now += 1
        try:
            next(self.tasks[name])
        except StopIteration:
            self.tasks.pop(name, None)
        except CommitError:
            self.ended = True

    def _spawn(self, kind: str, task: Task) -> str:
        self._made += 1
        name = f"{kind}{self._made}"
        self.tasks[name] = task
        return name

    # ---- the group -----------------------------------------------------------------------------------
    def _in_group(self) -> Task:
        group = self.kafka.group
        while True:
            group.join(self.name)
            yield
            while group.awaits_others(self.name):
                yield
            mine = group.sync(self.name)
            if mine is None:
                continue
            generation = group.generation
            yield
            self.client = {
                (topic, p): Fetching(self.kafka.offsets[p][topic]) for p in mine for topic in range(TOPICS)
            }
            self.fetched.clear()
            self.assign(mine)
            yield
            while group.is_settled(self.name, generation) and not self.leaving:
                yield
            self.share.freeze()
            yield
            for part in list(self.share.parts.values()):
                yield from self._follow(part, protocol.flush(part))
            if self.leaving:
                group.evict(self.name)
                self.ended = True

    def assign(self, numbers: list[int]) -> None:
        """Do what `Ownership.assign` does."""
        self.assigned_at = self.kafka.now
        for part in self.share.assign(numbers, lambda number: ModelPart(number, TOPICS)):
            self.close(part)
        for part in self.share.parts.values():
            part.tasks.append(self._spawn(f"up{part.number}-", self._bring_up(part, self.share.claim(part))))

    def close(self, part: ModelPart) -> None:
        """Do what `Ownership.close` does."""
        part.close()
        for name in part.tasks:
            self.tasks.pop(name, None)
        self.engine.pop(part.number, None)

    def is_stuck(self) -> bool:
        """Return whether a partition was fenced and nevertheless is still ours: after a while we restart."""
        missing = self.share.assigned - self.share.parts.keys()
        return any(
            generation == self.share.generation and number in missing for number, generation in self.dropped
        )

    # ---- steps of the protocol -----------------------------------------------------------------------
    def _bring_up(self, part: ModelPart, claimed: Callable[[], bool]) -> Task:
        while part.busy:
            yield
        part.busy = True
        yield from self._follow(part, protocol.bring_up(part, claimed))
        part.busy = False

    def _follow(self, part: ModelPart, steps: Steps) -> Task:
        if self.variant.before_fence is not None:
            steps = reordered(steps, self.variant.before_fence)
        answer: Any = None
        error: Exception | None = None
        while True:
            try:
                step = steps.send(answer) if error is None else steps.throw(error)
            except StopIteration:
                return
            answer = error = None
            try:
                answer = yield from self._perform(part, step)
            except (FencedError, LiveSegmentsError, CommitError) as raised:
                error = raised

    def _perform(self, part: ModelPart, step: Step) -> Generator[None, None, Any]:  # noqa: C901, PLR0912 - a case for each step
        answer: Any = None
        match step:
            case protocol.Turn() | protocol.Pause():
                yield
            case protocol.Fence():
                yield from self._fence(part)
            case protocol.Restore():
                yield from self._restore(part)
            case protocol.ReadOffsets() if self.variant.trusting and part.opened:
                answer = part.committed
            case protocol.ReadOffsets():
                yield
                answer = list(self.kafka.offsets[part.number])
                yield
            case protocol.Check():
                answer = self._check(part)
            case protocol.ProveOwnership():
                yield from self._write(part, Engine(), dict(enumerate(part.positions)))
            case protocol.SeekAndActivate():
                yield from self._seek_and_activate(part)
            case protocol.Retire():
                part.producer = None
            case protocol.Write(offsets=offsets):
                if self.variant.torn_commit:
                    yield
                engine = self.engine[part.number]
                taken = replace(engine)
                engine.rows, engine.outputs = {}, []
                yield from self._write(part, taken, offsets)
            case protocol.Abort():
                yield
                assert part.producer is not None
                with contextlib.suppress(FencedError):
                    self.kafka.abort(*part.producer)
            case protocol.CommitRest():
                answer = part.running or self._has_work(part)
                if answer and not part.running:
                    self.start_commit(part)
                while part.running:
                    yield
            case protocol.Drop():
                self.share.drop(part)
                self.close(part)
                self.dropped.add((part.number, self.share.generation))
            case _:
                raise AssertionError(step)
        return answer

    def _check(self, part: ModelPart) -> list[int]:
        held = without_ticks(self.engine[part.number].counts)
        ends = [sum(key[0] == topic for key in held) for topic in range(TOPICS)]
        assert held == exactly(ends), "the state has gaps"
        if any(end < offset for end, offset in zip(ends, part.positions, strict=True)):
            raise StaleStateError("the offsets are newer than the state")
        return part.positions if self.variant.follows_the_group else ends

    def _fence(self, part: ModelPart) -> Task:
        name = (part.number, self.name) if self.variant.own_ids else part.number
        yield
        while (epoch := self.kafka.init_producer(name)) is None:
            yield
        yield
        part.producer = name, epoch

    def _restore(self, part: ModelPart) -> Task:
        replica = self.replicas.pop(part.number, None) or Replica()
        state = self.engine[part.number] = replica.state
        yield
        if self.variant.takes_as_is and replica.at:
            return
        while not self.kafka.stable(part.number):
            yield
        log = self.kafka.logs[part.number][replica.at :]
        for piece in (log[: len(log) // 2], log[len(log) // 2 :]):
            for transaction in piece:
                if transaction.committed:
                    state.counts.update(transaction.rows)
            yield

    def stand_by(self, number: int) -> None:
        """Read what is committed of a partition that others own, as far as that is known."""
        if number in self.share.parts:
            return
        replica = self.replicas.setdefault(number, Replica())
        for transaction in self.kafka.logs[number][replica.at :]:
            if "log" in transaction.unmarked and not self.variant.reads_open:
                break
            if transaction.committed or self.variant.reads_open:
                replica.state.counts.update(transaction.rows)
            replica.at += 1

    def _seek_and_activate(self, part: ModelPart) -> Task:
        mine = [(topic, part.number) for topic in range(TOPICS)]
        if any(place not in self.client for place in mine):
            return
        for place, position in zip(mine, part.positions, strict=True):
            self.client[place].position, self.client[place].paused = position, False
        if self.variant.torn_seek:
            yield
        seen = self.kafka.seen_since(part.number, self.assigned_at)
        assert part.committed in seen, "a retained partition goes on though somebody else has committed"
        part.activate(0.0)

    def _write(self, part: ModelPart, what: Engine, offsets: dict[int, int]) -> Task:
        assert part.producer is not None
        name, epoch = part.producer
        half = len(what.outputs) // 2
        steps: list[Callable[[], object]] = [
            lambda: self.kafka.write(name, epoch, what.rows, what.outputs[:half]),
            lambda: self.kafka.write(name, epoch, {}, what.outputs[half:]),
            lambda: self.kafka.add_offsets(name, epoch, offsets),
            lambda: self.kafka.end(name, epoch),
        ]
        yield
        while self.kafka.begin(name, epoch, part.number) is None:
            yield
        for step in steps:
            yield
            step()
            self.failing -= 1
            if self.failing == 0:
                raise CommitError
        yield

    def start_commit(self, part: ModelPart) -> None:
        """Commit in a task of its own."""
        part.running = True
        self._spawn(f"commit{part.number}-", self._commit(part))

    def _commit(self, part: ModelPart) -> Task:
        yield
        yield from self._follow(part, protocol.commit(part))
        part.running = False

    def _has_work(self, part: ModelPart) -> bool:
        state = self.engine[part.number]
        return bool(state.rows or state.outputs or part.moved())

    # ---- fetching and processing ---------------------------------------------------------------------
    def _fetching(self) -> Task:
        while True:
            yield
            asked = [
                (place, fetching, fetching.position)
                for place, fetching in self.client.items()
                if not fetching.paused and place not in self.fetched
            ]
            yield
            ends = [min(self.kafka.inputs[place], at + FETCH) for place, _, at in asked]
            yield
            for (place, fetching, at), end in zip(asked, ends, strict=True):
                if self.client.get(place) is fetching and fetching.position == at and end > at:
                    self.fetched[place] = fetching, at, end

    def _is_wanted(self, place: Place) -> bool:
        part = self.share.parts.get(place[1])
        return part is not None and part.state is State.ACTIVE

    def _collecting(self) -> Task:
        while True:
            yield
            wanted: Callable[[Place], bool] = self._is_wanted
            parts = dict(self.share.parts)
            epochs = {number: part.epoch for number, part in parts.items()}
            if self.variant.torn_fetch:
                wanted = set(filter(self._is_wanted, self.client)).__contains__
                yield
            drained = self._drain(wanted)
            for (topic, number), start, end in drained:
                yield
                if number in parts and parts[number].accepts(epochs[number]):
                    self._add(parts[number], topic, start, end)

    def _drain(self, wanted: Callable[[Place], bool]) -> list[tuple[Place, int, int]]:
        drained = []
        for place in list(self.fetched):
            if wanted(place):
                fetching, start, end = self.fetched.pop(place)
                if self.client.get(place) is fetching and not fetching.paused and fetching.position == start:
                    fetching.position = end
                    drained.append((place, start, end))
        return drained

    def _add(self, part: ModelPart, topic: int, start: int, end: int) -> None:
        """Cut a chunk; like the first version, trust the client that nothing is missing."""
        first = list(part.fetched)
        part.fetched[topic] = end
        self.queue.append(Piece(part, part.epoch, topic, first, start, end))

    def _processing(self) -> Task:
        while True:
            yield
            if not self.queue:
                continue
            piece = self.queue.pop(0)
            part, topic = piece.part, piece.topic
            if not part.accepts(piece.epoch):
                continue
            after = list(piece.first)
            after[topic] = piece.end
            part.move(piece.first, after, after)
            state = self.engine[part.number]
            for offset in range(piece.start, piece.end):
                row = topic, offset
                state.rows[row] = state.counts[row] = state.counts.get(row, 0) + 1
                state.outputs.append(row)

    def _ticking(self) -> Task:
        """Timers: every other one lets time pass, every one commits."""
        while True:
            yield
            for part in self.share.active():
                state = self.engine[part.number]
                state.rows[TICK] = state.counts[TICK] = state.counts.get(TICK, 0) + 1
            yield
            for part in self.share.active():
                if not part.running and self._has_work(part):
                    self.start_commit(part)

    # ---- what must hold ------------------------------------------------------------------------------
    def check(self) -> None:
        """Compare the state of each part that is in use with the records before its positions."""
        for part in self.share.parts.values():
            if part.state in (State.ACTIVE, State.FROZEN) and part.opened:
                counts = without_ticks(self.engine[part.number].counts)
                assert counts == exactly(part.positions), "a record was lost or counted twice"

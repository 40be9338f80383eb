"""The protocol against a model of Kafka: any interleaving, a crash at every await, zombies, late markers.

What runs here are the product's own generators of `streams.transport.protocol`; the model carries out
their steps. Each safeguard is taken out once, and the machine must then find a run that breaks something.
"""

from __future__ import annotations

from collections.abc import Hashable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from streams.errors import LiveSegmentsError
from streams.transport import protocol
from tests.protocol_kafka import PARTITIONS, TOPICS, Kafka
from tests.protocol_parts import Variant
from tests.protocol_worker import Worker

SOUND = Variant()
MOST_WORKERS = 3
TEARDOWN_ROUNDS = 600
ANY = st.integers(0, 11)
FEW = st.integers(1, 8)
COMMON = settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    stateful_step_count=50,
)
THOROUGH = settings(COMMON, max_examples=400, phases=(Phase.generate, Phase.shrink))
UNTIL_FOUND = settings(COMMON, max_examples=1_500, phases=(Phase.generate,), print_blob=False)


class Deployment(RuleBasedStateMachine):
    """Some workers, a broker, and everything that can go wrong."""

    variant = SOUND

    def __init__(self) -> None:
        super().__init__()
        self.kafka = Kafka()
        self.workers: list[Worker] = []
        self.dead: list[Hashable] = []
        """Names of those that the group still takes for members."""
        self.started = 0
        self.supervised = 1

    @initialize(count=st.integers(1, MOST_WORKERS), ready=st.booleans())
    def start(self, count: int, ready: bool) -> None:
        """Begin with some workers, perhaps with everything at work; a supervisor restarts what ends."""
        self.supervised = count
        self._bury()
        if ready:
            for topic, p in self.kafka.inputs:
                self.kafka.inputs[topic, p] = 2
            self.run_all(8)
            self.mark_all()
            self.run_all(12)

    # ---- what time brings ----------------------------------------------------------------------------
    @rule(which=ANY, count=st.integers(1, 4))
    def produce(self, which: int, count: int) -> None:
        """Let records arrive."""
        places = sorted(self.kafka.inputs)
        self.kafka.inputs[places[which % len(places)]] += count

    @rule(which=ANY, task=ANY, times=FEW)
    def step(self, which: int, task: int, times: int) -> None:
        """Let one task of a worker go on while everything else stands still."""
        worker = self._worker(which)
        name = list(worker.tasks)[task % len(worker.tasks)]
        for _ in range(times):
            if name in worker.tasks and not worker.ended:
                worker.step(name)
        self._bury()

    @rule(which=ANY, task=ANY, stalled=st.booleans())
    def stall(self, which: int, task: int, stalled: bool) -> None:
        """Let one task of a worker wait through whatever happens to the others, or no longer."""
        worker = self._worker(which)
        worker.stalled = list(worker.tasks)[task % len(worker.tasks)] if stalled else None

    @rule(which=ANY, task=st.integers(0, 4), turn=st.booleans(), count=st.integers(1, 3))
    def wait_through_a_rebalance(self, which: int, task: int, turn: bool, count: int) -> None:
        """Let one task of a worker wait until a rebalance is over and everybody is at work again."""
        self.stall(which, task, stalled=True)
        self.rebalance(turn)
        self._produce_everywhere(count)
        self._settle(10)
        self.stall(which, task, stalled=False)

    @rule(which=ANY, before=FEW, others=st.integers(1, 32), itself=st.integers(1, 20))
    def be_a_zombie(self, which: int, before: int, others: int, itself: int) -> None:
        """Let the others take over from a worker, as far as they come; then it goes on, not knowing."""
        if len(self.workers) == 1:
            self.join()
        for worker in self.workers:
            worker.stalled = None
        self._settle(8)
        self._produce_everywhere(1)
        self.run_all(before)
        worker = self._worker(which)
        self.kafka.group.evict(worker.name)
        for _ in range(others):
            for other in list(self.workers):
                if other is not worker:
                    self._round(other)
            self.mark_all()
        for _ in range(itself):
            if not worker.ended:
                self._round(worker)
        self.run_all(8)

    @rule(which=ANY, rounds=FEW)
    def run(self, which: int, rounds: int) -> None:
        """Let all tasks of a worker go on."""
        worker = self._worker(which)
        for _ in range(rounds):
            self._round(worker)

    @rule(rounds=FEW)
    def run_all(self, rounds: int) -> None:
        """Let everybody go on."""
        for _ in range(rounds):
            for worker in list(self.workers):
                self._round(worker)

    @rule(which=ANY)
    def mark(self, which: int) -> None:
        """Let the end of a transaction become known at one place."""
        ends = self.kafka.unmarked()
        if ends:
            self.kafka.mark(*ends[which % len(ends)])

    @rule()
    def mark_all(self) -> None:
        """Let the ends of all transactions become known."""
        for end in self.kafka.unmarked():
            self.kafka.mark(*end)

    # ---- what goes wrong -----------------------------------------------------------------------------
    @rule()
    def join(self) -> None:
        """Start a worker."""
        if len(self.workers) < MOST_WORKERS:
            self.started += 1
            self.workers.append(Worker(self.kafka, self.started, self.variant))

    @rule(which=ANY)
    def leave(self, which: int) -> None:
        """Stop a worker in good order."""
        worker = self._worker(which)
        worker.leaving = True

    @rule(which=ANY, noticed=st.booleans())
    def crash(self, which: int, noticed: bool) -> None:
        """Kill a worker where it stands."""
        worker = self._worker(which)
        worker.ended = True
        self._bury()
        if noticed:
            self.kafka.group.evict(worker.name)

    @rule(which=ANY)
    def miss(self, which: int) -> None:
        """Let the group give up a worker that it has not heard of, dead or a zombie."""
        names = sorted(self.kafka.group.members, key=str)
        if names:
            self.kafka.group.evict(names[which % len(names)])

    @rule(turn=st.booleans())
    def rebalance(self, turn: bool) -> None:
        """Begin a rebalance, which may move the partitions."""
        self.kafka.group.turn += turn
        self.kafka.group.rebalance()

    @rule(which=ANY)
    def time_out(self, which: int) -> None:
        """Let a transaction time out."""
        names = sorted(self.kafka.producers, key=str)
        if names:
            self.kafka.time_out(names[which % len(names)])

    @rule(which=ANY, after=st.integers(1, 4))
    def fail(self, which: int, after: int) -> None:
        """Let a commit of a worker fail, with some of it written, or all of it but no answer."""
        worker = self._worker(which)
        worker.failing = after

    @rule()
    def lose_patience(self) -> None:
        """Restart workers that were fenced and still own the partition."""
        for worker in self.workers:
            worker.ended |= worker.is_stuck()
        self._bury()

    # ---- what must hold ------------------------------------------------------------------------------
    @invariant()
    def every_state_is_that_of_the_records_before_its_positions(self) -> None:
        """Look at all workers, zombies too."""
        for worker in self.workers:
            worker.check()

    def teardown(self) -> None:
        """Leave one worker alone: in the end everything is counted exactly once."""
        for worker in self.workers:
            worker.stalled = None
        self.run_all(10)
        self.supervised = 1
        for worker in self.workers[1:]:
            worker.ended = True
        if self.variant != SOUND:  # a weakened one shall fail for what it does, not for waiting
            for name in self.kafka.producers:
                self.kafka.time_out(name)
        for _ in range(TEARDOWN_ROUNDS):
            self.lose_patience()
            for name in self.dead:
                self.kafka.group.evict(name)
            worker = self.workers[0]
            worker.leaving = False
            worker.failing = 0
            self.mark_all()
            self._round(worker)
            worker.check()
            if self.kafka.published == self.kafka.inputs:
                break
        reached = {(t, p): self.kafka.reached[p][t] for t in range(TOPICS) for p in range(PARTITIONS)}
        assert reached == self.kafka.published == self.kafka.inputs, (
            "records are left though nothing is wrong"
        )

    # ---- helpers -------------------------------------------------------------------------------------
    def _settle(self, times: int) -> None:
        """Let everybody who does not wait get to work."""
        for name in self.dead:
            self.kafka.group.evict(name)
        for _ in range(times):
            self.run_all(4)
            self.mark_all()

    def _produce_everywhere(self, count: int) -> None:
        for place in self.kafka.inputs:
            self.kafka.inputs[place] += count

    def _worker(self, which: int) -> Worker:
        return self.workers[which % len(self.workers)]

    def _round(self, worker: Worker) -> None:
        for name in list(worker.tasks):
            if name in worker.tasks and name != worker.stalled and not worker.ended:
                worker.step(name)
        self._bury()

    def _bury(self) -> None:
        self.dead += [worker.name for worker in self.workers if worker.ended]
        self.workers = [worker for worker in self.workers if not worker.ended]
        while len(self.workers) < self.supervised:
            self.join()


class StandingBy(Deployment):
    """The same, with workers that stand by for what others own."""

    @rule(which=ANY, number=st.integers(0, PARTITIONS - 1))
    def stand_by(self, which: int, number: int) -> None:
        """Let a worker read on in the changelog of a partition that is not its own."""
        self._worker(which).stand_by(number)


class TurnedBack(Deployment):
    """The same, with a group coordinator that shows offsets of long ago, as a badly loaded one does."""

    @rule(number=st.integers(0, PARTITIONS - 1), back=ANY)
    def turn_back(self, number: int, back: int) -> None:
        """Show what was committed some time ago, until the next commit."""
        self.kafka.turn_back(number, back)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the protocol give up early, so that this happens within a run."""
    monkeypatch.setattr(protocol, "RETAINED_TRIES", 2)
    monkeypatch.setattr(protocol, "FENCE_TRIES", 4)


@pytest.mark.parametrize("machine", [Deployment, StandingBy, TurnedBack])
def test_whatever_happens_everything_is_counted_and_published_exactly_once(
    machine: type[Deployment],
) -> None:
    run_state_machine_as_test(machine, settings=THOROUGH)


ABLATIONS = {
    "wanted and taken in one step": Variant(torn_fetch=True),
    "seek and activation in one step": Variant(torn_seek=True),
    "fence before restore": Variant(before_fence=protocol.Restore),
    "the look at a retained partition": Variant(trusting=True),
    "one transactional id for each partition": Variant(own_ids=True),
    "what is written and the offsets are of one moment": Variant(torn_commit=True),
}
OF_OLD_OFFSETS = {"the state counts": Variant(follows_the_group=True)}
OF_STANDBYS = {
    "who stood by reads on after the fence": Variant(takes_as_is=True),
    "who stands by reads what is committed": Variant(reads_open=True),
}


@pytest.mark.parametrize(
    ("variant", "base"),
    [(variant, Deployment) for variant in ABLATIONS.values()]
    + [(variant, TurnedBack) for variant in OF_OLD_OFFSETS.values()]
    + [(variant, StandingBy) for variant in OF_STANDBYS.values()],
    ids=[*ABLATIONS, *OF_OLD_OFFSETS, *OF_STANDBYS],
)
def test_without_a_safeguard_a_run_is_found_that_breaks_something(
    variant: Variant, base: type[Deployment]
) -> None:
    machine = type("Weakened", (base,), {"variant": variant})

    with pytest.raises((AssertionError, LiveSegmentsError)):
        run_state_machine_as_test(machine, settings=UNTIL_FOUND)

"""Alive, ready, stuck: what the worker's probes and its watchdog say."""

from __future__ import annotations

import pytest

from streams.health import READY_LAG_S, STUCK_AFTER_S, Health


class Timer:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


class Worker:
    """A Health with its clock; while it runs, the event loop turns each second."""

    def __init__(self) -> None:
        self.timer = Timer()
        self.health = Health(self.timer)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.timer.now + seconds
        while self.timer.now < end:
            self.timer.now = min(end, self.timer.now + 1)
            self.health.on_loop()


@pytest.fixture
def worker() -> Worker:
    """Return a worker that owns partitions 3 and 4, active, with a broker that answers."""
    worker = Worker()
    worker.health.on_broker(up=True)
    worker.health.on_assigned({3, 4})
    for partition in (3, 4):
        worker.health.on_state(partition, "active")
    return worker


def test_idle_is_alive_and_ready(worker: Worker) -> None:
    """A quiet night without a single event or commit is no reason for anything."""
    worker.run(8 * 3600)

    assert worker.health.live()
    assert worker.health.ready()
    assert worker.health.stuck() is None


def test_a_loop_that_does_not_turn_is_dead(worker: Worker) -> None:
    """The bound is exact: at 60 s it lives, beyond it does not."""
    worker.health.on_loop()

    worker.timer.now += STUCK_AFTER_S
    assert worker.health.live()
    worker.timer.now += 1
    assert not worker.health.live()
    assert worker.health.live().reasons == ("the event loop has not turned for 61 s",)


def test_an_absent_broker_never_makes_a_worker_dead(worker: Worker) -> None:
    """Restarting a worker does not bring its broker back: an hour without one is waited for."""
    worker.health.on_lag("clicks", 3, 500, 90.0)
    worker.health.on_broker(up=False)

    worker.run(3600)

    assert worker.health.live()
    assert worker.health.stuck() is None


def test_a_broker_that_comes_back_gives_a_full_period(worker: Worker) -> None:
    """What waited while the broker was away does not count as the worker's idleness."""
    worker.health.on_lag("clicks", 3, 500, 90.0)
    worker.health.on_broker(up=False)
    worker.run(3600)
    worker.health.on_broker(up=True)

    worker.run(STUCK_AFTER_S)
    assert worker.health.live()
    worker.run(1)
    assert not worker.health.live()


def test_one_stuck_partition_is_seen_among_busy_ones(worker: Worker) -> None:
    """Commits of another partition do not hide it."""
    worker.health.on_lag("clicks", 3, 500, 1.0)
    worker.health.on_lag("purchases", 3, 20, 1.0)
    worker.health.on_lag("clicks", 4, 9000, 1.0)
    for _ in range(61):
        worker.run(1)
        worker.health.on_commit(4)

    assert worker.health.stuck() == "partition 3 has 520 records waiting and committed nothing for 61 s"
    assert worker.health.live().reasons == (worker.health.stuck(),)


def test_far_behind_but_committing_is_alive_and_not_ready(worker: Worker) -> None:
    """Catching up for an hour is work; but a rollout must wait for it."""
    for _ in range(120):
        worker.health.on_lag("clicks", 3, 1_000_000, 7200.0)
        worker.run(30)
        worker.health.on_commit(3)

    assert worker.health.live()
    assert worker.health.ready().reasons == ("partition 3 is 7200 s behind, over 30 s",)


def test_records_that_arrive_after_a_quiet_hour_start_the_period(worker: Worker) -> None:
    """The time without a commit counts from when there was something to commit."""
    worker.run(3600)
    worker.health.on_lag("clicks", 3, 1, 0.0)

    worker.run(STUCK_AFTER_S)
    assert worker.health.stuck() is None
    worker.run(1)
    assert worker.health.stuck() is not None


def test_ready_up_to_the_bound(worker: Worker) -> None:
    """Exactly at the bound is ready; the topic that is furthest behind decides."""
    worker.health.on_lag("purchases", 3, 1, 1.0)
    worker.health.on_lag("clicks", 3, 10, READY_LAG_S)
    assert worker.health.ready()
    assert worker.health.lag_seconds() == READY_LAG_S

    worker.health.on_lag("clicks", 3, 10, READY_LAG_S + 1)
    assert not worker.health.ready()


def test_not_ready_before_the_group_is_joined() -> None:
    """A worker that has just started knows of no partitions, which is not the same as having none."""
    health = Health(Timer())
    assert health.ready().reasons == ("has not joined the consumer group yet",)

    health.on_assigned(set())
    assert health.ready()


def test_not_ready_while_restoring_however_long(worker: Worker) -> None:
    """A long restore that reads on is alive; the worker is ready only when it is done."""
    worker.health.on_state(3, "restoring")
    for _ in range(60):
        worker.run(30)
        worker.health.on_restore(3)

    assert worker.health.live()
    assert worker.health.ready().reasons == ("partition 3 is restoring, not active",)
    worker.health.on_state(3, "active")
    assert worker.health.ready()


def test_a_restore_without_progress_is_stuck(worker: Worker) -> None:
    """A restore that reads nothing for more than 60 s will not end by itself."""
    worker.health.on_state(3, "restoring")

    worker.run(STUCK_AFTER_S + 1)

    assert worker.health.stuck() == "partition 3 has been restoring for 61 s without progress"


def test_partitions_that_wait_for_anothers_restore_are_not_stuck(worker: Worker) -> None:
    """Restores may run one after the other: as long as one goes on, the others wait for good reason."""
    worker.health.on_assigned({3, 4, 5, 6})
    worker.health.on_state(5, "restoring")
    worker.health.on_state(6, "fencing")
    for _ in range(60):
        worker.run(30)
        worker.health.on_restore(5)

    assert worker.health.stuck() is None


def test_a_frozen_partition_waits_for_the_group(worker: Worker) -> None:
    """While the group rebalances, what waits in a revoked partition is not this worker's fault."""
    worker.health.on_lag("clicks", 3, 500, 90.0)
    worker.health.on_state(3, "frozen")

    worker.run(600)

    assert worker.health.live()
    assert not worker.health.ready()


@pytest.mark.parametrize("how", ["closed", "revoked"])
def test_a_partition_that_went_no_longer_counts(worker: Worker, how: str) -> None:
    """Lag and state of a partition that another worker has now are forgotten, and late reports ignored."""
    worker.health.on_lag("clicks", 3, 500, 90.0)
    if how == "closed":
        worker.health.on_state(3, "closed")
    else:
        worker.health.on_assigned({4})
    worker.health.on_lag("clicks", 3, 500, 90.0)
    worker.health.on_commit(3)
    worker.health.on_restore(3)

    worker.run(600)

    assert worker.health.partitions() == {4: "active"}
    assert worker.health.live()
    assert worker.health.ready()


def test_who_is_about_to_take_over_its_first_partitions_is_not_ready(worker: Worker) -> None:
    """A rollout waits for it before it stops the next worker; who has some already works."""
    worker.health.on_assigned(set())
    worker.health.on_standby(2)
    assert worker.health.ready().reasons == ("reads the state of 2 partitions to take over",)

    worker.health.on_assigned({3})
    worker.health.on_state(3, "active")
    assert worker.health.ready()

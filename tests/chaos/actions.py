"""What is done to a run: one action a round, drawn from a seeded deck in which every kind occurs.

An action returns the seconds until all it does is over.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from tests.chaos.stage import Stage

Action = Callable[[Stage], float]

ALL_DOWN_S = 60.0
ALL_DOWN_EVERY = 25
"""Rounds in which all brokers are down once; a shorter run of at least `ALL_DOWN_LEAST` has it once too."""
ALL_DOWN_LEAST = 10
TRANSACTION_TIMEOUT_S = 10.0
"""What the workers are set to: the least that the product allows."""
SPARE_WORKERS = 2
"""Workers beyond the least number; then one that joins takes the place of another."""


def _numbers(items: Sequence[object]) -> str:
    return " and ".join(str(getattr(item, "number", item)) for item in items)


def kill_child(stage: Stage) -> float:
    """End one worker process with kill -9; its supervisor restarts it."""
    for worker in stage.pick():
        stage.fleet.killed_children += worker.kill_child() is not None
        stage.journal(f"kill -9 of worker {worker.number}'s child")
    return 3


def kill_worker(stage: Stage) -> float:
    """End one worker and its supervisor with kill -9; another one is started later."""
    return _kill(stage, 1)


def kill_several(stage: Stage) -> float:
    """End two workers at once with kill -9, now and then all."""
    return _kill(stage, stage.rng.choice((2, 2, 2, 9)))


def _kill(stage: Stage, count: int) -> float:
    workers = stage.pick(count)
    for worker in workers:
        worker.kill()
    stage.journal(f"kill -9 of worker {_numbers(workers)} with supervisor")
    wait_s = stage.rng.uniform(1, 4)
    for _ in workers:
        stage.schedule.after(wait_s, stage.start_worker)
    return wait_s


def kill_supervisor(stage: Stage) -> float:
    """End a supervisor with kill -9: its worker must notice and stop."""
    for worker in stage.pick():
        worker.kill_supervisor()
        stage.journal(f"kill -9 of worker {worker.number}'s supervisor alone")
    stage.schedule.after(2, stage.start_worker)
    return 2


def freeze(stage: Stage) -> float:
    """SIGSTOP of one worker for 10 to 20 s: it comes back as a zombie."""
    seconds = stage.rng.uniform(10, 20)
    workers = stage.pick()
    stage.journal(f"SIGSTOP of worker {_numbers(workers)} for {seconds:.1f} s")
    stage.freeze(workers, seconds)
    return seconds


def transaction_timeout(stage: Stage) -> float:
    """SIGSTOP of all workers for longer than the transaction timeout: Kafka aborts what is open."""
    seconds = TRANSACTION_TIMEOUT_S + 5
    workers = stage.pick(99)
    stage.journal(f"SIGSTOP of all workers ({_numbers(workers)}) for {seconds:g} s")
    stage.freeze(workers, seconds)
    return seconds


def terminate(stage: Stage) -> float:
    """SIGTERM of one worker; another one is started later."""
    for worker in stage.pick():
        worker.terminate()
        stage.journal(f"SIGTERM of worker {worker.number}")
    wait_s = stage.rng.uniform(2, 6)
    stage.schedule.after(wait_s, stage.start_worker)
    return wait_s


def join(stage: Stage) -> float:
    """One more worker; when there are too many, another leaves first."""
    if len(stage.fleet.alive) >= stage.workers + SPARE_WORKERS:
        leave(stage)
    stage.start_worker()
    return 5


def leave(stage: Stage) -> float:
    """SIGTERM of one worker for good; when there are too few, another joins later."""
    for worker in stage.pick():
        worker.terminate()
        stage.journal(f"worker {worker.number} leaves")
    if len(stage.fleet.alive) < stage.workers:
        stage.schedule.after(8, stage.start_worker)
        return 8
    return 3


def kill_in_rebalance(stage: Stage) -> float:
    """A worker joins, and while partitions move one is killed and one is frozen."""
    stage.start_worker()
    stage.schedule.after(stage.rng.uniform(1.5, 4), lambda: _kill_and_freeze(stage))
    return 16


def _kill_and_freeze(stage: Stage) -> None:
    kill_child(stage)
    workers = stage.pick()
    stage.journal(f"SIGSTOP of worker {_numbers(workers)} for 10 s")
    stage.freeze(workers, 10)


def kill_broker(stage: Stage) -> float:
    """End one broker with kill -9, and start it again."""
    stage.wait_until_well()
    number = stage.rng.choice(stage.brokers)
    stage.kafka.kill_node(number)
    stage.journal(f"kill -9 of broker {number}")
    return _restart(stage, number)


def terminate_broker(stage: Stage) -> float:
    """SIGTERM of one broker, and start it again."""
    stage.wait_until_well()
    number = stage.rng.choice(stage.brokers)
    stage.journal(f"SIGTERM of broker {number}")
    stage.kafka.stop_node(number)
    return _restart(stage, number)


def _restart(stage: Stage, number: int) -> float:
    wait_s = stage.rng.uniform(1, 6)
    stage.schedule.after(wait_s, lambda: stage.start_broker(number))
    return wait_s + 5


def freeze_broker(stage: Stage) -> float:
    """SIGSTOP of one broker for 4 to 12 s."""
    stage.wait_until_well()
    number, seconds = stage.rng.choice(stage.brokers), stage.rng.uniform(4, 12)
    stage.kafka.freeze_node(number)
    stage.journal(f"SIGSTOP of broker {number} for {seconds:.1f} s")
    stage.schedule.after(seconds, lambda: stage.thaw_broker(number))
    return seconds + 3


def all_down(stage: Stage) -> float:
    """All brokers away for 60 s: killed or frozen, by turns of chance."""
    stage.wait_until_well()
    killed = stage.rng.random() < 0.5
    stage.journal(f"{'kill -9' if killed else 'SIGSTOP'} of all brokers for {ALL_DOWN_S:g} s")
    for number in stage.brokers:
        (stage.kafka.kill_node if killed else stage.kafka.freeze_node)(number)
        back = stage.start_broker if killed else stage.thaw_broker
        stage.schedule.after(ALL_DOWN_S, lambda n=number, back=back: back(n))  # type: ignore[misc] # binds the loop's values
    return ALL_DOWN_S + 12


def delay(stage: Stage) -> float:
    """200 to 500 ms each way between workers and one broker, or all."""
    ways, ms = stage.ways(), stage.rng.randint(200, 500)
    stage.journal(f"{ms} ms each way to broker {_numbers(ways)} for 12 s")
    stage.disturb("delay", ways, ms, 12)
    return 12


def cut(stage: Stage) -> float:
    """All connections of the workers to one broker, or all, reset three times; none accepted for a while."""
    ways, seconds = stage.ways(), stage.rng.uniform(0.2, 3)
    stage.journal(f"connections to broker {_numbers(ways)} cut three times, refused for {seconds:.1f} s")
    for turn in range(3):
        for number in ways:
            stage.schedule.after(turn * 4, lambda n=number: stage.proxy.send("cut", n))  # type: ignore[misc] # binds the loop's value
    stage.disturb("refuse", ways, 1, seconds)
    return 9


def stall(stage: Stage) -> float:
    """Connections to one broker, or all, stay open and carry nothing for 5 to 12 s."""
    ways, seconds = stage.ways(), stage.rng.uniform(5, 12)
    stage.journal(f"nothing comes through to broker {_numbers(ways)} for {seconds:.1f} s")
    stage.disturb("stall", ways, 1, seconds)
    return seconds


WEIGHTS: dict[Action, int] = {
    kill_child: 2,
    kill_worker: 1,
    kill_several: 2,
    kill_supervisor: 1,
    freeze: 3,
    transaction_timeout: 1,
    terminate: 1,
    join: 2,
    leave: 2,
    kill_in_rebalance: 2,
    kill_broker: 2,
    terminate_broker: 1,
    freeze_broker: 1,
    delay: 1,
    cut: 2,
    stall: 1,
}
"""How often an action lies in a full deck."""
FIRST = (kill_several, freeze, kill_broker)
"""The shortest run has at least these."""
ACTIONS: dict[str, Action] = {action.__name__: action for action in (*WEIGHTS, all_down)}


def draw(rounds: int, rng: random.Random) -> list[Action]:
    """Return the actions of a run: first each kind once, then full decks, each shuffled."""
    first = rng.sample(FIRST, len(FIRST))
    others = [action for action in WEIGHTS if action not in FIRST]
    drawn = [*first, *rng.sample(others, len(others))]
    full = [action for action, weight in WEIGHTS.items() for _ in range(weight)]
    while len(drawn) < rounds:
        drawn += rng.sample(full, len(full))
    del drawn[rounds:]
    starts = range(0, rounds - ALL_DOWN_EVERY + 1, ALL_DOWN_EVERY) or range(rounds >= ALL_DOWN_LEAST)
    for start in starts:
        drawn[start + rng.randrange(4, min(ALL_DOWN_EVERY, rounds))] = all_down
    return drawn

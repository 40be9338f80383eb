"""All that a run consists of while it runs, and the order in which things happen to it."""

from __future__ import annotations

import heapq
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.broker.kafka import Kafka
from tests.chaos.fleet import Fleet, Worker
from tests.chaos.proxy import Proxy

STEP_S = 0.05
WELL_TIMEOUT_S = 45.0
"""How long a broker's return to all its partitions is waited for before another one is touched."""


class Schedule:
    """Does what is due, in the one thread that starts processes; the system ends nodes with their thread."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something later."""
        self._count += 1
        heapq.heappush(self._due, (time.monotonic() + seconds, self._count, act))

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Let time pass, at most until a condition holds; return whether it did."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            while self._due and self._due[0][0] <= time.monotonic():
                heapq.heappop(self._due)[2]()
            if until is not None and until():
                return True
            time.sleep(STEP_S)
        return False

    def run_all(self) -> None:
        """Let time pass until nothing is left to do."""
        while self._due:
            self.run(max(0.0, self._due[0][0] - time.monotonic()) + STEP_S)


class Journal:
    """The log of actions: what was done at which second of the run."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.lines: list[str] = []

    def __call__(self, text: str) -> None:
        """Note and print a line."""
        line = f"{time.monotonic() - self.started:7.1f} s  {text}"
        self.lines.append(line)
        print(line, flush=True)  # noqa: T201 - a run of half an hour is watched


@dataclass
class Stage:
    """Brokers, the ways to them, and workers, with the hands that do them harm."""

    rng: random.Random
    kafka: Kafka
    proxy: Proxy
    fleet: Fleet
    workers: int
    """How many workers there are at least, but for the moments after one was ended."""
    journal: Journal = field(default_factory=Journal)
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        """Make the client that asks for the state of the cluster."""
        self._admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap, "log_level": 0})

    # ---- workers --------------------------------------------------------------------------------
    def pick(self, count: int = 1) -> list[Worker]:
        """Return workers that run and are not frozen; fewer when there are not so many."""
        ready = [worker for worker in self.fleet.alive if not worker.frozen]
        return self.rng.sample(ready, min(count, len(ready)))

    def start_worker(self) -> None:
        """Add a worker."""
        self.journal(f"worker {self.fleet.start().number} starts")

    def freeze(self, workers: list[Worker], seconds: float) -> None:
        """Freeze workers for some time."""
        for worker in workers:
            worker.freeze()
            self.schedule.after(seconds, lambda w=worker: self._thaw(w))  # type: ignore[misc] # binds the loop's value

    def _thaw(self, worker: Worker) -> None:
        worker.thaw()
        self.journal(f"worker {worker.number} goes on")

    def top_up(self) -> None:
        """Start workers until there are enough."""
        while len(self.fleet.alive) < self.workers:
            self.start_worker()

    # ---- brokers --------------------------------------------------------------------------------
    @property
    def brokers(self) -> list[int]:
        """Return the numbers of all brokers."""
        return [node.number for node in self.kafka.nodes]

    def well(self) -> bool:
        """Return whether every partition has all its copies in sync."""
        try:
            topics = self._admin.list_topics(timeout=2).topics.values()
        except KafkaException:
            return False
        parts = [part for topic in topics for part in topic.partitions.values()]
        return bool(parts) and all(part.leader > 0 and len(part.isrs) == len(part.replicas) for part in parts)

    def wait_until_well(self) -> None:
        """Wait (for a limited time) until the cluster could lose a broker."""
        if not self.schedule.run(WELL_TIMEOUT_S, self.well):
            self.journal("not all copies are in sync, going on")

    def start_broker(self, number: int) -> None:
        """Start a broker that is down."""
        self.kafka.start_node(number, wait=False)
        self.journal(f"broker {number} starts")

    def thaw_broker(self, number: int) -> None:
        """Let a frozen broker go on."""
        self.kafka.thaw_node(number)
        self.journal(f"broker {number} goes on")

    # ---- ways -----------------------------------------------------------------------------------
    def ways(self) -> list[int]:
        """Return the brokers to which the ways are to be disturbed: one, or all."""
        return self.brokers if self.rng.random() < 0.5 else [self.rng.choice(self.brokers)]

    def disturb(self, command: str, brokers: list[int], argument: float, seconds: float) -> None:
        """Disturb the ways to brokers for some time."""
        for number in brokers:
            self.proxy.send(command, number, argument)
            self.schedule.after(seconds, lambda n=number: self.proxy.send(command, n, 0))  # type: ignore[misc] # binds the loop's value

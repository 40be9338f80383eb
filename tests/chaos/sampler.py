"""Watch the group's committed offsets from outside, once a second, for the whole run."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

INTERVAL_S = 1.0
ANSWER_S = 3.0
"""A broker that takes longer counts as away: such time is no silence of a worker."""


class Sampler:
    """Measures the longest time a partition number had lag and no commit while the brokers answered."""

    def __init__(
        self, bootstrap: str, group: str, topics: Sequence[str], partitions: int, started: float
    ) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._bootstrap, self._group = bootstrap, group
        self._connect()
        self._all = [TopicPartition(topic, p) for topic in topics for p in range(partitions)]
        self._started = started
        self._end = threading.Event()
        self._stalled_s = dict.fromkeys(range(partitions), 0.0)
        self._committed = dict.fromkeys(range(partitions), 0)
        self._answered_at: dict[int, float] = {}
        """When the brokers of each partition number answered, of those that did in the last sample."""
        self.lag: int | None = None
        """Records of all partitions not yet committed, None while not all brokers answer."""
        self.processed = 0
        """Records committed so far."""
        self._alive_s = dict.fromkeys(range(partitions), 0.0)
        """As `_stalled_s`, but since workers were last killed or frozen."""
        self.longest_s = 0.0
        self.longest: tuple[int, float] | None = None
        """Partition number, and second of the run at which the longest silence was seen."""
        self.longest_alive_s = 0.0
        self.samples = 0
        self.unanswered = 0

    def _connect(self) -> None:
        address = {"bootstrap.servers": self._bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 1000}
        group = {"group.id": self._group, "isolation.level": "read_uncommitted"}
        self._consumer = Consumer({**address, **group})
        self._admin = AdminClient(address)

    @property
    def warm(self) -> bool:
        """Return whether every partition number has had a commit."""
        return all(self._committed.values())

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def _run(self) -> None:
        """Sample until `stop`."""
        while not self._end.wait(INTERVAL_S):
            found = self._ask()
            self.samples += 1
            self._note(found, time.monotonic())
            if len(found) < len(self._committed):
                self.unanswered += 1
                self._connect()  # new clients look for new leaders and coordinators at once

    def forget(self) -> None:
        """Begin to judge: what was before, while the workers came up, is nobody's silence."""
        self._stalled_s = dict.fromkeys(self._stalled_s, 0.0)
        self.workers_hit()
        self.longest_s, self.longest, self.longest_alive_s = 0.0, None, 0.0

    def workers_hit(self) -> None:
        """Take note that workers are killed or frozen: who takes over has a minute of its own."""
        self._alive_s = dict.fromkeys(self._alive_s, 0.0)

    def stop(self) -> None:
        """End."""
        self._end.set()
        self._thread.join(30)

    def _ask(self) -> dict[int, tuple[int, int]]:
        """Return (committed, lag) of each partition number whose brokers answer."""
        try:
            places = self._consumer.committed(self._all, ANSWER_S)
        except KafkaException:
            return {}
        latest = dict.fromkeys(self._all, OffsetSpec.latest())
        ends = self._admin.list_offsets(latest, request_timeout=ANSWER_S)  # later, so at least as far
        found: dict[int, tuple[int, int]] = {}
        silent: set[int] = set()
        for place in places:
            offset = max(0, place.offset)
            try:
                end = ends[TopicPartition(place.topic, place.partition)].result(ANSWER_S).offset
            except (KafkaException, TimeoutError):
                end = -1
            if (
                place.error is not None or end < offset
            ):  # or a leader that does not know yet how far its partition is
                silent.add(place.partition)
            committed, lag = found.get(place.partition, (0, 0))
            found[place.partition] = committed + offset, lag + end - offset
        return {number: counts for number, counts in found.items() if number not in silent}

    def _note(self, found: dict[int, tuple[int, int]], now: float) -> None:
        for number, (committed, lag) in found.items():
            if committed != self._committed[number] or lag == 0:
                self._stalled_s[number] = self._alive_s[number] = 0.0
            elif number in self._answered_at:
                self._stalled_s[number] += now - self._answered_at[number]
                self._alive_s[number] += now - self._answered_at[number]
            self.longest_alive_s = max(self.longest_alive_s, self._alive_s[number])
            self._committed[number] = committed
            if self._stalled_s[number] > self.longest_s:
                self.longest_s, self.longest = self._stalled_s[number], (number, now - self._started)
        self._answered_at = dict.fromkeys(found, now)
        self.lag = sum(lag for _, lag in found.values()) if len(found) == len(self._committed) else None
        self.processed = sum(self._committed.values())

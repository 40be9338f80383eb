"""Is this worker alive, ready, or stuck? What the probes answer and what the watchdog acts on.

A broker that is away never makes a worker look dead: restarting it would not bring the broker back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from streams.words import counted

STUCK_AFTER_S = 60.0
"""The bound on waiting without progress; beyond it the watchdog ends the worker."""
READY_LAG_S = 30.0
"""A worker further behind is not ready: a rollout waits until it has caught up."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer with its grounds: each one line, empty when all is well."""

    ok: bool
    reasons: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return the answer alone."""
        return self.ok


@dataclass(slots=True)
class _Partition:
    """One assigned partition; times are those of the monotonic clock, in seconds."""

    state: str
    progress_at: float
    """When it last committed, changed state, or had nothing to do."""
    lag: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Records and seconds still to go, by topic."""

    @property
    def lag_records(self) -> int:
        return sum(records for records, _ in self.lag.values())

    @property
    def lag_seconds(self) -> float:
        return max((seconds for _, seconds in self.lag.values()), default=0.0)


class Health:
    """Collects what the worker reports; answers at any time, from the same event loop.

    Times come from a monotonic clock, as the wall clock may be set while the worker runs.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        stuck_after_s: float = STUCK_AFTER_S,
        ready_lag_s: float = READY_LAG_S,
    ) -> None:
        self._monotonic = monotonic
        self._stuck_after_s = stuck_after_s
        self._ready_lag_s = ready_lag_s
        self._beat_at = monotonic()
        self._joined = False
        self._standing_by = 0
        self._broker_up = False
        self._broker_up_since = self._beat_at
        self._partitions: dict[int, _Partition] = {}
        self._opening_at = self._beat_at
        """When a partition last came nearer to being active: they may be restored one after the other."""

    def on_loop(self) -> None:
        """Note that the event loop turns; call it every second or so, from a timer."""
        self._beat_at = self._monotonic()

    def on_broker(self, up: bool) -> None:
        """Note whether the broker answered the last time it was asked."""
        if up and not self._broker_up:
            self._broker_up_since = self._monotonic()
        self._broker_up = up

    def on_assigned(self, partitions: set[int]) -> None:
        """Note which partitions the group gave to this worker: all of them, none is a valid answer."""
        self._joined = True
        self._opening_at = self._monotonic()
        for gone in self._partitions.keys() - partitions:
            del self._partitions[gone]
        for partition in partitions - self._partitions.keys():
            self._partitions[partition] = _Partition("assigned", self._monotonic())

    def on_standby(self, partitions: int) -> None:
        """Note for how many partitions, which others own, this worker stands by."""
        self._standing_by = partitions

    def on_state(self, partition: int, state: str) -> None:
        """Note that a partition's state has changed; a closed one is forgotten."""
        if state == "closed":
            self._partitions.pop(partition, None)
            return
        known = self._partitions.setdefault(partition, _Partition(state, 0.0))
        known.state = state
        known.progress_at = self._opening_at = self._monotonic()

    def on_restore(self, partition: int) -> None:
        """Note that the restore of a partition read on."""
        if partition in self._partitions:
            self._opening_at = self._monotonic()

    def on_commit(self, partition: int) -> None:
        """Note that a transaction of the partition was committed."""
        if partition in self._partitions:
            self._partitions[partition].progress_at = self._monotonic()

    def on_lag(self, topic: str, partition: int, records: int, seconds: float) -> None:
        """Note how many records, and how much time, a topic's partition still has to go."""
        known = self._partitions.get(partition)
        if known is None:
            return
        if known.lag_records == 0:
            # it had nothing to do until now
            known.progress_at = self._monotonic()
        known.lag[topic] = (records, seconds)

    def live(self) -> Verdict:
        """Return whether the worker makes progress or waits for good reason: false means restart it."""
        late = self._monotonic() - self._beat_at
        reasons = list(self._stuck())
        if late > self._stuck_after_s:
            reasons.insert(0, f"the event loop has not turned for {late:.0f} s")
        return Verdict(not reasons, tuple(reasons))

    def ready(self) -> Verdict:
        """Return whether all assigned partitions are active and nearly caught up.

        A worker that has no partition, and shall have none, is ready. One that is about to take over its
        first ones is not: a rollout waits for it before it stops the next.
        """
        if not self._joined:
            return Verdict(ok=False, reasons=("has not joined the consumer group yet",))
        reasons = []
        if self._standing_by and not self._partitions:
            reasons.append(f"reads the state of {counted(self._standing_by, 'partition')} to take over")
        for number, partition in sorted(self._partitions.items()):
            if partition.state != "active":
                reasons.append(f"partition {number} is {partition.state}, not active")
            elif partition.lag_seconds > self._ready_lag_s:
                lag_s = partition.lag_seconds
                reasons.append(f"partition {number} is {lag_s:.0f} s behind, over {self._ready_lag_s:g} s")
        return Verdict(not reasons, tuple(reasons))

    def stuck(self) -> str | None:
        """Return why the worker can't go on, in one line, or None: the watchdog exits with it.

        Stuck is: the broker answers, there is something to do, and for `stuck_after_s` nothing was done.
        """
        return next(self._stuck(), None)

    @property
    def broker_up(self) -> bool:
        """Whether the broker answered the last time it was asked."""
        return self._broker_up

    def partitions(self) -> dict[int, str]:
        """Return the state of each assigned partition."""
        return {number: self._partitions[number].state for number in sorted(self._partitions)}

    def lag_seconds(self) -> float:
        """Return the largest lag of an assigned partition, 0 when there is none."""
        return max((partition.lag_seconds for partition in self._partitions.values()), default=0.0)

    def _stuck(self) -> Iterator[str]:
        """Yield a line for each partition that has work and does none."""
        if not self._broker_up:
            return
        now = self._monotonic()
        for number, partition in sorted(self._partitions.items()):
            if partition.state == "frozen":
                continue  # the group is rebalancing: it waits for others
            active = partition.state == "active"
            since = partition.progress_at if active else self._opening_at
            idle_s = now - max(since, self._broker_up_since)
            if idle_s <= self._stuck_after_s:
                continue
            if not active:
                yield f"partition {number} has been {partition.state} for {idle_s:.0f} s without progress"
            elif partition.lag_records:
                yield (
                    f"partition {number} has {counted(partition.lag_records, 'record')} waiting "
                    f"and committed nothing for {idle_s:.0f} s"
                )

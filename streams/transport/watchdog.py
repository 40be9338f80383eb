"""See to it that a worker never stays alive doing nothing.

Every few seconds the broker is asked where the inputs end. That says whether it answers, and how much
is left to do, from a source that does not depend on the fetcher, Faust's flow control or our own loops.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from aiokafka.errors import KafkaError

from streams.errors import LiveSegmentsError
from streams.health import STUCK_AFTER_S
from streams.records import INPUT_TOPICS
from streams.telemetry import Telemetry
from streams.transport.fetch import check_group
from streams.transport.ownership import Ownership

log = logging.getLogger(__name__)

INTERVAL_S = 5.0
ANSWER_S = 4.0
"""A broker that takes longer counts as away."""


class Watchdog:
    """Measures the lag and ends the worker when health says that it is stuck."""

    interval_s = INTERVAL_S

    def __init__(
        self, app: Any, telemetry: Telemetry, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._monotonic = monotonic
        self._ownership: Ownership = app.ownership
        self._telemetry = telemetry
        self._away = False
        self._up_since_s = 0.0
        self._pending_since: dict[int, float] = {}
        """Since when each partition was seen with something to commit."""

    async def look(self) -> None:
        """Ask the broker once, report, and fail-stop if there is no progress."""
        self._check_group()
        try:
            await asyncio.wait_for(self._measure(), ANSWER_S)
        except (KafkaError, TimeoutError) as error:
            self._note(up=False)
            log.debug("broker away: %r", error)
            return
        self._note(up=True)
        reason = self._telemetry.health.stuck() or self._hanging()
        if reason is not None:
            self._ownership.fail_stop(LiveSegmentsError(f"{reason}; restart"))

    def _check_group(self) -> None:
        """End the worker when the group has refused it: aiokafka does nothing more until somebody asks.

        Who waits for a fetch at that moment is told; in a rebalance, when most is refused, nobody does.
        """
        client = self._app.consumer.client
        try:
            check_group(client)
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker is no member any more
            if not self._app.should_stop:
                self._ownership.fail_stop(
                    LiveSegmentsError(f"the consumer group does not have this worker: {error!r}; restart")
                )

    def _hanging(self) -> str | None:
        """Return which partition has work to commit and does not get it done, though the broker answers."""
        now_s, before = self._monotonic(), self._pending_since
        self._pending_since = {
            part.number: before.get(part.number, now_s)
            for part in self._ownership.active()
            if part.commit is not None or self._ownership.has_work(part)
        }
        for part in self._ownership.active():
            since_s = max(self._pending_since.get(part.number, now_s), part.committed_at_s, self._up_since_s)
            idle_s = now_s - since_s
            if idle_s > STUCK_AFTER_S:
                return f"partition {part.number} has something to commit, and no commit for {idle_s:.0f} s"
        return None

    def _note(self, *, up: bool) -> None:
        if up == self._away:
            self._away = not up
            self._up_since_s = self._monotonic() if up else self._up_since_s
            log.warning("broker %s", "answers again" if up else "does not answer, waiting for it")
        self._telemetry.on_broker(up)

    async def _measure(self) -> None:
        """Report the lag of each topic partition against what is committed."""
        parts = list(self._ownership.parts.values())
        wanted = {
            self._ownership.topic_partition(topic, part.number): (part, topic)
            for part in parts
            for topic in range(part.topics)
        }
        client = self._app.consumer.client
        if not wanted:
            await client._client.force_metadata_update()  # noqa: SLF001 - any request will do
            return
        ends = await client.end_offsets(list(wanted))
        now_ms = self._ownership.clock.now_ms()
        for tp, (part, topic) in wanted.items():
            records = part.remaining(topic, ends[tp]) + part.unprocessed
            self._telemetry.on_lag(
                INPUT_TOPICS[topic], part.number, records, part.aligner.age_s(topic, now_ms)
            )
        for part in parts:
            self._telemetry.on_partition_lag(part.number, part.age_s(now_ms))

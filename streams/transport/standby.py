"""The partitions that this worker stands by for: their state is read while others own them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import NoReturn

from streams.settings import Settings
from streams.transport.ports import EnginePort
from streams.transport.restore import Replica

log = logging.getLogger(__name__)


class Standbys:
    """Replicas by partition; lives in one event loop."""

    def __init__(
        self,
        settings: Settings,
        engine: EnginePort,
        *,
        transactions: bool,
        fail_stop: Callable[[BaseException], NoReturn],
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._transactions = transactions
        self._fail_stop = fail_stop
        self._replicas: dict[int, Replica] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def keep(self, numbers: Collection[int], active: Collection[int]) -> None:
        """Stand by for these partitions; forget all others but those that are about to be taken.

        Args:
            numbers: to stand by for.
            active: what is this worker's own now: `take` gives what there is of it.
        """
        for number in self._replicas.keys() - set(numbers) - set(active):
            self._close(self._replicas.pop(number), number)
        for number in sorted(set(numbers) - self._replicas.keys()):
            replica = Replica(self._settings, self._engine, number, transactions=self._transactions)
            self._replicas[number] = replica
            self._tasks[number] = asyncio.get_running_loop().create_task(self._run(replica))
            log.info("partition %d: standing by", number)

    def near(self) -> frozenset[int]:
        """Return the partitions whose state is here, but for the last records."""
        return frozenset(number for number, replica in self._replicas.items() if replica.near.is_set())

    async def wait_near(self, numbers: Collection[int]) -> None:
        """Wait until all of these are near; cancel it when they are no longer stood by for."""
        for number in numbers:
            await self._replicas[number].near.wait()

    def take(self, number: int) -> Replica | None:
        """Hand over a replica that reads; whoever takes it closes it."""
        replica = self._replicas.pop(number, None)
        if replica is None:
            return None
        if not replica.reads:
            self._close(replica, number)
            return None
        self._tasks.pop(number).cancel()
        return replica

    def has(self, number: int) -> bool:
        """Return whether there is anything to take."""
        return number in self._replicas

    async def close_all(self) -> None:
        """Forget everything."""
        self.keep((), ())
        if self._closing:
            await asyncio.wait(self._closing, timeout=5)

    async def _run(self, replica: Replica) -> None:
        """Let a replica read; what ends it ends the worker, as it would when it restores."""
        try:
            await replica.start()
            await replica.failed()
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no state to take over with
            self._fail_stop(error)

    def _close(self, replica: Replica, number: int) -> None:
        self._tasks.pop(number).cancel()
        task = asyncio.get_running_loop().create_task(replica.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        self._engine.close(number)

"""The partitions that this worker stands by for: their state is read while others own them."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Collection

from streams.settings import Settings
from streams.transport.failstop import one_line
from streams.transport.ports import EnginePort
from streams.transport.restore import Replica

log = logging.getLogger(__name__)

READ_AT_ONCE = 2
"""Replicas that are read from the beginning at a time; those that are near follow beside them."""
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Before another try."""


class Standbys:
    """Replicas by partition; lives in one event loop."""

    def __init__(self, settings: Settings, engine: EnginePort, *, transactions: bool) -> None:
        self._settings = settings
        self._engine = engine
        self._transactions = transactions
        self._tasks: dict[int, asyncio.Task[None]] = {}
        """For each partition that is stood by for."""
        self._replicas: dict[int, Replica] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(READ_AT_ONCE)
        self._news = asyncio.Event()
        """Another one is near."""

    def keep(self, numbers: Collection[int], active: Collection[int]) -> None:
        """Stand by for these partitions; forget all others but those that are about to be taken.

        Args:
            numbers: to stand by for.
            active: what is this worker's own now: `take` gives what there is of it.
        """
        for number in self._tasks.keys() - set(numbers) - set(active):
            self._forget(number)
        for number in sorted(set(numbers) - self._tasks.keys()):
            self._tasks[number] = asyncio.get_running_loop().create_task(self._run(number))
            log.info("partition %d: standing by", number)

    def near(self) -> frozenset[int]:
        """Return the partitions whose state is here, but for the last records."""
        return frozenset(number for number, replica in self._replicas.items() if replica.near.is_set())

    async def wait_near(self, numbers: Collection[int]) -> None:
        """Wait until all of these are near; cancel it when they are no longer stood by for."""
        while not self.near().issuperset(numbers):
            self._news.clear()
            await self._news.wait()

    def take(self, number: int) -> Replica | None:
        """Hand over a replica that reads; whoever takes it closes it."""
        replica = self._replicas.get(number)
        if replica is None or not replica.reads:
            if number in self._tasks:
                self._forget(number)
            return None
        del self._replicas[number]
        self._tasks.pop(number).cancel()
        replica.gentle = False
        return replica

    async def close_all(self) -> None:
        """Forget everything."""
        self.keep((), ())
        if self._closing:
            await asyncio.wait(self._closing, timeout=5)

    async def _run(self, number: int) -> None:
        """Keep a replica reading; what goes wrong does not concern the partitions that are open here."""
        for pause_s in itertools.chain(PAUSES_S, itertools.repeat(PAUSES_S[-1])):
            replica = Replica(self._settings, self._engine, number, transactions=self._transactions)
            replica.gentle = True
            self._replicas[number] = replica
            try:
                async with self._turns:
                    await replica.start()
                    await replica.until_near()
                self._news.set()
                await replica.failed()
            except Exception as error:  # noqa: BLE001 - whatever it is: the owner goes on, so there is time
                log.warning(
                    "partition %d: cannot stand by, next try in %g s: %s", number, pause_s, one_line(error)
                )
            self._retire(self._replicas.pop(number))
            await asyncio.sleep(pause_s)

    def _forget(self, number: int) -> None:
        self._tasks.pop(number).cancel()
        if number in self._replicas:
            self._retire(self._replicas.pop(number))
        self._engine.close(number)

    def _retire(self, replica: Replica) -> None:
        replica.abandon()
        task = asyncio.get_running_loop().create_task(replica.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

"""Wakes who waits, at once or at a time: in place of looking at every interval whether there is work."""

from __future__ import annotations

import asyncio
from math import inf


class Alarm:
    """For one waiter; lives in one event loop."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._handle: asyncio.TimerHandle | None = None
        self._at_s = inf
        """When the handle rings, by the loop's clock."""

    def ring(self) -> None:
        """Wake the waiter as soon as the loop gets to it."""
        self._rung.set()

    def ring_in(self, seconds: float) -> None:
        """Wake the waiter after so long, or sooner if that was asked for."""
        loop = asyncio.get_running_loop()
        at_s = loop.time() + seconds
        if at_s < self._at_s:
            self._forget()
            self._at_s, self._handle = at_s, loop.call_at(at_s, self.ring)

    async def wait(self) -> None:
        """Return when it has rung since the last wait; what was set for later is forgotten."""
        await self._rung.wait()
        self._rung.clear()
        self._forget()

    def _forget(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle, self._at_s = None, inf


class Alarms:
    """Those of the partitions of a worker: each wakes a task of its own."""

    def __init__(self) -> None:
        self.commit = Alarm()
        """There may be something to commit."""
        self.sweep = Alarm()
        """Or to sweep."""

    def ring(self) -> None:
        """Have it looked at all there is."""
        self.commit.ring()
        self.sweep.ring()

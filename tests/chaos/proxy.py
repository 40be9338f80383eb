"""A TCP proxy in a process of its own: the connections between workers and brokers, to be slowed and cut.

One listening port for each broker. It prints its ports as a JSON list, then obeys JSON commands on stdin,
one a line, and ends when stdin ends: `["target", i, port]`, `["delay", i, ms]` (each way),
`["cut", i]` (resets all connections), `["refuse", i, true]` (no new ones), `["stall", i, true]` (connections
stay open and carry nothing).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).resolve().parents[2]


class Link:
    """What is the matter with the way to one broker at present."""

    def __init__(self) -> None:
        self.port = 0
        self.delay_s = 0.0
        self.refusing = False
        self.stalled = False
        self.ends: set[End] = set()


class End(asyncio.Protocol):
    """One side of a connection; what it receives is written to the other, in order, perhaps later."""

    def __init__(self, link: Link, other: End | None = None) -> None:
        self._link = link
        self._other = other
        self._queue: deque[tuple[float, bytes]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; a client's connection is led on to the broker."""
        self.transport = cast("asyncio.Transport", transport)
        self._link.ends.add(self)
        if self._other is not None:
            self.transport.resume_reading()
            self._other.join(self)
        elif self._link.refusing:
            self.transport.abort()
        else:
            self.transport.pause_reading()
            asyncio.get_running_loop().create_task(self._reach())

    async def _reach(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: End(self._link, self), "127.0.0.1", self._link.port
            )
        except OSError:
            self.abort()

    def join(self, other: End) -> None:
        """Go on: the broker's side stands."""
        self._other = other
        if self.transport is None or self.transport.is_closing():
            other.abort()
        else:
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Hand on, now or when the delay is over."""
        self._queue.append((asyncio.get_running_loop().time() + self._link.delay_s, data))
        self.flush()

    def flush(self) -> None:
        """Write what is due."""
        loop = asyncio.get_running_loop()
        other = self._other.transport if self._other is not None else None
        while self._queue and other is not None and not self._link.stalled:
            due, data = self._queue[0]
            if due > loop.time():
                if self._timer is None:
                    self._timer = loop.call_at(due, self._on_timer)
                return
            self._queue.popleft()
            other.write(data)

    def _on_timer(self) -> None:
        self._timer = None
        self.flush()

    def pause_writing(self) -> None:
        """Take no more from the other side while this one's buffer is full."""
        if self._other is not None and self._other.transport is not None:
            self._other.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        if self._other is not None and self._other.transport is not None:
            self._other.transport.resume_reading()

    def eof_received(self) -> bool:
        """Close: no client of Kafka closes one direction only."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Write what is left, end the other side too."""
        self._link.ends.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._other is not None and self._other.transport is not None:
            if error is None and not self._link.stalled:
                for _, data in self._queue:
                    self._other.transport.write(data)
            self._other.transport.close()
        self._queue.clear()

    def abort(self) -> None:
        """Reset the connection."""
        if self.transport is not None:
            self.transport.abort()


def obey(links: list[Link], command: str, number: int, argument: float = 0) -> None:
    """Carry out a command; those that do not exist are an error."""
    link = links[number]
    match command:
        case "target":
            link.port = int(argument)
        case "delay":
            link.delay_s = argument / 1000
        case "refuse":
            link.refusing = bool(argument)
        case "stall":
            link.stalled = bool(argument)
            for end in list(link.ends):
                end.flush()
        case "cut":
            for end in list(link.ends):
                end.abort()
        case _:
            raise ValueError(command)


async def serve(count: int) -> None:
    """Listen on free ports, print them, obey stdin until it ends."""
    loop = asyncio.get_running_loop()
    links = [Link() for _ in range(count)]
    servers = [await loop.create_server(lambda at=link: End(at), "127.0.0.1", 0) for link in links]  # type: ignore[misc] # a default binds the loop's value
    ports = json.dumps([server.sockets[0].getsockname()[1] for server in servers])
    print(ports, flush=True)  # noqa: T201 - that is how the run learns them
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        obey(links, *json.loads(line))


class Proxy:
    """The proxy's process, seen from the run; brokers count from 1."""

    def __init__(self, brokers: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.proxy", str(brokers)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.ports: list[int] = json.loads(self._process.stdout.readline())
        self.bootstrap = ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def send(self, command: str, broker: int, argument: float = 0) -> None:
        """Give a command for the way to one broker."""
        line: list[Any] = [command, broker - 1, argument]
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))

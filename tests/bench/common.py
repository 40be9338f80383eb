"""What the benchmarks share: workers as processes, what they use, how they are waited for."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from streams.lag import Lag
from streams.settings import Settings
from tests.bench.peers.live_segments import PRODUCT

STOP_S = 30.0


def out(line: str = "") -> None:
    """Print a line at once, also into a file."""
    print(line, flush=True)  # noqa: T201 - the figures are what a benchmark is for


def end_on_sigterm() -> None:
    """Make SIGTERM end the benchmark as an error does, so that it stops what it has started."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))


def load_average() -> float:
    """Return the machine's load average over the last minute: above the cores, figures mean little."""
    return os.getloadavg()[0]


def until(condition: Callable[[], bool], what: str, limit_s: float, every_s: float = 0.1) -> float:
    """Wait for a condition and return how long it took in seconds; end the benchmark after the limit."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > limit_s:
            sys.exit(f"{what}: not within {limit_s:g} s")
        time.sleep(every_s)
    return time.monotonic() - began


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that still run."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process and its children, as far as they live."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(cpu_s(child) for child in children(pid))


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process and its children."""
    return own_rss_mb(pid) + sum(rss_mb(child) for child in children(pid))


def own_rss_mb(pid: int) -> float:
    """Return the resident memory of one process; 0 when it has ended."""
    return _field_mb(pid, "status", "VmRSS")


def pss_mb(pid: int) -> float:
    """Return the resident memory of one process, shared pages shared out; 0 where that is not told."""
    return _field_mb(pid, "smaps_rollup", "Pss")


def _field_mb(pid: int, file: str, name: str) -> float:
    try:
        found = re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{pid}/{file}").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


class Worker:
    """A worker process that is stopped at the end; use it with `with`.

    Args:
        settings: by the names of the environment; unless told, the page gets any free port.
        log: file that its lines are added to; None drops them.
        command: what to run.
    """

    def __init__(
        self, settings: Mapping[str, str], log: Path | None = None, command: Sequence[str] = PRODUCT
    ) -> None:
        environ = {**os.environ, "LIVE_SEGMENTS_WEB_PORT": "0", **settings}
        with (log or Path(os.devnull)).open("ab") as lines:
            self._process = subprocess.Popen(
                command, env=environ, stdin=subprocess.DEVNULL, stdout=lines, stderr=lines
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Return the id of the process that was started: the supervisor, if there is one."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return its exit code; None while it runs."""
        return self._process.poll()

    @property
    def child(self) -> int:
        """Return the id of the process that works: the supervisor's child, or the process itself."""
        return next(iter(children(self.pid)), self.pid)

    def terminate(self) -> None:
        """Ask it to end in good order, without waiting."""
        self._process.terminate()

    def kill_child(self) -> None:
        """End the working process as a crash does; a supervisor starts it anew."""
        os.kill(self.child, signal.SIGKILL)

    def kill(self) -> None:
        """End the working process and its supervisor as the loss of their machine does."""
        self._process.send_signal(signal.SIGSTOP)
        for pid in children(self.pid):
            os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it in good order, or at once if that takes too long; a second call does nothing."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()


def wait_until_done(settings: Settings, limit_s: float) -> float:
    """Wait until all events are committed and return how long it took in seconds."""
    with Lag(settings) as lag:
        return until(lambda: lag.left() == 0, "not all events are committed", limit_s)

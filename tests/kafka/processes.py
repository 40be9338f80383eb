"""Worker processes with the counting engine, as a test starts, hits and ends them."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from streams.settings import Settings
from tests.kafka import counting_worker

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90.0
"""Far beyond what anything takes; on a machine that is busy otherwise everything takes long."""
LOOK_S = 15.0
"""A client's answer takes no longer, the timeout of a request included."""
SHOWN = 10_000
"""Characters at the end of a log that a test which fails shows."""
_forks = multiprocessing.get_context("forkserver")
# importing the product takes longer than most tests: one process does it once, workers are its children
_forks.set_forkserver_preload(["tests.kafka.counting_worker"])


class Worker:
    """A process with the counting engine; killed at the end of the test if it is still there."""

    run = staticmethod(counting_worker.main)

    def __init__(self, settings: Settings, log: Path, **environ: str) -> None:
        self._log = log
        log.touch()
        self._pipe, theirs = socket.socketpair()
        self._process = _forks.Process(target=_become, args=(self.run, theirs, str(log), environ))
        self._process.start()
        theirs.close()
        self._pipe.sendall(msgspec.json.encode(settings) + b"\n")

    def __enter__(self) -> Self:
        """Return the worker."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave no process behind; a test that fails shows what was logged."""
        if error is not None:
            print(f"{self._log}:\n{self.log()[-SHOWN:]}")  # noqa: T201 - pytest prints it with the failure
        self.kill()
        self._pipe.close()

    @property
    def pid(self) -> int:
        """Return the process id."""
        assert self._process.pid is not None
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return the exit code, None while it runs; minus the signal that killed it."""
        return self._process.exitcode

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for its end and return the exit code."""
        self._process.join(timeout_s)
        code = self.exit_code()
        assert code is not None, f"it runs on after {timeout_s:g} s: {self.log()[-2000:]}"
        return code

    def signal(self, number: int) -> None:
        """Send a signal, if it is still there."""
        if self.exit_code() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a crash does."""
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self, timeout_s: float = PATIENCE_S) -> int:
        """Send SIGTERM and return the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def log(self) -> str:
        """Return what it has logged so far."""
        return self._log.read_text()

    def critical(self) -> list[str]:
        """Return the lines with which it ended itself."""
        return [line for line in self.log().splitlines() if "CRITICAL" in line]

    def says(self, text: str, times: int = 1) -> float:
        """Wait until it has logged a text so many times; return how long that took."""

        def said() -> bool:
            code = self.exit_code()
            if self.log().count(text) >= times:
                return True
            assert code is None, f"it ended with {code}: {self.log()[-2000:]}"
            return False

        return until(said, f"{text!r} in the log")


def _become(run: Callable[[], int], pipe: socket.socket, log: str, environ: dict[str, str]) -> None:
    """Run in this process, as if it had been started from a shell."""
    out = os.open(log, os.O_WRONLY | os.O_APPEND)
    for number, mine in enumerate((pipe.fileno(), out, out)):
        os.dup2(mine, number)
    sys.stdin = os.fdopen(0, "r", closefd=False)
    sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.chdir(Path(log).parent)  # Faust makes a folder there
    os.environ.update({"PYTHONPATH": str(ROOT), **environ})
    os._exit(run())


class Supervised(Worker):
    """A supervisor that runs counting workers, which are started as the product's are."""

    run = staticmethod(counting_worker.supervise)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave no process behind."""
        super().__exit__(kind, error, trace)
        for pid in self.pids()[-1:]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def signal_worker(self, number: int) -> None:
        """Send a signal to its present worker."""
        os.kill(self.pids()[-1], number)

    def pids(self) -> list[int]:
        """Return the process ids of all its workers so far."""
        return [int(number) for number in re.findall(counting_worker.PROCESS + r"(\d+)", self.log())]


def runs(pid: int) -> bool:
    """Return whether a process is there and not a zombie of the process table."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> float:
    """Wait for a condition and return how long it took; fail after the timeout.

    A look that takes very long counts as `LOOK_S`: the machine stood still, and whoever is waited for too.
    """
    started = looked = time.monotonic()
    waited = 0.0
    while not condition():
        assert waited < timeout_s, f"{what}: not within {timeout_s:g} s"
        time.sleep(0.05)
        last, looked = looked, time.monotonic()
        waited += min(looked - last, LOOK_S)
    return time.monotonic() - started

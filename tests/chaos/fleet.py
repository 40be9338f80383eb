"""The product's workers as processes: each a supervisor with its child, in a session of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STOP_S = 45.0
"""Beyond it a worker that was told to stop is a failure, and is killed."""
_ENDED = re.compile(r"the worker ended with code (-?\d+), restarting")
_COMMAND = "import sys; from streams.cli import main; sys.exit(main())"


class Worker:
    """One `live-segments worker`; its log is a file in the run's folder."""

    def __init__(self, number: int, folder: Path, environ: Mapping[str, str]) -> None:
        self.number = number
        self.log = folder / f"worker-{number:03d}.log"
        self.expected_to_end = False
        """We have ended it, or told it to."""
        self.told = False
        """We have told it to stop in good order."""
        self.frozen = False
        self._orphan: tuple[int, str] | None = None
        """Process id and time of birth of a child whose supervisor was killed alone."""
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _COMMAND, "worker"],
                cwd=folder,  # Faust makes a folder where it is started
                env={**os.environ, **environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Return whether the supervisor is there."""
        return self._process.poll() is None

    @property
    def begun(self) -> bool:
        """Return whether it has said anything; before, a signal finds Python starting up."""
        return self.log.stat().st_size > 0

    @property
    def code(self) -> int | None:
        """Return how the supervisor ended, None while it runs."""
        return self._process.poll()

    @property
    def child(self) -> int | None:
        """Return the process id of the supervised worker, None while there is none."""
        return next(_children(self._process.pid), None) if self.alive else None

    def kill_child(self) -> int | None:
        """End the worker as a crash does; its supervisor restarts it. Return its process id."""
        child = self.child
        if child is not None:
            _send(child, signal.SIGKILL)
        return child

    def kill_supervisor(self) -> None:
        """End the supervisor alone; its child has to notice and stop."""
        self.expected_to_end = True
        child = self.child
        self._orphan = None if child is None else (child, _born(child))
        self._process.kill()
        self._process.wait()

    def kill(self) -> None:
        """End both at once; ids of processes that are gone may be others' by now and are left alone."""
        self.expected_to_end = True
        if self.alive:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        elif self._orphan is not None and _born(self._orphan[0]) == self._orphan[1]:
            _send(self._orphan[0], signal.SIGKILL)

    def freeze(self) -> None:
        """Stop both; connections stay open."""
        self.frozen = True
        if self.alive:
            os.killpg(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let both go on, as a zombie that knows nothing of what has happened meanwhile."""
        self.frozen = False
        if self.alive:
            os.killpg(self._process.pid, signal.SIGCONT)

    def terminate(self) -> None:
        """Tell it to stop in good order."""
        self.expected_to_end = self.told = True
        self._process.terminate()

    def wait(self, timeout_s: float = STOP_S) -> int | None:
        """Return its exit code, None (and kill it) when it takes longer."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return None


class Fleet:
    """All workers of a run, those that have ended too."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        self.all: list[Worker] = []
        self.killed_children = 0
        """Children that were ended from here, whose end is no failure of their own."""

    @property
    def alive(self) -> list[Worker]:
        """Return the workers whose supervisors are there and that were not told to end."""
        return [worker for worker in self.all if worker.alive and not worker.expected_to_end]

    def start(self) -> Worker:
        """Add a worker."""
        worker = Worker(len(self.all) + 1, self._folder, self._environ)
        self.all.append(worker)
        return worker

    def stop(self) -> list[int | None]:
        """Stop all in good order and return the exit codes of those that were alive."""
        alive = [worker for worker in self.all if worker.alive]
        for worker in alive:
            worker.thaw()
            worker.terminate()
        return [worker.wait() for worker in alive]

    def kill(self) -> None:
        """Leave no process behind."""
        for worker in self.all:
            worker.kill()

    def exits(self) -> Counter[str]:
        """Return how often workers ended by themselves, by exit code; supervisors as `supervisor N`."""
        codes = Counter(code for worker in self.all for code in _ENDED.findall(_text(worker.log)))
        codes["-9"] = max(0, codes["-9"] - self.killed_children)
        found = Counter({code: count for code, count in codes.items() if count})
        found.update(f"supervisor {w.code}" for w in self.all if not w.alive and not w.expected_to_end)
        return found

    def restarts(self) -> int:
        """Return how often supervisors have started their worker again."""
        return sum(len(_ENDED.findall(_text(worker.log))) for worker in self.all)

    def count(self, pattern: str) -> int:
        """Return how many lines of all logs match."""
        return sum(len(re.findall(pattern, _text(worker.log))) for worker in self.all)

    def criticals(self) -> list[str]:
        """Return the last words of workers that gave up, with the number of the worker."""
        return [
            f"worker {worker.number}: {line}"
            for worker in self.all
            for line in _text(worker.log).splitlines()
            if " CRITICAL " in line or "Traceback" in line
        ]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _born(pid: int) -> str:
    """Return when a process began, as its kernel counts; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _children(pid: int) -> Iterator[int]:
    """Yield the processes whose parent is `pid`."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            # pid (name) state ppid ...; the name may hold spaces
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                yield int(entry.name)

"""Keep a worker running: restart it with back-off, unless it says that a restart is of no use."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

import msgspec

from streams.errors import ExitCode
from streams.settings import Settings

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
HEALTHY_AFTER_S = 60.0
"""A worker that ran this long starts the back-off anew."""
BREACHES = "SUPERVISOR_INVARIANT_BREACHES"
"""Environment variable that tells a child how many before it ended because an invariant was broken: they
could not show it on their metrics page any more."""
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(128 << 20), "MALLOC_MMAP_THRESHOLD_": str(32 << 20)}
"""Settings of glibc for a child: what a chunk or a commit frees stays at hand for the next, up to 128 MiB at
the heap's end, instead of going to the system and coming back zeroed, page by page."""
FINAL = frozenset({ExitCode.DONE, ExitCode.USAGE, ExitCode.INPUT_FILE, ExitCode.INTERLOCK, ExitCode.STOPPED})
"""Exit codes after which the same worker would only end the same way."""


class Supervisor:
    """Runs one child at a time; SIGTERM and SIGINT are handed on and end both."""

    def __init__(self, settings: Settings, command: Sequence[str] | None = None) -> None:
        self._line = msgspec.json.encode(settings) + b"\n"
        self._command = list(command or (sys.executable, "-m", "streams.worker"))
        self._child: subprocess.Popen[bytes] | None = None
        self._stop = threading.Event()
        self._breaches = 0
        """Children that ended because an invariant was broken: the next one shows how many there were."""

    def run(self) -> int:
        """Return the exit code of the last child."""
        before = {
            number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            return self._keep_running(time.monotonic)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _keep_running(self, monotonic: Callable[[], float]) -> int:
        pause_s = FIRST_PAUSE_S
        while True:
            started = monotonic()
            code = self._run_child()
            self._breaches += code == ExitCode.INVARIANT
            if self._stop.is_set() or code in FINAL:
                return max(code, 0)
            if monotonic() - started >= HEALTHY_AFTER_S:
                pause_s = FIRST_PAUSE_S
            log.warning("the worker ended with code %d, restarting in %g s", code, pause_s)
            if self._stop.wait(pause_s):
                return int(ExitCode.DONE)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _run_child(self) -> int:
        environ = {**KEEP_MEMORY, **os.environ, BREACHES: str(self._breaches)}
        # in a session of its own: a terminal would send it the signal that we hand on, and two mean hurry
        with subprocess.Popen(  # noqa: S603 - our own module
            self._command, stdin=subprocess.PIPE, env=environ, start_new_session=True
        ) as child:
            self._child = child
            if child.stdin is None:
                raise RuntimeError("no pipe to the worker")
            try:
                child.stdin.write(self._line)
                child.stdin.flush()
            except BrokenPipeError:
                log.warning("the worker ended before it had read its settings")
            if self._stop.is_set():
                child.terminate()
            # the pipe stays open: its end tells the worker that we are gone
            return child.wait()

    def _on_signal(self, number: int, _frame: object) -> None:
        self._stop.set()
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
        log.info("%s: stopping the worker", signal.Signals(number).name)

"""The worker of the demo: the product's, in a process that does not outlive ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from typing import IO, Self

import msgspec

from streams.errors import LiveSegmentsError
from streams.notice import COMPILING
from streams.settings import Settings

FIRST_BYTES = 1 << 16
"""Of its log, in which all that it says at its start is found."""
STOP_S = 15.0
"""A worker that takes longer to stop is killed."""


class Worker:
    """A running worker; use it with `with`.

    When this process is killed it ends too: at once where the system has `setpriv`, else when it finds that
    the pipe to us is closed.

    Args:
        settings: the deployment.
    """

    def __init__(self, settings: Settings) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in stop
        setpriv = shutil.which("setpriv")
        guard = (setpriv, "--pdeathsig", "KILL") if setpriv else ()
        # a session of its own: Ctrl-C on the terminal is for us, who then stop it in good order
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            (*guard, sys.executable, "-m", "streams.worker"),
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        if self._process.stdin is None:
            raise RuntimeError("no pipe to the worker")
        self._process.stdin.write(msgspec.json.encode(settings) + b"\n")
        self._process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Return the id of its process."""
        return self._process.pid

    def check(self) -> None:
        """Make sure that it runs.

        Raises:
            LiveSegmentsError: it has ended; with the last line it wrote.
        """
        code = self._process.poll()
        if code is not None:
            raise LiveSegmentsError(f"the demo's worker ended with code {code}: {self._last_line()}")

    def compiles(self) -> bool:
        """Return whether it has said that it compiles its kernels, which takes a while."""
        # the file position is the worker's too, and must not move
        return COMPILING.encode() in os.pread(self._log.fileno(), FIRST_BYTES, 0)

    def stop(self) -> None:
        """Stop it: in good order if it does so in time. A second call does nothing."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _last_line(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").splitlines()
        return next((line for line in reversed(lines) if line.strip()), "it wrote nothing")

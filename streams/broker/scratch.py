"""A folder for a test Kafka's data that goes with its owner, or with the next one after a crash."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_MAKING, _MADE = "live-segments-new-", "live-segments-kafka-"
_LOCK = "owner.lock"


class Scratch:
    """A temporary folder whose owner holds a lock on it; the system takes the lock from a dead owner.

    An owner that is killed leaves its folder behind: making another one removes such folders.
    """

    def __init__(self) -> None:
        _remove_leftovers()
        making = tempfile.mkdtemp(prefix=_MAKING)
        self._lock = os.open(Path(making, _LOCK), os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # under this name it may be looked at by others: it is locked by now
        self.path = Path(making.replace(_MAKING, _MADE))
        Path(making).rename(self.path)

    def remove(self) -> None:
        """Remove the folder; a second call does nothing."""
        if self._lock >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = -1


def _remove_leftovers() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_MADE}*"):
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR)
        except OSError:  # somebody else's, or gone by now
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass  # its owner lives
        finally:
            os.close(lock)

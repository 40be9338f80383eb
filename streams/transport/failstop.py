"""End the process at once, with one clear line: the only safe answer to a state that is not understood."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from typing import NoReturn

from streams.errors import ExitCode, LiveSegmentsError

log = logging.getLogger(__name__)


def fail_stop(error: BaseException) -> NoReturn:
    """Log the error in one line and exit with its code; nothing more is written to Kafka."""
    log.critical("%s", one_line(error))
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code(error))


def exit_code(error: BaseException) -> int:
    """Return the exit code that an error ends the worker with."""
    return int(error.exit_code) if isinstance(error, LiveSegmentsError) else int(ExitCode.NO)


def one_line(error: BaseException) -> str:
    """Return an error as one line; unexpected ones with their type and place."""
    if isinstance(error, LiveSegmentsError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = ", ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames)
    return " ".join(f"{type(error).__name__}: {error} ({where})".split())

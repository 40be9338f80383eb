"""What can go wrong, with the exit code of each: every message is one line that says what to do."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells its supervisor; only a worker's 1, 3 and 6 are worth a restart."""

    DONE = 0
    NO = 1
    """The answer is no (a check failed, a diff over its bound), or the program failed."""
    USAGE = 2
    BROKER_UNREACHABLE = 3
    INPUT_FILE = 4
    INTERLOCK = 5
    """Refused: going on would do harm; the message names the setting or command that allows it."""
    INVARIANT = 6
    """An invariant is broken: a worker stopped dead rather than write what does not add up."""
    STOPPED = 130
    """Stopped by the user; resumable."""


class LiveSegmentsError(Exception):
    """Base of all errors that are shown to the user without a traceback; line breaks become spaces."""

    exit_code: ExitCode = ExitCode.NO

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class UsageError(LiveSegmentsError):
    """A wrong option, setting or argument."""

    exit_code = ExitCode.USAGE


class BrokerUnreachableError(LiveSegmentsError):
    """No broker answered in the time that was given."""

    exit_code = ExitCode.BROKER_UNREACHABLE


class InputFileError(LiveSegmentsError):
    """A file is missing, damaged, or not of the format that was named."""

    exit_code = ExitCode.INPUT_FILE


class InterlockError(LiveSegmentsError):
    """An action is refused because it would do harm, unless it is explicitly allowed."""

    exit_code = ExitCode.INTERLOCK


class StaleStateError(LiveSegmentsError):
    """The group has committed records that a restored state does not hold, and none the other way round."""


class InvariantError(LiveSegmentsError):
    """An invariant is broken: an input record was lost, doubled or never accounted for."""

    exit_code = ExitCode.INVARIANT

"""Where a worker's CPU time goes, by stage of the work; measured once per chunk or commit, never per event.

What no stage has is Faust's, the Kafka client's and the interpreter's: the difference to
`process_cpu_seconds_total`.
"""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time
from typing import Literal, get_args

Stage = Literal[
    "fetch",  # record batches to columns of bytes, cut into chunks
    "decode",  # JSON to columns; names to codes; dead letters
    "index",  # customer to row
    "update",  # rows after each event
    "vector",  # what the model sees; learning
    "assign",  # behaviour segments
    "audiences",  # rules
    "changes",  # change events and memberships of who moved
    "sweep",  # the same for customers without events
    "encode",  # changed rows and outputs to records
    "commit",  # records to compressed batches
]
STAGES: tuple[Stage, ...] = get_args(Stage)
"""In the order of the work."""

Told = Callable[[Stage, float], None]
"""Takes CPU seconds that a stage has used."""


class StageClock:
    """A stopwatch with laps, for one thread.

    `begin` whenever work starts that nothing else comes between, so also after every `await`; `lap` when a
    stage of it is done. CPU time and not the wall's: what other processes do meanwhile does not count.
    """

    __slots__ = ("_last", "_told")

    def __init__(self, told: Told = lambda _stage, _seconds: None) -> None:
        self._told = told
        self._last = 0.0

    def begin(self) -> None:
        """Start the next lap."""
        self._last = thread_time()

    def lap(self, stage: Stage) -> None:
        """Put the time since the last lap down to a stage."""
        now = thread_time()
        self._told(stage, now - self._last)
        self._last = now

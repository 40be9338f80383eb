"""Whether the broker answers, said to who waits for records: silence may mean either."""

from __future__ import annotations

import time
from collections.abc import Callable

from streams.cli.output import say

SILENT_S = 5.0
"""After so long without a record the broker is asked."""


class Presence:
    """Says once that the broker does not answer, and once that it does again.

    Args:
        answers: asks the broker; it may take some seconds.
        monotonic: a clock in seconds.
    """

    def __init__(self, answers: Callable[[], bool], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._answers = answers
        self._monotonic = monotonic
        self._heard_s = monotonic()
        self._away = False

    def heard(self) -> None:
        """Note that a record came."""
        self._note(up=True)

    def silence(self) -> None:
        """Note that none came; ask the broker if that has lasted, each time while it is away."""
        if self._away or self._monotonic() - self._heard_s >= SILENT_S:
            self._note(up=self._answers())

    def _note(self, *, up: bool) -> None:
        if up:
            self._heard_s = self._monotonic()
        if up == self._away:
            self._away = not up
            say(f"broker {'answers again' if up else 'does not answer, waiting for it'}")

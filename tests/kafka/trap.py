"""Faults at a chosen step: a worker that kills or freezes itself in the middle of a transaction."""

from __future__ import annotations

import functools
import os
import signal
from pathlib import Path
from typing import Any, Literal

import msgspec
from aiokafka import AIOKafkaProducer

VARIABLE = "TRAP"
Step = Literal["begin_transaction", "send_offsets_to_transaction", "commit_transaction"]


class Trap(msgspec.Struct, frozen=True):
    """Where a worker is hit, and by what; it springs once, whoever restarts the worker.

    Before `commit_transaction` everything of the transaction is stored by the broker; before
    `send_offsets_to_transaction` its records are handed to the sender.
    """

    mark: str
    """Path of a file that appears when it springs."""
    step: Step = "commit_transaction"
    signal: int = signal.SIGKILL
    call: int = 2
    """Which call of the step, counted over the producers that it is set for."""
    owner: str = ""
    """How the transactional id must end: `-merger`, or a partition's number; empty for any."""
    after: bool = False
    """Hit after the step instead of before it."""

    @property
    def environ(self) -> dict[str, str]:
        """Return what to start the worker with."""
        return {VARIABLE: msgspec.json.encode(self).decode()}

    @property
    def sprung(self) -> bool:
        """Return whether the worker was hit."""
        return Path(self.mark).exists()


def arm() -> None:
    """Set the trap that the environment asks for, if any."""
    if text := os.environ.get(VARIABLE):
        _wrap(msgspec.json.decode(text, type=Trap))


def _wrap(trap: Trap) -> None:
    original = getattr(AIOKafkaProducer, trap.step)
    calls = 0

    @functools.wraps(original)
    async def step(producer: Any, *args: Any, **options: Any) -> Any:
        nonlocal calls
        if producer._txn_manager.transactional_id.endswith(trap.owner):
            calls += 1
            if calls == trap.call and not trap.after:
                _spring(trap)
        result = await original(producer, *args, **options)
        if calls == trap.call and trap.after:
            _spring(trap)
        return result

    setattr(AIOKafkaProducer, trap.step, step)


def _spring(trap: Trap) -> None:
    if not trap.sprung:
        Path(trap.mark).touch()
        os.kill(os.getpid(), trap.signal)

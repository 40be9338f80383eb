"""The merger's part: deltas of all workers in, numbered models out, exactly once.

It belongs to whoever is assigned partition 0 of `model-deltas`, under the transactional id
`<app>-merger`. A transaction holds a model and the offset behind the deltas it contains; between two
models nothing is committed, so the next owner reads the same deltas again, on top of the last model.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import NoReturn

from aiokafka import TopicPartition

from streams.clock import Clock
from streams.errors import LiveSegmentsError
from streams.model_log import newest_model
from streams.settings import Settings
from streams.transport.alignment import Fetched
from streams.transport.clients import is_fenced
from streams.transport.part import OutOfStepError
from streams.transport.ports import MergePort, Observer
from streams.transport.transactions import PlainWriter, Transactor

log = logging.getLogger(__name__)

MERGER = -1
"""The merger's number where observers want a partition."""


class Deltas:
    """Deltas on their way to the agent, valid for one epoch."""

    __slots__ = ("end", "epoch", "offsets", "start", "values")

    def __init__(self, epoch: int, got: Fetched) -> None:
        self.epoch = epoch
        self.start, self.end = got.start, got.end
        self.offsets, self.values = got.offsets, got.values


class MergePart:
    """Opens, feeds and commits the merger while it belongs to this worker."""

    def __init__(
        self,
        settings: Settings,
        merger: MergePort,
        clock: Clock,
        observer: Observer,
        *,
        transactions: bool,
        fail_stop: Callable[[BaseException], NoReturn],
    ) -> None:
        self.source = TopicPartition(settings.topic_prefix + "model-deltas", 0)
        self.consumer: Any
        self.active = False
        self._settings = settings
        self._merger = merger
        self._clock = clock
        self._observer = observer
        self._transactions = transactions
        self._fail_stop = fail_stop
        self._epoch = 0
        self._position = 0
        self._waiting: list[Deltas] = []
        self._transactor: Transactor | None = None
        self._commit: asyncio.Task[None] | None = None
        self._opening: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

"""The profiles of a deployment as of its last commits, restored from its topics without touching a worker."""

from __future__ import annotations

from collections.abc import Iterator

from streams.clock import Clock
from streams.engine import Engine
from streams.outbox import CHANGELOG
from streams.reader import Reader
from streams.settings import Settings
from streams.wiring import make_engine

MODELS_KEPT = 8
"""Versions that are read: a partition may be some behind."""


def engine_of(settings: Settings, reader: Reader, clock: Clock) -> Engine:
    """Return an engine without partitions that knows the newest models.

    Raises:
        LiveSegmentsError: the topic cannot be read.
    """
    engine = make_engine(settings, clock)
    for data in reader.last("models", MODELS_KEPT):
        engine.offer_model(data)
    return engine


def partitions(settings: Settings, reader: Reader, clock: Clock) -> Iterator[Engine]:
    """Yield an engine for each partition, which holds just that one, until the next is asked for.

    Raises:
        LiveSegmentsError: the topics cannot be read, or were written in another format.
    """
    engine = engine_of(settings, reader, clock)
    for number in range(settings.partitions):
        engine.open(number)
        keys, values = [], []
        for row in reader.all_of(CHANGELOG, [number]):
            keys.append(row.key)
            values.append(row.value)
        engine.restore(number, keys, values)
        del keys, values
        yield engine
        engine.close(number)

"""The profiles of a deployment as of its last commits, restored from its topics without touching a worker."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from models.audiences import DefinitionsError
from streams.clock import Clock
from streams.engine import Engine
from streams.outbox import CHANGELOG
from streams.reader import Reader
from streams.settings import Settings
from streams.versions import TAIL, is_tail
from streams.wiring import make_engine

log = logging.getLogger(__name__)


def engine_of(settings: Settings, reader: Reader, clock: Clock) -> Engine:
    """Return an engine without partitions that knows the newest models and definitions.

    Raises:
        LiveSegmentsError: the topic cannot be read.
    """
    engine = make_engine(settings, clock)
    for data in tail_of_models(reader):
        try:
            engine.offer_model(data)
        except DefinitionsError as error:
            log.warning("definitions on the topic models cannot be used here: %s", error)
    return engine


def tail_of_models(reader: Reader) -> list[bytes]:
    """Return the last records of the model log, the newest model and the newest definitions among them.

    Raises:
        LiveSegmentsError: the topic cannot be read.
    """
    count = TAIL
    while True:
        found = reader.last("models", count)
        if len(found) < count or is_tail(found):
            return found
        count *= 4


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
        engine.restored(number)
        del keys, values
        yield engine
        engine.close(number)

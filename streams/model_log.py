"""Read the topic `models` without a group: every worker sees every model and all definitions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from models.audiences import DefinitionsError
from streams.codec.activation import is_definitions
from streams.settings import Settings
from streams.transport import fetch
from streams.transport.clients import new_reader
from streams.versions import is_tail

log = logging.getLogger(__name__)

FOLLOWING = fetch.Patience(wait_ms=1_500, least_bytes=1)
"""At the end of the log; before it, a fetch that is held would hold up what else a reader asks for."""
_STEP = 128
"""Offsets to go back at first, then ever more; transaction markers take some of them."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest record of each kind, None where there is none."""

    model: bytes | None
    definitions: bytes | None


async def newest(settings: Settings, *, committed: bool) -> Newest:
    """Return the newest model and the newest definitions of the log.

    Raises:
        KafkaError: the broker is lost.
    """
    reader, topic = await _open(settings, committed=committed)
    try:
        found, _ = await _last(reader, topic)
    finally:
        await reader.stop()
    models = [value for value in found if not is_definitions(value)]
    definitions = [value for value in found if is_definitions(value)]
    return Newest(models[-1] if models else None, definitions[-1] if definitions else None)


class ModelLog:
    """Follows the log and offers each record, in order, as long as it runs.

    Args:
        settings: the deployment's.
        offer: takes a record.
        refused: called when it cannot be used; the old definitions stay in force then.
        committed: the broker has transactions.
    """

    def __init__(
        self,
        settings: Settings,
        offer: Callable[[bytes], None],
        refused: Callable[[], None],
        *,
        committed: bool,
    ) -> None:
        self._settings = settings
        self._take = offer
        self._refused = refused
        self._committed = committed

    def _offer(self, value: bytes) -> None:
        try:
            self._take(value)
        except DefinitionsError as error:
            log.error("definitions on the topic models refused, the old ones stay in force: %s", error)  # noqa: TRY400 - a line, no traceback
            self._refused()

    async def follow(self, caught_up: Callable[[], None]) -> None:
        """Offer the last records, call `caught_up`, then offer each new one; runs until cancelled.

        A lost broker is waited for: the reader opens anew behind what it has offered.
        """
        position: int | None = None
        while True:
            try:
                reader, topic = await _open(self._settings, committed=self._committed)
            except KafkaError as error:
                log.warning("topic models cannot be read, trying again: %r", error)
                await asyncio.sleep(1)
                continue
            try:
                if position is None:
                    found, position = await _last(reader, topic)
                    for value in found:
                        self._offer(value)
                    caught_up()
                reader.seek(topic, position)
                fetch.be_patient(reader, FOLLOWING)
                while True:
                    for value in await _next(reader, topic, 5.0):
                        self._offer(value)
                    position = await reader.position(topic)
            except KafkaError as error:
                log.warning("topic models cannot be read, trying again: %r", error)
                await asyncio.sleep(1)
            finally:
                await reader.stop()


async def _open(settings: Settings, *, committed: bool) -> tuple[AIOKafkaConsumer, TopicPartition]:
    reader = new_reader(settings, committed=committed, max_wait_ms=500)
    topic = TopicPartition(settings.topic_prefix + "models", 0)
    try:
        await reader.start()
    except BaseException:
        await reader.stop()
        raise
    reader.assign([topic])
    return reader, topic


async def _last(reader: AIOKafkaConsumer, topic: TopicPartition) -> tuple[list[bytes], int]:
    """Return the last records as `is_tail` wants them, read from the end backwards, and the end."""
    begin = (await reader.beginning_offsets([topic]))[topic]
    end = start = (await reader.end_offsets([topic]))[topic]
    found: list[bytes] = []
    while start > begin and not is_tail(found):
        start = max(begin, end - 2 * (end - start) - _STEP)
        reader.seek(topic, start)
        found = []
        while await reader.position(topic) < end:
            found += await _next(reader, topic, 0.5)
    while is_tail(found[1:]):
        found = found[1:]
    return found, end


async def _next(reader: AIOKafkaConsumer, topic: TopicPartition, timeout_s: float) -> list[bytes]:
    """Return what arrives within the timeout."""
    got = fetch.drain(reader, topic.__eq__).get(topic)
    if got is None:
        await fetch.wait_for_records(reader, timeout_s)
        got = fetch.drain(reader, topic.__eq__).get(topic)
    return [value for value in got.texts("value") if value is not None] if got is not None else []

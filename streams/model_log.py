"""Read the topic `models` without a group: every worker sees every model."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.settings import Settings
from streams.transport import fetch
from streams.transport.clients import new_reader

log = logging.getLogger(__name__)

TAIL = 8
"""Records offered at the start: a partition may be a few versions behind and goes on with its own first."""
_STEP = 16
"""Offsets to go back at a time; transaction markers take every other one."""


async def newest_model(settings: Settings, *, committed: bool) -> bytes | None:
    """Return the newest record of the log, None when it is empty.

    Raises:
        KafkaError: the broker is lost.
    """
    reader, topic = await _open(settings, committed=committed)
    try:
        found, _ = await _last(reader, topic, 1)
        return found[-1] if found else None
    finally:
        await reader.stop()


class ModelLog:
    """Follows the log and offers each record, in order, as long as it runs."""

    def __init__(self, settings: Settings, offer: Callable[[bytes], None], *, committed: bool) -> None:
        self._settings = settings
        self._offer = offer
        self._committed = committed

    async def follow(self, caught_up: Callable[[], None]) -> None:
        """Offer the last `TAIL` records, call `caught_up`, then offer each new one; runs until cancelled.

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
                    found, position = await _last(reader, topic, TAIL)
                    for value in found:
                        self._offer(value)
                    caught_up()
                reader.seek(topic, position)
                while True:
                    for value in await _next(reader, topic, 1.0):
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


async def _last(reader: AIOKafkaConsumer, topic: TopicPartition, count: int) -> tuple[list[bytes], int]:
    """Return the last records, read from the end backwards, and the position behind them."""
    begin = (await reader.beginning_offsets([topic]))[topic]
    end = start = (await reader.end_offsets([topic]))[topic]
    found: list[bytes] = []
    while start > begin and len(found) < count:
        start = max(begin, start - _STEP * count)
        reader.seek(topic, start)
        found = []
        while await reader.position(topic) < end:
            found += await _next(reader, topic, 0.5)
    return found[-count:], end


async def _next(reader: AIOKafkaConsumer, topic: TopicPartition, timeout_s: float) -> list[bytes]:
    """Return what arrives within the timeout."""
    got = fetch.drain(reader, topic.__eq__).get(topic)
    if got is None:
        await fetch.wait_for_records(reader, timeout_s)
        got = fetch.drain(reader, topic.__eq__).get(topic)
    return [value for value in got.values if value is not None] if got is not None else []

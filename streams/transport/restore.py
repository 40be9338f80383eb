"""Read a partition's changelog into the engine, as far as it is committed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED

from streams.settings import Settings
from streams.transport import fetch
from streams.transport.clients import new_reader
from streams.transport.ports import EnginePort

log = logging.getLogger(__name__)

PIECE = 1_000
"""Records decoded and applied at once, or one batch if that has more; the event loop runs in between."""
SAY_EVERY_S = 5.0
"""A restore that takes long says in the log how far it is."""
Progress = Callable[[int, int], None]


async def restore(
    settings: Settings,
    engine: EnginePort,
    partition: int,
    *,
    transactions: bool,
    progress: Progress,
    wanted: Callable[[], bool] = lambda: True,
) -> int:
    """Read the changelog of one partition from its beginning to its end; returns the number of records.

    Call it after fencing: then no transaction of a former owner is open, and the last stable offset
    is the end of what there will ever be of the old state.

    Args:
        settings: where the changelog is.
        engine: gets the records, in order.
        partition: the partition number; `engine.open` was called.
        transactions: wait until the last stable offset has reached the end.
        progress: called with records read so far and about how many there are.
        wanted: asked before each piece; nothing more is applied once it says no.

    Raises:
        KafkaError: the broker is lost.
    """
    topic = TopicPartition(settings.topic_prefix + "profiles-changelog", partition)
    reader = new_reader(settings, committed=transactions)
    await reader.start()
    try:
        # assigned before, it would fetch from the beginning at once, and the seek would throw that away
        begin, end = await _bounds(reader, topic, transactions=transactions)
        reader.assign([topic])
        reader.seek(topic, begin)
        count, at = 0, begin
        started = said = time.monotonic()
        while at < end and wanted():
            got = fetch.drain_compressed(reader, topic)
            if got is None:
                await fetch.wait_for_records(reader, 0.2)
                continue
            at = got.end
            count += await _apply(engine, partition, got, wanted)
            total = count + max(0, end - at)
            progress(count, total)
            if time.monotonic() - said >= SAY_EVERY_S:
                said = time.monotonic()
                log.info("partition %d: restored %d of about %d changelog records", partition, count, total)
        took_s = time.monotonic() - started
        log.info("partition %d: %d changelog records, %.0f/s", partition, count, count / max(took_s, 1e-3))
        return count
    finally:
        await reader.stop()


async def _apply(engine: EnginePort, partition: int, got: fetch.Answer, wanted: Callable[[], bool]) -> int:
    """Decode and apply an answer, piece by piece; returns the number of its records."""
    keys: list[bytes] = []
    values: list[bytes | None] = []
    count = 0
    for more_keys, more_values in got.pairs():
        keys += cast("list[bytes]", more_keys)  # a compacted topic refuses records without key
        values += more_values
        if len(keys) >= PIECE:
            engine.restore(partition, keys, values)
            count += len(keys)
            keys, values = [], []
            await asyncio.sleep(0)
            if not wanted():
                return count
    engine.restore(partition, keys, values)
    return count + len(keys)


async def _bounds(reader: AIOKafkaConsumer, topic: TopicPartition, *, transactions: bool) -> tuple[int, int]:
    """Return the first and the end offset of what is committed, once nothing is undecided any more."""
    await reader._client.set_topics([topic.topic])  # noqa: SLF001 - else its leader is not known
    begin = (await reader.beginning_offsets([topic]))[topic]
    if not transactions:
        return begin, (await reader.end_offsets([topic]))[topic]
    reader._fetcher._isolation_level = READ_UNCOMMITTED  # noqa: SLF001 - the high watermark is asked for so
    high = (await reader.end_offsets([topic]))[topic]
    reader._fetcher._isolation_level = READ_COMMITTED  # noqa: SLF001 - as above
    while True:
        stable = (await reader.end_offsets([topic]))[topic]
        if stable >= high:
            return begin, stable
        await asyncio.sleep(0.02)

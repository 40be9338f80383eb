"""Read a partition's changelog into the engine, as far as it is committed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED

from streams.settings import Settings
from streams.transport import fetch
from streams.transport.alignment import Fetched
from streams.transport.clients import new_reader
from streams.transport.ports import EnginePort

PIECE = 5_000
"""Records applied at once; the event loop runs between two pieces."""
Progress = Callable[[int, int], None]


async def restore(
    settings: Settings, engine: EnginePort, partition: int, *, transactions: bool, progress: Progress
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

    Raises:
        KafkaError: the broker is lost.
    """
    topic = TopicPartition(settings.topic_prefix + "profiles-changelog", partition)
    reader = new_reader(settings, committed=transactions)
    await reader.start()
    try:
        reader.assign([topic])
        begin, end = await _bounds(reader, topic, transactions=transactions)
        reader.seek(topic, begin)
        count, at = 0, begin
        while at < end:
            got = fetch.drain(reader, topic.__eq__).get(topic)
            if got is None:
                await fetch.wait_for_records(reader, 0.2)
                continue
            at = got.end
            await _apply(engine, partition, got)
            count += len(got.offsets)
            progress(count, count + max(0, end - at))
        return count
    finally:
        await reader.stop()


async def _apply(engine: EnginePort, partition: int, got: Fetched) -> None:
    for start in range(0, len(got.keys), PIECE):
        keys, values = got.keys[start : start + PIECE], got.values[start : start + PIECE]
        engine.restore(
            partition, cast("list[bytes]", keys), values
        )  # a compacted topic refuses records without key
        await asyncio.sleep(0)


async def _bounds(reader: AIOKafkaConsumer, topic: TopicPartition, *, transactions: bool) -> tuple[int, int]:
    """Return the first and the end offset of what is committed, once nothing is undecided any more."""
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

"""The transport's own clients against a real Kafka: transactions, fencing, reading as columns."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.broker import Broker
from streams.clock import SystemClock
from streams.records import Record
from streams.settings import Settings
from streams.transport import fetch
from streams.transport.clients import is_fenced, new_reader
from streams.transport.restore import Replica
from streams.transport.transactions import Transactor
from tests.kafka.counting import CountingEngine
from tests.kafka.workers import committed, read

pytestmark = pytest.mark.kafka
Deploy = Callable[..., Settings]
NOW_MS = SystemClock().now_ms()


@pytest.fixture
def settings(kafka: Broker, deploy: Deploy) -> Settings:
    """Give a deployment of its own."""
    return deploy(kafka)


async def started(settings: Settings, name: str = "p") -> Transactor:
    """Return a transactor that has fenced its predecessors."""
    transactor = Transactor(settings, f"{settings.app_id}-{name}")
    await transactor.start()
    return transactor


def refused() -> Record:
    """Return a record that is too large for its topic, also when it is compressed."""
    return Record("segment-changes", 0, b"k", random.Random(1).randbytes(3 << 20))


def rows(n: int, size: int = 10) -> list[Record]:
    """Return n records for partition 0."""
    return [
        Record("profiles-changelog", 0, b"k%d" % i, b"1" * size, (("origin", b"live"),)) for i in range(n)
    ]


def test_records_and_offsets_become_visible_together(settings: Settings) -> None:
    async def scenario() -> None:
        transactor = await started(settings)
        await transactor.commit(rows(3), {TopicPartition(settings.topic_prefix + "clicks", 0): 7}, NOW_MS)
        await transactor.stop()

    asyncio.run(scenario())
    assert len(read(settings, "profiles-changelog")) == 3
    assert committed(settings) == 7


def test_a_transaction_with_a_record_that_the_broker_refuses_is_not_committed_though_the_others_fit(
    settings: Settings,
) -> None:
    async def scenario() -> None:
        transactor = await started(settings)
        records = [*rows(2), refused()]
        with pytest.raises(Exception, match=r"(?i)large|size"):
            await transactor.commit(records, {TopicPartition(settings.topic_prefix + "clicks", 0): 7}, NOW_MS)
        await transactor.abort()
        await transactor.stop()

    asyncio.run(scenario())
    assert read(settings, "profiles-changelog") == []
    assert committed(settings) == 0


def test_a_former_owner_is_fenced_and_nothing_of_its_transaction_is_seen(settings: Settings) -> None:
    async def scenario() -> None:
        former = await started(settings)
        await former.commit(rows(1), {}, NOW_MS)
        owner = await started(settings)
        with pytest.raises(Exception, match=r".*") as caught:
            await former.commit(rows(5), {TopicPartition(settings.topic_prefix + "clicks", 0): 9}, NOW_MS)
        assert is_fenced(caught.value)
        await owner.commit(rows(2), {}, NOW_MS)
        await former.stop()
        await owner.stop()

    asyncio.run(scenario())
    assert len(read(settings, "profiles-changelog")) == 3
    assert committed(settings) == 0


def test_many_batches_of_one_partition_stay_in_order(settings: Settings) -> None:
    async def scenario() -> None:
        transactor = await started(settings)
        records = [Record("segment-changes", 0, b"k", b"%d" % i + b" " * 500) for i in range(6_000)]
        await transactor.commit(records, {}, NOW_MS)
        await transactor.stop()

    asyncio.run(scenario())
    assert [int(value) for *_, value in read(settings, "segment-changes")] == list(range(6_000))


def test_a_restore_reads_what_is_committed_and_nothing_that_was_aborted(settings: Settings) -> None:
    async def scenario() -> tuple[int, dict[bytes, int]]:
        transactor = await started(settings)
        await transactor.commit(rows(3, size=1), {}, NOW_MS)
        with pytest.raises(Exception, match=r"(?i)large|size"):
            await transactor.commit([*rows(9, size=2), refused()], {}, NOW_MS)
        await transactor.abort()
        await transactor.stop()
        transactor = await started(settings)
        await transactor.commit(
            [Record("profiles-changelog", 0, b"k1", None), Record("profiles-changelog", 0, b"k2", b"5")],
            {},
            NOW_MS,
        )
        await transactor.stop()
        engine = CountingEngine()
        replica = Replica(settings, engine, 0, transactions=True)
        await replica.start()
        count = await replica.complete(lambda _read, _total: None)
        await replica.close()
        return count, engine.counts[0]

    assert asyncio.run(scenario()) == (5, {b"k0": 1, b"k2": 5})


def test_columns_hold_the_same_records_and_positions_as_the_stock_consumer_reports(
    settings: Settings,
) -> None:
    async def scenario() -> None:
        transactor = await started(settings)
        for _ in range(3):
            await transactor.commit(rows(40, size=200), {}, NOW_MS)
        await transactor.stop()
        topic = TopicPartition(settings.topic_prefix + "profiles-changelog", 0)
        stock, ours = [new_reader(settings, committed=True) for _ in range(2)]
        for reader in (stock, ours):
            await reader.start()
            reader.assign([topic])
            reader.seek(topic, 15)
        end = (await stock.end_offsets([topic]))[topic]
        expected = await _stock(stock, topic, end)
        got = await _columns(ours, topic, end)
        await stock.stop()
        await ours.stop()

        assert got == expected
        assert len(got) == 105

    asyncio.run(scenario())


async def _stock(reader: AIOKafkaConsumer, topic: TopicPartition, end: int) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    while await reader.position(topic) < end:
        for records in (await reader.getmany(timeout_ms=500)).values():
            found += [(record.offset, record.timestamp, record.key, record.value) for record in records]
    return found


async def _columns(reader: AIOKafkaConsumer, topic: TopicPartition, end: int) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    at = 15
    while at < end:
        await fetch.wait_for_records(reader, 0.5)
        for got in fetch.drain(reader, topic.__eq__).values():
            assert got.start == at
            at = got.end
            found += zip(
                got.column("offset"),
                got.column("timestamp"),
                got.texts("key"),
                got.texts("value"),
                strict=True,
            )
    return found

"""Each stage of a worker by itself, on a chunk of 4,000 events: `make bench-micro` times them.

In other runs each is called once, so that none can rot.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from pytest_benchmark.fixture import BenchmarkFixture

from models.audiences import Definitions, successor
from models.events import Events
from models.features import View, vectors
from models.profiles import Columns, gather, update
from streams.clock import ManualClock
from streams.codec.hashing import partition_for
from streams.coding import to_columns
from streams.deciding.crowd import crowd_of
from streams.deciding.judge import Judge
from streams.engine import Engine
from streams.records import INPUT_TOPICS, RawBatch, RawList, Record
from streams.segments_file import read_definitions, segments_file
from streams.settings import Settings
from streams.transport.fetch import Answer, _columns
from streams.transport.transactions import Transactor
from streams.wiring import make_engine
from tests.bench.events import KINDS, event
from tests.engine_runs import trained_model
from tests.oracle.synthetic import START_MS

CHUNK = 4_000
CUSTOMERS = 5_000
PARTITIONS = 4
SETTINGS = Settings(kafka_bootstrap="127.0.0.1:1", partitions=PARTITIONS, currency="GBP")


def chunk(seed: int, at_ms: int) -> RawBatch:
    """Return fetched events of skewed customers."""
    rng, raw = random.Random(seed), RawList()
    offsets: dict[tuple[int, int], int] = {}
    for i in range(CHUNK):
        name, kind = f"c{int(CUSTOMERS * rng.random() ** 2):07d}", rng.choice(KINDS)
        value = orjson.dumps(event(seed * CHUNK + i, name, kind, at_ms + i // 4, rng))
        place = partition_for(name.encode(), PARTITIONS, "murmur2"), kind
        offset = offsets[place] = offsets.get(place, seed * CHUNK - 1) + 1
        raw.append(*place, offset, at_ms + i // 4, name.encode(), value)
    return raw.batch()


@dataclass(slots=True)
class Stand:
    """An engine that knows its customers, and the next chunk at every stage of its way."""

    engine: Engine
    now_ms: int
    raw: RawBatch
    events: Events
    columns: Columns
    rows: np.ndarray[tuple[int], np.dtype[np.intp]]


@pytest.fixture(scope="module")
def stand() -> Stand:
    """Return an engine with a model and the shipped audiences that has processed three chunks."""
    clock = ManualClock(START_MS)
    engine = make_engine(SETTINGS, clock)
    for partition in range(PARTITIONS):
        engine.open(partition)
    engine.offer_model(trained_model())
    shipped: Definitions | None = successor(None, read_definitions(segments_file(SETTINGS)))
    assert shipped is not None
    engine.offer_model(shipped.to_bytes())
    for number in range(3):
        at_ms = START_MS + number * 40_000
        clock.set(at_ms + 2_000)
        engine.process(chunk(number, at_ms))
        while engine.sweep(engine.parts):
            pass
    raw, now_ms = chunk(3, clock.now_ms()), clock.now_ms() + 2_000
    clock.set(now_ms)
    events = engine.decoder.decode(raw, now_ms).events
    columns = to_columns(events, {n: part.names for n, part in engine.parts.items()}, engine.calendar)
    _, rows = engine.index.rows(engine.parts, raw, events, np.arange(len(events)))
    return Stand(engine, now_ms, raw, events, columns, rows)


def test_fetch(benchmark: BenchmarkFixture, stand: Stand) -> None:
    """Record batches to columns of bytes."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=1 << 22,
    )  # fmt: skip
    for i, (key, value) in enumerate(zip(stand.raw.key, stand.raw.value, strict=True)):
        builder.append(i, stand.now_ms, key, value, [])
    data = bytes(builder.build())

    got = benchmark(lambda: _columns(Answer(0, CHUNK, data, [MemoryRecords(data).next_batch()], [0])))

    assert got.texts("value") == stand.raw.value.tolist()


def test_decode(benchmark: BenchmarkFixture, stand: Stand) -> None:
    """JSON to columns, names to codes."""
    engine = stand.engine

    def decode() -> Columns:
        events = engine.decoder.decode(stand.raw, stand.now_ms).events
        return to_columns(events, {n: part.names for n, part in engine.parts.items()}, engine.calendar)

    assert len(benchmark(decode).kind) == CHUNK


def test_index(benchmark: BenchmarkFixture, stand: Stand) -> None:
    """Customer to row."""
    everyone = np.arange(CHUNK)

    engine = stand.engine

    _, rows = benchmark(lambda: engine.index.rows(engine.parts, stand.raw, stand.events, everyone))

    assert np.array_equal(rows, stand.rows)


def test_update(benchmark: BenchmarkFixture, stand: Stand) -> None:
    """Rows after each event."""
    slab = stand.engine.slab
    touched = np.unique(stand.rows)
    before = slab.bytes[touched].copy()

    def as_before() -> None:
        slab.bytes[touched] = before

    updated = fresh(benchmark, as_before, lambda: update(slab.rows, stand.rows, stand.columns))
    as_before()

    assert updated.accepted.all()


def test_vector(benchmark: BenchmarkFixture, stand: Stand) -> None:
    """What the model sees of each event's customer."""
    after, now = gather(stand.engine.slab.rows, stand.rows), np.full(CHUNK, stand.now_ms)

    seen = benchmark(lambda: vectors(View(after, now, stand.engine.calendar)))

    assert len(seen) == CHUNK
    assert np.isfinite(seen[:, 0]).all()


def test_assign(benchmark: BenchmarkFixture, stand: Stand) -> None:
    """The behaviour segment of each event's customer, and the audiences of all."""
    engine, parts = stand.engine, list(stand.engine.parts.values())
    model, rules = parts[0].model, parts[0].rules
    assert model is not None
    assert rules is not None
    judge = Judge(model, rules, engine.rules, engine.calendar)
    crowd = crowd_of(parts, [np.array(list(part.index.values())) for part in parts], engine.slab)
    now = np.full(len(crowd), stand.now_ms)

    def assign() -> int:
        verdict = judge.behaviour(model, crowd.r, now)
        judge.audiences(rules, crowd, verdict.new, now)
        return len(verdict.new)

    assert benchmark(assign) == sum(len(part.index) for part in parts)


def test_encode(benchmark: BenchmarkFixture, stand: Stand) -> None:
    """Changed rows to records."""
    records = fresh(benchmark, lambda: dirty(stand), lambda: taken(stand))

    assert len(records) > len(np.unique(stand.rows))


def test_commit(benchmark: BenchmarkFixture, stand: Stand) -> None:
    """Records to compressed batches, without a broker."""
    dirty(stand)
    records = taken(stand)

    size = benchmark(lambda: asyncio.run(built(records)))

    assert 0 < size < sum(len(record.value or b"") for record in records)


def dirty(stand: Stand) -> None:
    """Let the hot blocks of the chunk's customers be written."""
    engine = stand.engine
    for number in engine.parts:
        engine.take(number, stand.now_ms)
    for number, part in engine.parts.items():
        part.hot.append(stand.rows[stand.events.partition == number])


def taken(stand: Stand) -> list[Record]:
    """Return what all partitions have to write."""
    return [r for number in stand.engine.parts for r in stand.engine.take(number, stand.now_ms).records]


async def built(records: list[Record]) -> int:
    """Return the bytes of the batches that records become."""
    transactor = Transactor(SETTINGS, "bench")
    producer: Any = transactor._producer

    size = 0

    async def stored(batch: Any, *_args: Any, **_options: Any) -> Any:
        nonlocal size
        size += len(batch._build())  # as the producer's sender does
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    async def nothing(*_args: Any) -> None:
        """Do nothing."""

    producer.send_batch = stored
    producer.begin_transaction = producer.commit_transaction = nothing
    await transactor.commit(records, {}, 0)
    assert transactor.take_building_s() > 0
    await transactor.stop()
    return size


def fresh(benchmark: BenchmarkFixture, setup: Callable[[], None], work: Callable[[], Any]) -> Any:
    """Time work that needs a set-up each time."""
    rounds = 50 if benchmark.enabled else 1
    return benchmark.pedantic(work, setup=setup, rounds=rounds, warmup_rounds=1)  # type: ignore[no-untyped-call] # it has no types


def test_every_topic_of_events_is_in_the_chunk(stand: Stand) -> None:
    """Else a stage would be timed on half of its work."""
    assert {INPUT_TOPICS[topic] for topic in stand.raw.topic.tolist()} == {
        "clicks",
        "product-views",
        "purchases",
    }

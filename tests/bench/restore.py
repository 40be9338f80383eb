"""How long a worker takes to restore its customers from a real Kafka's changelog.

Lets an engine work on the simulated shop, writes the blocks of its customers to `profiles-changelog` as
commits do (same records, batches, compression and transactions; each customer many times, under names of
their own), and measures a worker that opens all partitions: fence, restore, offsets, check. The broker runs
on the same machine. With `--data` the filled broker is kept, and a second run only measures.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec.structs import replace

from streams.clock import ManualClock, SystemClock
from streams.codec.hashing import partition_for
from streams.codec.profile_rows import COLD_PREFIX, HOT_PREFIX, META_KEY
from streams.engine import Engine
from streams.outbox import CHANGELOG
from streams.records import INPUT_TOPICS, RawList, Record
from streams.settings import Settings, load_settings
from streams.shop.record import ShopRecord
from streams.shop.simulation import simulate
from streams.transport.clients import connection
from streams.transport.performer import RESTORES_AT_ONCE
from streams.transport.restore import Replica
from streams.transport.transactions import Transactor
from streams.wiring import make_engine
from tests.bench.arena import arena
from tests.bench.common import out
from tests.bench.report import Figure, Report, Spread

EVENTS_EACH = 40
"""Of a customer of the simulated shop: orders, interests and all rings have something in them."""
DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS
CHUNK = 4_000
ROWS_AT_ONCE = 10_000
"""Customers of a commit: what 20,000 events of a busy partition touch."""
WRITERS = 2


# ---- filling -----------------------------------------------------------------------------------------
def shop(settings: Settings, customers: int) -> tuple[Engine, int]:
    """Return an engine that has worked on a year of the simulated shop, and the year's end."""
    end_ms = time.time_ns() // 1_000_000
    engine = make_engine(settings, ManualClock(end_ms), recorded=True)
    for partition in range(settings.partitions):
        engine.open(partition)
    events = simulate(customers * EVENTS_EACH, customers, 1, end_ms - YEAR_MS, end_ms)
    offsets: dict[tuple[int, int], int] = {}
    for chunk in chunks(events):
        raw = RawList()
        for r in chunk:
            place = partition_for(r.key, settings.partitions, settings.partitioner), r.topic
            offset = offsets[place] = offsets.get(place, -1) + 1
            raw.append(*place, offset, r.time_ms, r.key, r.value)
        engine.process(raw.batch())
    return engine, end_ms


def chunks(events: Iterable[ShopRecord]) -> Iterator[list[ShopRecord]]:
    """Return the events in chunks."""
    source = iter(events)
    while chunk := list(itertools.islice(source, CHUNK)):
        yield chunk


def commits(first: Sequence[Record], customers: int) -> Iterator[list[Record]]:
    """Return what commits write: the shop's rows again and again, until there are so many customers."""
    blocks = {
        prefix: [r for r in first if r.key and r.key[:1] == prefix] for prefix in (HOT_PREFIX, COLD_PREFIX)
    }
    cold = {r.key[1:]: r for r in blocks[COLD_PREFIX] if r.key}
    both = [(r, cold[r.key[1:]]) for r in blocks[HOT_PREFIX] if r.key and r.key[1:] in cold]
    meta = next(r for r in first if r.key == META_KEY)
    rows = ((pair, b"-%d" % round_) for round_ in itertools.count() for pair in both)
    wanted = itertools.islice(rows, customers)
    while batch := list(itertools.islice(wanted, ROWS_AT_ONCE)):
        hot = [replace(pair[0], key=(pair[0].key or b"") + suffix) for pair, suffix in batch]
        yield [*hot, *(replace(pair[1], key=(pair[1].key or b"") + suffix) for pair, suffix in batch), meta]


async def fill(settings: Settings, customers: int, different: int, dirty: float) -> None:
    """Write the changelog of so many customers; a share of them has their hot block written once more."""
    engine, end_ms = shop(settings, different)
    at_once = asyncio.Semaphore(WRITERS)

    async def write(number: int) -> None:
        records = [r for r in engine.take(number, end_ms).records if r.topic == CHANGELOG]
        names = [r for r in records if r.key and r.key[:1] not in {HOT_PREFIX, COLD_PREFIX}]
        positions = {
            TopicPartition(settings.topic_prefix + topic, number): at
            for topic, at in zip(INPUT_TOPICS, engine.parts[number].positions, strict=True)
            if at >= 0
        }
        share = customers // settings.partitions + (number < customers % settings.partitions)
        async with at_once:
            writer = Transactor(settings, f"{settings.app_id}-{number}")
            await writer.start()
            await writer.commit(names, positions, end_ms)
            for batch in commits(records, share):
                await writer.commit(batch, {}, end_ms)
            for batch in commits(records, int(share * dirty)):
                await writer.commit([r for r in batch if r.key and r.key[:1] == HOT_PREFIX], {}, end_ms)
            await writer.stop()

    await asyncio.gather(*map(write, range(settings.partitions)))


# ---- measuring ---------------------------------------------------------------------------------------
class Discard(Engine):
    """An engine that forgets what it is given to restore."""

    count = 0

    def restore(self, partition: int, keys: Sequence[bytes], values: Sequence[bytes | None]) -> None:  # noqa: ARG002 - as Engine
        """Count only."""
        self.count += len(keys)


class Watch:
    """The longest time for which the event loop did not turn."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def run(self) -> None:
        """Look every millisecond."""
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            self.longest_s, last = max(self.longest_s, now - last), now


async def open_all(settings: Settings, *, floor: bool) -> Engine:
    """Open all partitions as a worker does to which the group gives them all.

    With `floor` the changelogs are read and decoded, and nothing is done with them: no restore can beat it.
    """
    engine = make_engine(settings, SystemClock())
    if floor:
        engine = Discard(engine.rules, engine.decoder, engine.clock, engine.calendar)
    group = AIOKafkaConsumer(**connection(settings), group_id=settings.app_id, enable_auto_commit=False)
    await group.start()
    at_once = asyncio.Semaphore(RESTORES_AT_ONCE)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(group.stop)

        async def open_one(number: int) -> None:
            async with at_once:
                transactor = Transactor(settings, f"{settings.app_id}-{number}")
                await transactor.start()
                stack.push_async_callback(transactor.stop)
                replica = Replica(settings, engine, number, transactions=True)
                stack.push_async_callback(replica.close)
                await replica.start()
                await replica.complete(lambda *_: None)
                inputs = [TopicPartition(settings.topic_prefix + topic, number) for topic in INPUT_TOPICS]
                positions = [await group.committed(tp) or 0 for tp in inputs]
                if not floor:
                    engine.opened(number, dict(enumerate(positions)))

        await asyncio.gather(*map(open_one, range(settings.partitions)))
    return engine


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore took."""

    customers: int
    seconds: float
    cpu_s: float
    blocked_ms: float
    """Longest time for which the event loop did not turn."""
    peak_mb: float


def peak_mb() -> float:
    """Return the peak of this process's resident memory."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


async def measure(settings: Settings, *, floor: bool) -> Restored:
    """Open all partitions in this process."""
    watch = Watch()
    watching = asyncio.ensure_future(watch.run())
    await asyncio.sleep(0.1)
    cpu, began = time.process_time(), time.perf_counter()
    engine = await open_all(settings, floor=floor)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    watching.cancel()
    rows = sum(map(engine.customers, engine.parts))
    return Restored(rows, took, cpu, watch.longest_s * 1000, peak_mb())


# ---- the command -------------------------------------------------------------------------------------
def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument(
        "--dirty", type=float, default=0.0, help="share of the hot blocks that is written twice"
    )
    parser.add_argument("--k", type=int, default=3, help="restores, each in a process of its own")
    parser.add_argument("--shop", type=int, default=2_000, help="different customers among them")


def run(options: argparse.Namespace, report: Report) -> None:
    """Fill a broker, measure and write the table."""
    with arena(options) as place:
        settings = deployment(place.bootstrap, options.partitions)
        asyncio.run(fill(settings, options.customers, options.shop, options.dirty))
        size = place.size(CHANGELOG)
        floor = once(settings, floor=True)
        out(f"{size / 1e6:,.0f} MB on disk; read and decoded only: {floor}")
        found = []
        for _ in range(options.k):
            found.append(once(settings, floor=False))
            out(str(found[-1]))
    report.figures(
        [
            Figure("restore", "s", Spread([one.seconds for one in found]), ".2f"),
            Figure("CPU of it", "s", Spread([one.cpu_s for one in found]), ".2f"),
            Figure("longest block of the loop", "ms", Spread([one.blocked_ms for one in found])),
            Figure("peak memory of the process", "MB", Spread([one.peak_mb for one in found])),
            Figure(
                "floor: the changelog read and decoded, nothing done with it",
                "s",
                Spread([floor.seconds]),
                ".2f",
            ),
        ],
        f"{options.customers:,} customers, {options.partitions} partitions, {size / 1e6:,.0f} MB on disk.",
    )


def deployment(bootstrap: str, partitions: int) -> Settings:
    """Return the settings of the deployment that is restored."""
    base = {"partitions": partitions, "app_id": "restore", "currency": "GBP"}
    return load_settings({"KAFKA_BOOTSTRAP": bootstrap}, base)


def once(settings: Settings, *, floor: bool) -> Restored:
    """Measure a restore in a process of its own."""
    # fmt: off
    command = [
        sys.executable, "-m", "tests.bench.restore", str(settings.kafka_bootstrap), str(settings.partitions),
        "floor" if floor else "restore",
    ]
    # fmt: on
    environ = dict(os.environ, OPENBLAS_NUM_THREADS="1")
    told = subprocess.run(command, env=environ, check=True, stdout=subprocess.PIPE).stdout
    return Restored(**json.loads(told))


def main() -> None:
    """Be that process."""
    bootstrap, partitions, what = sys.argv[1:]
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    found = asyncio.run(measure(deployment(bootstrap, int(partitions)), floor=what == "floor"))
    out(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()

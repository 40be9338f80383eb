"""The floor: a bare aiokafka loop that fetches and decodes, and keeps nothing."""

from __future__ import annotations

import asyncio
import signal
import sys

import orjson
from aiokafka import AIOKafkaConsumer

from tests.bench.peers.candidate import EVENTS, Candidate, Place, Start

AT_ONCE = 5_000
"""Records of a `getmany`."""


async def run(place: Place) -> None:
    """Fetch and decode until SIGTERM; offsets are committed once a second."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    consumer = AIOKafkaConsumer(
        EVENTS,
        bootstrap_servers=place.bootstrap,
        group_id=place.group,
        auto_offset_reset="earliest",
        auto_commit_interval_ms=1_000,
    )
    await consumer.start()
    while not stop.is_set():
        for records in (await consumer.getmany(timeout_ms=200, max_records=AT_ONCE)).values():
            for record in records:
                orjson.loads(record.value)
    await consumer.stop()


def start(place: Place) -> Start:
    """Start this file."""
    return Start((sys.executable, "-m", "tests.bench.peers.aiokafka_floor"), place.environ())


CANDIDATE = Candidate(
    "aiokafka-floor",
    "bare aiokafka, `getmany` and orjson",
    "none: fetch and decode",
    "none",
    start,
    emits=False,
)

if __name__ == "__main__":
    asyncio.run(run(Place.told()))

"""Customers who fall silent leave within a minute of the moment that is due, on a running worker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Consumer

from streams.broker import Broker
from streams.clock import SystemClock
from streams.records import VIEWS
from streams.settings import Settings
from streams.shop.record import ShopRecord
from streams.topics import topic_name
from tests.kafka.deployment import feed, wait_for, worker
from tests.kafka.workers import read, until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
Deploy = Callable[..., Settings]
CUSTOMERS, SPREAD_MS, STAY_MS = 60, 30_000, 70_000
HERE = '[[audience]]\nid = "here"\nname = "Here"\nenter = "days_since_seen * 86400 < 70"\n'
PATIENCE_S = 150.0


def views(name: str, times_ms: list[int]) -> list[ShopRecord]:
    """Return a view of each of some customers, each at a time."""
    made = []
    for i, at_ms in enumerate(times_ms):
        customer = f"{name}{i}"
        value = {"event_id": customer, "customer_id": customer, "occurred_at": at_ms, "product_id": "p"}
        made.append(ShopRecord(VIEWS, customer.encode(), orjson.dumps(value), at_ms))
    return made


def heard(settings: Settings, count: int) -> list[tuple[int, dict[str, Any]]]:
    """Return the changes by which customers leave as a subscriber hears them: wall clock, and record."""
    found: list[tuple[int, dict[str, Any]]] = []
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka_bootstrap,
            "group.id": f"{settings.app_id}-subscriber",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic_name(settings, "segment-changes")])
    give_up_s = time.monotonic() + PATIENCE_S
    while len(found) < count and time.monotonic() < give_up_s:
        message = consumer.poll(0.5)
        if message is None or message.error() is not None:
            continue
        change = json.loads(message.value() or b"{}")
        if change["properties"]["change"] == "left":
            found.append((SystemClock().now_ms(), change))
    consumer.close()
    return found


def test_who_falls_silent_leaves_within_a_minute(kafka: Broker, deploy: Deploy, tmp_path: Path) -> None:
    """60 customers who are due over 30 s: each leaves once, dated to its tick, heard at most 60 s after.

    Sweeps are every 30 s, as shipped, and no event comes meanwhile.
    """
    file, log = tmp_path / "here.toml", tmp_path / "worker.log"
    file.write_text(HERE, encoding="utf-8")
    settings = deploy(kafka, segments_file=str(file), partitions=2, web_port=0)
    with worker(settings, log) as process:
        feed(settings, views("early", [SystemClock().now_ms()] * 8))
        wait_for(settings, 8, process, log)
        # definitions come in force at a tick: who is due before that one has never been in the audience
        until(lambda: len(read(settings, "segment-changes")) >= 8, "the definitions are in force")
        now_ms = SystemClock().now_ms()
        seen = [now_ms - SPREAD_MS * i // CUSTOMERS for i in reversed(range(CUSTOMERS))]
        feed(settings, views("c", seen))
        wait_for(settings, 8 + CUSTOMERS, process, log)
        left = [(at, change) for at, change in heard(settings, CUSTOMERS + 8) if change["userId"][0] == "c"]

    assert sorted(change["userId"] for _, change in left) == sorted(f"c{i}" for i in range(CUSTOMERS))
    delays_s = [(at - seen[int(change["userId"][1:])] - STAY_MS) / 1000 for at, change in left]
    print(f"heard {min(delays_s):.1f} to {max(delays_s):.1f} s after they were due")  # noqa: T201 - with -rP
    for heard_ms, change in left:
        due_ms = seen[int(change["userId"][1:])] + STAY_MS
        dated_ms = datetime.fromisoformat(change["timestamp"]).timestamp() * 1000
        assert (change["properties"]["cause"], change["properties"]["origin"]) == ("time", "live")
        assert 0 <= dated_ms - due_ms <= settings.sweep_interval_s * 1000
        assert dated_ms <= heard_ms <= due_ms + 60_000

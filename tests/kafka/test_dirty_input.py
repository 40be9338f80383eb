"""A worker on real Kafka meets what producers really send."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.calendar import DAY_MS
from streams.broker import Broker
from streams.settings import Settings
from streams.shop.record import ShopRecord
from streams.shop.simulation import simulate
from tests.kafka.conftest import Deploy
from tests.kafka.deployment import assert_sequences, changes, feed, profile_totals, wait_for, worker
from tests.kafka.workers import ROOT, read

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
START_MS = 1_760_000_000_000
GOOD = 10_000


def _bad(rng: random.Random) -> Iterator[ShopRecord]:
    """Yield endless unusable records of every sort."""
    while True:
        key = f"bad{rng.randrange(500)}".encode()
        event = {"event_id": "x", "customer_id": key.decode(), "occurred_at": START_MS, "order_id": "o"}
        yield from (
            ShopRecord(rng.randrange(4), key, value, START_MS)
            for value in (
                rng.randbytes(rng.randrange(1, 200)),
                json.dumps(event).encode()[: rng.randrange(1, 60)],
                json.dumps({**event, "occurred_at": rng.choice([True, [], {}, "soon", 1e300])}).encode(),
                b'{"event_id": "x", "customer_id": ' + b"9" * rng.randrange(1, 400) + b"}",
                b'{"occurred_at": NaN}',
                b"[" * rng.randrange(1_000, 20_000),
                json.dumps({**event, "event_id": "y" * rng.randrange(257, 2_000)}).encode(),
                json.dumps({**event, "customer_id": "somebody else"}).encode(),
            )
        )


def _mixed(good: list[ShopRecord], rng: random.Random) -> Iterator[ShopRecord]:
    """Yield good and bad records by turns, and now and then a megabyte of text."""
    for number, (record, bad) in enumerate(zip(good, _bad(rng), strict=False)):
        yield record
        big = json.dumps({"customer_id": bad.key.decode(), "event_id": "z" * 900_000}).encode()
        yield bad if number % 1000 else ShopRecord(bad.topic, bad.key, big, bad.time_ms)


def test_bad_records_never_stop_the_worker(kafka: Broker, deploy: Deploy, tmp_path: Path) -> None:
    """10,000 unusable records among 10,000 good ones: all good ones count, all bad ones are dead letters."""
    settings = deploy(kafka, currency="GBP", web_port=0, max_unusable_share=1.0)
    good = list(simulate(GOOD, 300, 3, START_MS, START_MS + 20 * DAY_MS))[:GOOD]
    wanted = Counter(record.topic for record in good)
    mixed = list(_mixed(good, random.Random(5)))
    events = sum(record.topic < 3 for record in mixed)
    log = tmp_path / "log"

    with worker(settings, log) as process:
        assert feed(settings, mixed) == 2 * len(good)
        wait_for(settings, events, process, log)
        process.terminate()
        assert process.wait(30) == 0

    letters = [json.loads(value) for _, _, value in read(settings, "dead-letters")]
    assert len(letters) == len(good)
    assert all(letter["reason"] for letter in letters)
    assert len({letter["reason"] for letter in letters}) >= 5
    found = profile_totals(settings)
    assert found["clicks"] == wanted[0]
    assert found["views"] == wanted[1]
    assert found["orders"] + found["refunds"] == wanted[2]
    assert_sequences(changes(settings))


def _subscriber(settings: Settings) -> str:
    """Return the README's subscriber for this deployment, whose recorded changes are all catch-ups."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    code = page.split("### Subscribe")[1].split("```python\n")[1].split("```")[0]
    for shown, ours in (
        ('"segment-changes"', f'"{settings.topic_prefix}segment-changes"'),
        ("localhost:9092", str(settings.kafka_bootstrap)),
        ('"mailer"', f'"{settings.app_id}-mailer"'),
        ('== "live"', '== "catchup"'),
    ):
        assert code.count(shown) == 1
        code = code.replace(shown, ours)
    return code


def test_the_subscriber_of_the_readme_prints_changes(kafka: Broker, deploy: Deploy, tmp_path: Path) -> None:
    """The subscriber that the README shows prints changes, read from the page and run."""
    settings = deploy(kafka, currency="GBP", web_port=0, sweep_interval_s=1)
    good = list(simulate(9_000, 800, 3, START_MS, START_MS + 30 * DAY_MS))
    log = tmp_path / "log"
    with worker(settings, log) as process:
        feed(settings, good)
        wait_for(settings, sum(record.topic < 3 for record in good), process, log)

        with subprocess.Popen(
            [sys.executable, "-c", _subscriber(settings)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as ran:
            assert ran.stdout is not None
            try:
                lines = [ran.stdout.readline() for _ in range(5)]
                ran.send_signal(signal.SIGINT)
                _, said = ran.communicate(timeout=30)
            finally:
                ran.kill()

    assert all(re.search(" (entered|left) (behaviour|audience) ", line) for line in lines)
    assert (said, ran.returncode) == ("", 0)  # Ctrl-C ends it in good order

"""Recorded shop data through real Kafka and the product's worker: what others have counted comes out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streams.broker import Broker
from streams.settings import Settings
from streams.shop.formats import read_records
from tests.kafka.conftest import Deploy
from tests.kafka.deployment import assert_sequences, changes, feed, profile_totals, wait_for, worker

DATA = Path(os.environ.get("SHOP_DATA") or Path(__file__).parents[3] / "shared" / "data")
pytestmark = [
    pytest.mark.kafka,
    pytest.mark.data,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not DATA.is_dir(), reason=f"recorded shop data not at {DATA}; set SHOP_DATA"),
]


def _through_kafka(settings: Settings, name: str, format_name: str, log: Path) -> dict[str, float]:
    """Feed half of the records, kill the worker, feed the rest to another one, and return the totals."""
    records = list(read_records([DATA / name], format_name))
    half = len(records) // 2
    with worker(settings, log) as process:
        sent = feed(settings, records[:half])
        wait_for(settings, sent, process, log)
        process.kill()
    with worker(settings, log) as process:
        sent += feed(settings, records[half:])
        wait_for(settings, sent, process, log)
        process.terminate()
        assert process.wait(30) == 0
    assert sent == len(records)
    return profile_totals(settings)


def test_online_retail_through_kafka_gives_the_published_figures(
    kafka: Broker, deploy: Deploy, tmp_path: Path
) -> None:
    """4,338 customers, 18,532 invoices, GBP 8,911,407.90 gross, although the worker is killed half-way."""
    settings = deploy(kafka, currency="GBP", web_port=0, session_timeout_ms=6000, sweep_interval_s=300)

    found = _through_kafka(
        settings, "online_retail_2010-12_2011-12.csv.gz", "online-retail", tmp_path / "log"
    )

    assert found["buyers"] == 4338
    assert found["orders"] == 18532
    assert f"{found['money_gross']:,.2f}" == "8,911,407.90"
    records = changes(settings)
    assert records
    assert_sequences(records)
    assert {change["properties"]["origin"] for change in records} == {"catchup"}


def test_taobao_through_kafka_gives_the_published_figures(
    kafka: Broker, deploy: Deploy, tmp_path: Path
) -> None:
    """815 customers, 1,750 buys, all views but the last, cut row, although the worker is killed half-way."""
    settings = deploy(kafka, web_port=0, session_timeout_ms=6000, sweep_interval_s=5)

    found = _through_kafka(settings, "taobao_815_users.csv.gz", "taobao", tmp_path / "log")

    assert found["customers"] == 815
    assert found["views"] == 75_873 - 1
    assert found["orders"] == 1750
    assert found["clicks"] == 4497 + 2356
    assert_sequences(changes(settings))

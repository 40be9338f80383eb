"""A worker that joins a running deployment decides its first events by what is in force."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from models.audiences import Definitions, catalogue, parse, successor
from models.clusterer import Model
from streams.broker import Broker
from streams.clock import SystemClock
from streams.codec import activation
from streams.merging import MODEL_KEY
from streams.records import VIEWS
from streams.settings import Settings
from streams.shop.record import ShopRecord
from streams.versions import FEATURE_NAMES, TAIL
from tests.clusterer_samples import first_model
from tests.kafka.deployment import feed, wait_for, worker
from tests.kafka.workers import read, send, until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
Deploy = Callable[..., Settings]
AUDIENCE = '[[audience]]\nid = "lookers"\nname = "Lookers"\nenter = "views_total >= {}"\n'
ELIGIBLE, OF_THE_FILE, IN_FORCE = 3, 4, 6
"""Views after which a customer has a behaviour segment, and after which they are lookers."""
MODEL_VERSION, DEFINITIONS_VERSION = 7, 20 * TAIL
CUSTOMERS, PARTITIONS = 60, 4


def model_in_force() -> Model:
    """Return a model as of some versions on."""
    rows = np.random.default_rng(8).normal(size=(600, len(FEATURE_NAMES)))
    return replace(first_model(rows, FEATURE_NAMES), version=MODEL_VERSION)


def log_of_definitions() -> list[bytes]:
    """Return the records of many versions, each another rule; the last one is in force."""
    found: list[bytes] = []
    made: Definitions | None = None
    for version in range(1, DEFINITIONS_VERSION + 1):
        views = IN_FORCE + DEFINITIONS_VERSION - version
        made = successor(made, parse(AUDIENCE.format(views), catalogue()))
        assert made is not None
        found.append(activation.encode_numbered(made, activation.FROM_FILE))
    return found


def views(name: str, count: int) -> list[ShopRecord]:
    """Return some views of each of the customers, one after the other."""
    now_ms, made = SystemClock().now_ms(), []
    for number in range(1, count + 1):
        for i in range(CUSTOMERS):
            customer = f"{name}{i}"
            value = {
                "event_id": f"{customer}-{number}",
                "customer_id": customer,
                "occurred_at": now_ms,
                "product_id": "p",
            }
            made.append(ShopRecord(VIEWS, customer.encode(), orjson.dumps(value), now_ms))
    return made


def entered(settings: Settings, name: str) -> list[tuple[int, dict[str, Any]]]:
    """Return (partition, change) of those who entered something, of the customers of a name."""
    found = [(partition, json.loads(value)) for partition, _, value in read(settings, "segment-changes")]
    return [
        (partition, change)
        for partition, change in found
        if change["userId"].startswith(name) and change["properties"]["change"] == "entered"
    ]


def test_a_worker_that_joins_late_decides_its_first_events_by_what_is_in_force(
    kafka: Broker, deploy: Deploy, tmp_path: Path
) -> None:
    """The model lies far back in the log, and the worker's own file says something else.

    The first event that can decide anything does, by that model and those definitions: nobody waits for a
    tick, and nobody is decided by the file.
    """
    file, logs = tmp_path / "own.toml", [tmp_path / "first.log", tmp_path / "late.log"]
    file.write_text(AUDIENCE.format(OF_THE_FILE), encoding="utf-8")
    settings = deploy(
        kafka,
        segments_file=str(file),
        partitions=PARTITIONS,
        min_events=ELIGIBLE,
        sweep_interval_s=1,
        web_port=0,
    )
    send(settings, "models", [model_in_force().to_bytes()], MODEL_KEY)
    send(settings, "models", log_of_definitions(), activation.KEY)
    with worker(settings, logs[0]) as first:
        sent = feed(settings, views("early", ELIGIBLE))
        wait_for(settings, sent, first, logs[0])
        until(lambda: len(entered(settings, "early")) == CUSTOMERS, "the model is in force")
        assert {partition for partition, _ in entered(settings, "early")} == set(range(PARTITIONS))
        with worker(settings, logs[1]) as late:
            until(lambda: bool(opened(logs[1])), "the late one has partitions")
            sent += feed(settings, views("new", IN_FORCE))
            wait_for(settings, sent, late, logs[1])
            theirs = opened(logs[1])

    assert 0 < len(theirs) < PARTITIONS
    assert "the segments file of this worker" not in logs[1].read_text()  # the first one has the merger
    decided = [change for partition, change in entered(settings, "new") if partition in theirs]
    customers = {change["userId"] for change in decided}
    assert len(customers) >= len(theirs)
    assert {
        (change["userId"], change["properties"]["segment_set"], change["context"]["trigger"]["event_id"])
        for change in decided
    } == {
        (customer, segment_set, f"{customer}-{number}")
        for customer in customers
        for segment_set, number in (("behaviour", ELIGIBLE), ("audience", IN_FORCE))
    }
    versions = {
        (change["properties"]["model_version"], change["properties"]["definitions_version"])
        for change in decided
    }
    assert versions == {(MODEL_VERSION, DEFINITIONS_VERSION)}


def opened(log: Path) -> set[int]:
    """Return the partitions that a worker has opened."""
    return {int(number) for number in re.findall(r"partition (\d+): open at", log.read_text())}

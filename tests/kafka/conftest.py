"""One broker for the whole session, and a fresh set of topics for whoever asks."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.broker import Broker, start_broker
from streams.broker.choose import can_run_kafka
from streams.broker.embedded import Embedded
from streams.settings import Settings, load_settings
from streams.topics import TOPICS, create_topics, topic_name

Deploy = Callable[..., Settings]
_limits = pytest.StashKey[str]()


def _start(*, embedded: bool) -> Broker:
    """Start or find a real Kafka; without one give the embedded broker or skip, unless REQUIRE_KAFKA=1."""
    settings = load_settings()
    if settings.kafka_bootstrap is not None:
        return start_broker("auto", settings=settings)
    if os.environ.get("REQUIRE_KAFKA") == "1" or can_run_kafka(Path(settings.cache)):
        return start_broker("kafka", settings=settings)
    if not embedded:
        pytest.skip("needs a real Kafka: install Java and Maven, or set KAFKA_BOOTSTRAP")
    return start_broker("embedded", settings=settings)


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """Give a real Kafka, started once for the session; without Java and Maven the test is skipped."""
    with _start(embedded=False) as broker:
        yield broker


@pytest.fixture(scope="session")
def any_kafka(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Give the real Kafka or else the embedded one: for tests without transactions and compaction."""
    try:
        yield request.getfixturevalue("kafka")
    except pytest.skip.Exception:
        with _start(embedded=True) as broker:
            request.config.stash[_limits] = broker.limits
            yield broker


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say at the end what the embedded broker left unproven."""
    if config.stash.get(_limits, ""):
        terminalreporter.write_line(config.stash[_limits], yellow=True, bold=True)


@pytest.fixture
def deploy() -> Deploy:
    """Give a function (broker, **settings) -> Settings that makes all topics under a prefix of their own."""

    def make(broker: Broker, **chosen: object) -> Settings:
        name = f"t{os.getpid()}-{next(_numbers)}"
        base = {"partitions": 4, "app_id": name, "topic_prefix": f"{name}.", **chosen}
        settings = load_settings({"KAFKA_BOOTSTRAP": broker.bootstrap}, base)
        if isinstance(broker, Embedded):
            for topic in TOPICS:
                broker.create_topic(topic_name(settings, topic.name), topic.partition_count(settings))
        else:
            create_topics(settings)
        return settings

    return make


_numbers = itertools.count(1)

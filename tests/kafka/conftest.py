"""One broker for the whole session, some to break, and a fresh set of topics for whoever asks."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from streams.broker import Broker, start_broker
from streams.broker.choose import can_run_kafka
from streams.broker.embedded import Embedded
from streams.broker.kafka import Kafka
from streams.settings import Settings, load_settings
from streams.topics import TOPICS, create_topics, topic_name
from tests.chaos.proxy import Proxy

Deploy = Callable[..., Settings]
_limits = pytest.StashKey[str]()
QUICK = {
    # a killed worker is noticed sooner than production allows
    "group.min.session.timeout.ms": "1000",
    # and a transaction that is over its time
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
}


LASTING = QUICK | {
    # A node that its own controller takes for dead loses the markers of transactions that end meanwhile: a
    # machine that stands still must not do that. Who kills a node waits for as long until it may come back.
    "broker.session.timeout.ms": "60000"
}


def _start(*, embedded: bool) -> Broker:
    """Start or find a real Kafka; without one give the embedded broker or skip, unless REQUIRE_KAFKA=1."""
    settings = load_settings()
    if settings.kafka_bootstrap is not None:
        return start_broker("auto", settings=settings)
    if os.environ.get("REQUIRE_KAFKA") == "1" or can_run_kafka(Path(settings.cache)):
        return Kafka(Path(settings.cache), config=LASTING)
    if not embedded:
        pytest.skip("needs a real Kafka: install Java and Maven, or set KAFKA_BOOTSTRAP")
    return start_broker("embedded", settings=settings)


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """Give a real Kafka, started once for the session; without Java and Maven the test is skipped."""
    with _start(embedded=False) as broker:
        yield broker


@pytest.fixture(scope="session")
def session_timeout_ms(kafka: Broker) -> int:
    """Give the shortest session timeout that the broker takes."""
    return 3_000 if kafka.kind == "kafka" else 6_000


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    """Give a proxy that stands before the breakable Kafka, for those who use its address."""
    with closing(Proxy(1)) as process:
        yield process


@pytest.fixture(scope="module")
def breakable(kafka: Broker) -> Iterator[Kafka]:
    """Give a Kafka of one node that a module's tests may kill; skipped where `kafka` is."""
    if kafka.kind == "external":
        pytest.skip("needs a Kafka that the test may kill")
    with Kafka(Path(load_settings().cache), config=QUICK) as broker:
        yield broker


@pytest.fixture(scope="module")
def lasting(kafka: Broker, proxy: Proxy) -> Iterator[Kafka]:
    """Give a Kafka of one node behind a proxy; it may be frozen, not killed. Skipped where `kafka` is."""
    if kafka.kind == "external":
        pytest.skip("needs a Kafka that the test may freeze")
    with Kafka(Path(load_settings().cache), config=LASTING, advertised=proxy.ports) as broker:
        proxy.send("target", 1, broker.nodes[0].proxied_port)
        yield broker


@pytest.fixture
def whole(breakable: Kafka) -> Kafka:
    """Give the breakable Kafka, running whatever the test before has left."""
    if not breakable.pids:
        breakable.start_node(1)
    return breakable


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
        own = {"app_id": name, "topic_prefix": f"{name}.", "kafka_bootstrap": broker.bootstrap}
        # not checked: some tests go below what is allowed
        settings = msgspec.structs.replace(load_settings({}), **{"partitions": 4, **own, **chosen})
        if isinstance(broker, Embedded):
            for topic in TOPICS:
                broker.create_topic(topic_name(settings, topic.name), topic.partition_count(settings))
        else:
            create_topics(settings)
        return settings

    return make


_numbers = itertools.count(1)

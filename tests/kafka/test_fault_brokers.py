"""Brokers that are killed, stopped, away, slow or cut off under load: workers go on, counts are exact."""

from __future__ import annotations

import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from confluent_kafka.admin import AdminClient

from streams.broker import Broker
from streams.broker.kafka import Kafka
from streams.broker.nodes import free_ports
from streams.errors import ExitCode
from streams.settings import Settings, load_settings
from streams.topics import topic_name
from tests.chaos.proxy import Proxy
from tests.kafka.conftest import QUICK, Deploy
from tests.kafka.deployment import worker as product_worker
from tests.kafka.workers import Load, Supervised, Worker, assert_exactly_once, committed, limit_records, until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
SESSION_MS = 6_000
OUTAGE_MS = 120_000
"""A transaction outlasts a broker's restart: Kafka can lose the end of one that times out meanwhile."""


@pytest.fixture
def settings(whole: Kafka, deploy: Deploy) -> Settings:
    """Give a deployment of its own on a broker that may be killed."""
    return deploy(whole, web_port=0, session_timeout_ms=SESSION_MS, transaction_timeout_ms=OUTAGE_MS)


@pytest.fixture(scope="module")
def cluster(kafka: Broker) -> Iterator[Kafka]:
    """Give three nodes that may be killed; skipped where `kafka` is."""
    if kafka.kind == "external":
        pytest.skip("needs a Kafka that the test may kill")
    with Kafka(Path(load_settings().cache), brokers=3, config=QUICK) as brokers:
        yield brokers


def goes_on(settings: Settings, events: int = 500) -> None:
    """Wait until more events are counted."""
    seen = max(0, committed(settings))
    until(lambda: committed(settings) >= seen + events, "progress", 90)


@pytest.mark.parametrize("end", [Kafka.kill_node, Kafka.stop_node], ids=["kill-9", "SIGTERM"])
def test_one_of_three_brokers_ends_and_comes_back_under_load(
    cluster: Kafka, deploy: Deploy, tmp_path: Path, end: Callable[[Kafka, int], None]
) -> None:
    settings = deploy(cluster, web_port=0, session_timeout_ms=SESSION_MS, replication_factor=3)
    load = Load(settings)
    topics = AdminClient({"bootstrap.servers": cluster.bootstrap}).list_topics(timeout=20).topics
    leader = topics[topic_name(settings, "profiles-changelog")].partitions[0].leader
    with Supervised(settings, tmp_path / "a.log"), Supervised(settings, tmp_path / "b.log"):
        with load.steadily(500):
            goes_on(settings)
            end(cluster, leader)
            goes_on(settings)
            cluster.start_node(leader)
            goes_on(settings)
        load.wait_until_counted()

    assert_exactly_once(settings, load)


def test_all_brokers_are_away_for_ten_seconds_under_load(
    whole: Kafka, settings: Settings, tmp_path: Path
) -> None:
    load = Load(settings)
    with Supervised(settings, tmp_path / "a.log"):
        with load.steadily(500):
            goes_on(settings)
            whole.kill_node(1)
            back_at = time.monotonic() + 10
            until(lambda: time.monotonic() >= back_at, "the outage ends")
            whole.start_node(1)
            goes_on(settings)
        load.wait_until_counted()

    assert_exactly_once(settings, load)


def test_a_worker_whose_broker_is_away_stays_alive_by_its_page_and_is_ready_again_afterwards(
    whole: Kafka, settings: Settings, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    settings = msgspec.structs.replace(settings, web_port=port)
    log = tmp_path / "log"
    with product_worker(settings, log) as process:
        until(lambda: answer(port, "readyz") == 200, "ready")
        whole.kill_node(1)
        seen = set()
        back_at = time.monotonic() + 10

        def over() -> bool:
            seen.add(answer(port, "livez"))
            return time.monotonic() >= back_at and "does not answer" in log.read_text()

        until(over, "the outage ends")
        assert seen == {200}
        whole.start_node(1)
        until(lambda: "answers again" in log.read_text(), "it says so")
        until(lambda: answer(port, "readyz") == 200, "ready again")
        assert answer(port, "livez") == 200
        assert process.poll() is None


def answer(port: int, page: str) -> int:
    """Return the status of a page of the worker, 0 while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def test_a_broker_that_is_away_at_the_start_is_waited_for_until_it_comes(
    whole: Kafka, settings: Settings, tmp_path: Path
) -> None:
    load = Load(settings)
    load.send(1_000)
    whole.kill_node(1)
    with Worker(settings, tmp_path / "a.log") as worker:
        worker.says("waiting for Kafka")
        whole.start_node(1)
        load.wait_until_counted()
        assert worker.stop() == ExitCode.DONE

    assert_exactly_once(settings, load)


@pytest.fixture
def on_lasting(lasting: Kafka, deploy: Deploy) -> Settings:
    """Give a deployment of its own on a broker that may be frozen, and has a proxy before it."""
    return deploy(lasting, web_port=0, session_timeout_ms=SESSION_MS, transaction_timeout_ms=OUTAGE_MS)


def test_a_machine_that_stands_still_goes_on_where_it_was(
    lasting: Kafka, on_lasting: Settings, tmp_path: Path
) -> None:
    """Broker, worker and supervisor at once and beyond a session, as when a virtual machine is moved."""
    load = Load(on_lasting)
    with Supervised(on_lasting, tmp_path / "a.log") as supervised:
        with load.steadily(500):
            goes_on(on_lasting)
            frozen = [*lasting.pids, supervised.pid, supervised.pids()[-1]]
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
            until_s = time.monotonic() + 2 * SESSION_MS / 1000
            until(lambda: time.monotonic() > until_s, "the time is over")
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
            goes_on(on_lasting)
        load.wait_until_counted()

    assert_exactly_once(on_lasting, load)


def test_slow_cut_and_stalled_connections_lose_nothing(
    proxy: Proxy, on_lasting: Settings, tmp_path: Path
) -> None:
    load = Load(on_lasting)
    behind = msgspec.structs.replace(on_lasting, kafka_bootstrap=proxy.bootstrap)
    with Supervised(behind, tmp_path / "a.log"):
        with load.steadily(500):
            goes_on(on_lasting)
            proxy.send("delay", 1, 100)
            goes_on(on_lasting)
            proxy.send("cut", 1)
            goes_on(on_lasting)
            proxy.send("delay", 1, 0)
            proxy.send("stall", 1, argument=True)
            sent = load.total
            until(lambda: load.total > sent + 500, "a while")
            proxy.send("stall", 1, argument=False)
            goes_on(on_lasting)
        load.wait_until_counted()

    assert_exactly_once(on_lasting, load)


def test_a_worker_whose_commits_are_refused_ends_with_one_line_and_a_later_one_loses_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    limit_records(settings, "segment-changes", 100)
    load = Load(settings)
    load.send(1_000)
    with Worker(settings, tmp_path / "a.log") as worker:
        assert worker.wait() == ExitCode.NO
        (line,) = worker.critical()
        assert "commit of partition" in line
    limit_records(settings, "segment-changes", None)
    with Worker(settings, tmp_path / "b.log"):
        load.wait_until_counted()

    assert_exactly_once(settings, load)

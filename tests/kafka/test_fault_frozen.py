"""Workers that are frozen, overtaken or behind: what they wake up with is never written."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import msgspec
import pytest
from aiokafka import TopicPartition
from confluent_kafka import Producer

from streams.broker import Broker
from streams.clock import SystemClock
from streams.errors import ExitCode
from streams.settings import Settings
from streams.topics import topic_name
from streams.transport.transactions import Transactor
from tests.kafka.conftest import Deploy
from tests.kafka.trap import Trap
from tests.kafka.workers import (
    Load,
    Supervised,
    Worker,
    assert_exactly_once,
    changes,
    committed,
    ends,
    group_size,
    read,
    send,
    until,
)

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


@pytest.fixture
def settings(kafka: Broker, deploy: Deploy, session_timeout_ms: int) -> Settings:
    """Give a deployment of its own."""
    return deploy(kafka, web_port=0, session_timeout_ms=session_timeout_ms)


@pytest.fixture
def freezing(tmp_path: Path) -> Trap:
    """Give a trap that freezes a worker when a transaction of partition 0 is stored and not committed."""
    return Trap(str(tmp_path / "sprung"), signal=signal.SIGSTOP, call=1, owner="-0")


def test_a_worker_frozen_within_a_transaction_wakes_up_fenced_and_nothing_of_it_is_seen(
    settings: Settings, tmp_path: Path, freezing: Trap
) -> None:
    load = Load(settings)
    load.send(2_000)
    with Worker(settings, tmp_path / "a.log", **freezing.environ, WORKER="zombie") as zombie:
        until(lambda: freezing.sprung, "frozen")
        with Worker(settings, tmp_path / "b.log", WORKER="heir") as heir:
            load.wait_until_counted()
            seen = changes(settings)
            zombie.signal(signal.SIGCONT)
            zombie.says("fenced")
            assert changes(settings) == seen
            zombie.kill()
            load.send(1_000)
            load.wait_until_counted()
            assert heir.stop() == ExitCode.DONE

    written = changes(settings, "read_uncommitted")
    assert len(written) > len(changes(settings)), "the zombie had written nothing before it froze"
    assert_exactly_once(settings, load)


def test_a_worker_that_was_overtaken_while_it_had_nothing_to_do_goes_on_at_once_with_what_it_gets_back(
    settings: Settings, tmp_path: Path
) -> None:
    load = Load(settings)
    load.send(400)
    with Worker(settings, tmp_path / "a.log") as zombie:
        load.wait_until_counted()
        zombie.signal(signal.SIGSTOP)
        with Worker(settings, tmp_path / "b.log") as heir:
            heir.says("restored", settings.partitions)
            zombie.signal(signal.SIGCONT)
            until(lambda: group_size(settings) == 2, "it is back")
            load.send(400)
            load.wait_until_counted(15)
            assert "fenced" not in zombie.log()

    assert_exactly_once(settings, load)


def test_a_worker_frozen_beyond_session_and_transaction_timeout_with_no_other_begins_anew(
    settings: Settings, tmp_path: Path, freezing: Trap
) -> None:
    settings = msgspec.structs.replace(settings, transaction_timeout_ms=1_000)
    load = Load(settings)
    load.send(2_000)
    with Worker(settings, tmp_path / "a.log", **freezing.environ) as worker:
        until(lambda: freezing.sprung, "frozen")
        until(lambda: not _is_open(settings), "the coordinator aborts the transaction")
        load.send(1_000)
        until(lambda: group_size(settings) == 0, "its session is over")
        worker.signal(signal.SIGCONT)
        worker.says("fenced")
        load.wait_until_counted()

    assert_exactly_once(settings, load)


def test_a_transaction_that_the_coordinator_aborts_costs_a_restart_and_no_event(
    settings: Settings, tmp_path: Path, freezing: Trap
) -> None:
    """Still a member of the group, the worker ends for lack of a rebalance, and its supervisor helps."""
    settings = msgspec.structs.replace(settings, transaction_timeout_ms=1_000, session_timeout_ms=10_000)
    load = Load(settings)
    load.send(2_000)
    with Supervised(settings, tmp_path / "a.log", **freezing.environ) as supervised:
        until(lambda: freezing.sprung, "frozen")
        until(lambda: not _is_open(settings), "the coordinator aborts the transaction", 9)
        load.send(1_000)
        supervised.signal_worker(signal.SIGCONT)
        supervised.says("fenced")
        load.wait_until_counted()

    assert_exactly_once(settings, load)


def _is_open(settings: Settings) -> bool:
    """Return whether a transaction holds up the readers of partition 0's changes."""
    return ends(settings, "segment-changes", 0, "read_committed") < ends(
        settings, "segment-changes", 0, "read_uncommitted"
    )


def test_a_merger_frozen_while_it_publishes_is_fenced_and_each_model_comes_once(
    settings: Settings, tmp_path: Path
) -> None:
    trap = Trap(str(tmp_path / "sprung"), signal=signal.SIGSTOP, call=1, owner="-merger")
    send(settings, "model-deltas", [b"1", b"2", b"4"])
    with Worker(settings, tmp_path / "a.log", **trap.environ) as zombie:
        until(lambda: trap.sprung, "frozen")
        with Worker(settings, tmp_path / "b.log"):
            until(lambda: len(read(settings, "models")) == 1, "the heir publishes")
            zombie.signal(signal.SIGCONT)
            zombie.says("merger: fenced")
            send(settings, "model-deltas", [b"8", b"16", b"32"])
            until(lambda: len(read(settings, "models")) > 1, "the second model")

    assert [value for *_, value in read(settings, "models")] == [b"7", b"63"]


def test_a_worker_that_joins_late_decides_its_first_event_by_the_model_in_force(
    settings: Settings, tmp_path: Path
) -> None:
    with Worker(settings, tmp_path / "a.log") as first:
        send(settings, "model-deltas", [b"1", b"2", b"4"])
        until(lambda: len(read(settings, "models")) == 1, "the model")
        assert first.stop() == ExitCode.DONE
    load = Load(settings)
    load.send(500)
    with Worker(settings, tmp_path / "b.log"):
        load.wait_until_counted()

    assert {change["model"] for change in changes(settings)} == {"7"}


def test_a_kept_partition_whose_offsets_somebody_else_has_moved_is_opened_anew(
    settings: Settings, tmp_path: Path
) -> None:
    """Another owner has committed behind records that this worker never sees, of an aborted transaction."""
    load = Load(settings)
    load.send(400)
    with Worker(settings, tmp_path / "a.log", UNCHECKED="1") as worker:
        load.wait_until_counted()
        _abort_a_record_each(settings)
        asyncio.run(_commit_as_another_owner(settings))
        holes = committed(settings) - load.total
        with Worker(settings, tmp_path / "b.log", UNCHECKED="1"):
            worker.says("opening it anew", 2)
            load.send(400)
            until(lambda: committed(settings) == load.total + holes, "all committed")

    assert holes == 2 * settings.partitions  # a record and the marker that aborts it
    assert_exactly_once(settings, load)


def _abort_a_record_each(settings: Settings) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap, "transactional.id": settings.app_id})
    producer.init_transactions(20)
    producer.begin_transaction()
    for partition in range(settings.partitions):
        producer.produce(topic_name(settings, "clicks"), b"never", b"c0", partition=partition)
    producer.flush(20)
    producer.abort_transaction(20)


async def _commit_as_another_owner(settings: Settings) -> None:
    for partition in range(settings.partitions):
        topic = TopicPartition(topic_name(settings, "clicks"), partition)
        owner = Transactor(settings, f"{settings.app_id}-{partition}")
        await owner.start()
        end = ends(settings, "clicks", partition, "read_committed")
        await owner.commit([], {topic: end}, SystemClock().now_ms())
        await owner.stop()

"""Brokers: they start, answer, keep what they promise, and say clearly when they cannot."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from streams.admin import Admin
from streams.broker import Broker, start_broker
from streams.broker.embedded import Embedded
from streams.broker.kafka import Kafka
from streams.broker.scratch import Scratch
from streams.errors import BrokerUnreachableError, ExitCode, LiveSegmentsError, UsageError
from streams.reader import Reader
from streams.settings import Settings, load_settings
from streams.topics import TOPICS, check_topics, create_topics, topic_name

pytestmark = pytest.mark.kafka
Deploy = Callable[..., Settings]
YEAR_2011_MS = 1_300_000_000_000


def produce(bootstrap: str, topic: str, values: list[bytes], time_ms: int = 0) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "message.timeout.ms": 20_000})
    failed: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error)

    for value in values:
        producer.produce(topic, value, key=b"k", partition=0, timestamp=time_ms, on_delivery=delivered)
    assert producer.flush(20) == 0
    assert failed == []


def consume(bootstrap: str, topic: str, count: int) -> list[Message]:
    """Return what is in partition 0, read_committed: at least `count` records, then all up to the end."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[Message] = []
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error() is None:
            found.append(message)
        elif message.error().code() == KafkaError._PARTITION_EOF and len(found) >= count:
            break
    consumer.close()
    return found


def values(messages: list[Message]) -> list[bytes | None]:
    return [message.value() for message in messages]


@pytest.fixture
def java_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """Give settings on a machine without Java, Maven and KAFKA_BOOTSTRAP."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return load_settings({})


def test_topics_are_created_once_and_then_checked_without_a_difference(kafka: Broker) -> None:
    """Creating makes every declared topic, creating again makes none, and checking finds all as declared."""
    settings = Settings(kafka_bootstrap=kafka.bootstrap, topic_prefix="round-trip.", partitions=3)

    assert create_topics(settings) == ["round-trip." + topic.name for topic in TOPICS]
    assert create_topics(settings) == []
    assert check_topics(settings) == []


def test_check_names_each_difference(kafka: Broker) -> None:
    """A missing topic, a wrong partition count, cleanup policy, retention and setting are one line each."""
    settings = Settings(kafka_bootstrap=kafka.bootstrap, topic_prefix="different.", partitions=3)
    admin = Admin(settings)
    made = admin.create(
        [
            NewTopic("different.clicks", 5, 1, config={"cleanup.policy": "compact"}),
            NewTopic("different.segment-changes", 3, 1, config={"retention.ms": "1000"}),
        ]
    )
    admin.wait_for(made)

    lines = check_topics(settings)

    assert "different.clicks: 5 partitions, declared 3" in lines
    assert "different.clicks: cleanup.policy is compact, declared delete" in lines
    assert "different.segment-changes: retention.ms is 1000, declared at least 2592000000" in lines
    assert "different.segment-changes: message.timestamp.type is CreateTime, declared LogAppendTime" in lines
    assert "different.models: missing; `live-segments topics create` makes it" in lines
    assert len(lines) == 4 + len(TOPICS) - 2


def test_a_replication_factor_above_the_number_of_brokers_is_refused(kafka: Broker) -> None:
    """Too many copies are refused in one line with what is allowed, and nothing is created."""
    settings = Settings(kafka_bootstrap=kafka.bootstrap, topic_prefix="copies.", replication_factor=15)

    with pytest.raises(UsageError, match=r"REPLICATION_FACTOR=15.*allowed is at most"):
        create_topics(settings)

    assert any("copies.clicks: missing" in line for line in check_topics(settings))


def test_old_records_stay_and_count_from_arrival(kafka: Broker, deploy: Deploy) -> None:
    """History of 2011 is kept in `clicks` as arrived now; a `customers` record keeps its own time."""
    settings = deploy(kafka)
    for name in ("clicks", "customers"):
        produce(kafka.bootstrap, topic_name(settings, name), [b"old"], YEAR_2011_MS)

    clicks = consume(kafka.bootstrap, topic_name(settings, "clicks"), 1)
    customers = consume(kafka.bootstrap, topic_name(settings, "customers"), 1)

    assert values(clicks) == values(customers) == [b"old"]
    assert clicks[0].timestamp()[1] > YEAR_2011_MS + 10 * 365 * 86_400_000
    assert customers[0].timestamp()[1] == YEAR_2011_MS


def test_an_aborted_transaction_is_never_seen(kafka: Broker, deploy: Deploy) -> None:
    """A read_committed reader of the real Kafka gets the committed records only."""
    settings = deploy(kafka)
    topic = topic_name(settings, "segment-changes")
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": settings.app_id})
    producer.init_transactions(20)
    for value, commit in ((b"one", True), (b"aborted", False), (b"two", True)):
        producer.begin_transaction()
        producer.produce(topic, value, key=b"k", partition=0)
        if commit:
            producer.commit_transaction(20)
        else:
            producer.flush(20)
            producer.abort_transaction(20)

    assert values(consume(kafka.bootstrap, topic, 2)) == [b"one", b"two"]


def test_records_come_back_in_order(any_kafka: Broker, deploy: Deploy) -> None:
    """What is produced to a partition is read from it, complete and in order, on either broker."""
    settings = deploy(any_kafka)
    topic = topic_name(settings, "clicks")
    sent = [str(n).encode() for n in range(500)]
    produce(any_kafka.bootstrap, topic, sent)

    assert values(consume(any_kafka.bootstrap, topic, 500)) == sent


def test_no_broker_is_said_in_bounded_time() -> None:
    """A port where nobody listens gives one line with the address, exit code 3, and no long wait."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        address = f"127.0.0.1:{reserved.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(BrokerUnreachableError, match=address) as caught:
            create_topics(Settings(kafka_bootstrap=address), timeout_s=1)

    assert time.monotonic() - begun < 5
    assert caught.value.exit_code is ExitCode.BROKER_UNREACHABLE
    assert "\n" not in str(caught.value)


@pytest.fixture
def own_kafka(kafka: Broker, tmp_path: Path) -> Iterator[Kafka]:
    """Give a Kafka of the test's own that may be killed; skipped where `kafka` is."""
    if kafka.kind == "external":
        pytest.skip("needs a Kafka that the test may kill")
    with Kafka(Path(load_settings().cache), tmp_path) as broker:
        yield broker


def test_a_killed_node_comes_back_with_its_data_and_a_frozen_one_is_unreachable(own_kafka: Kafka) -> None:
    """Killing with -9 loses nothing that was confirmed; a frozen node is noticed in bounded time."""
    settings = Settings(kafka_bootstrap=own_kafka.bootstrap, partitions=1)
    create_topics(settings)
    produce(own_kafka.bootstrap, "clicks", [b"kept"])
    (pid,) = own_kafka.pids

    own_kafka.kill_node(1)
    assert own_kafka.pids == ()
    with pytest.raises(BrokerUnreachableError):
        check_topics(settings, timeout_s=1)
    assert own_kafka.start_node(1) != pid
    assert values(consume(own_kafka.bootstrap, "clicks", 1)) == [b"kept"]

    own_kafka.freeze_node(1)
    with pytest.raises(BrokerUnreachableError):
        check_topics(settings, timeout_s=1)
    own_kafka.thaw_node(1)
    assert check_topics(settings) == []


def test_a_failed_start_shows_the_end_of_the_brokers_log(
    kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the port is taken the error is one line with what Kafka itself logged, and no process stays."""
    del kafka  # asked for so that this is skipped where no Kafka can run
    with socket.socket() as taken, socket.socket() as other, socket.socket() as third:
        for each in (taken, other, third):
            each.bind(("127.0.0.1", 0))
            each.listen()
        ports = [each.getsockname()[1] for each in (taken, other, third)]
        monkeypatch.setattr("streams.broker.nodes.free_ports", lambda _: ports)
        with pytest.raises(LiveSegmentsError, match=r"node 1 ended with code 1 .*Address already in use"):
            start_broker("kafka", settings=load_settings({}))


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="the system kills orphans through setpriv only")
def test_the_real_broker_dies_with_its_owner(kafka: Broker, tmp_path: Path) -> None:
    """After kill -9 of the process that started a Kafka, that Kafka is gone too."""
    del kafka
    script = (
        "from streams.broker import start_broker as s; b = s('kafka'); print(b.pids[0], flush=True); input()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(tmp_path)},  # it has no chance to tidy up
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    os.kill(pid, 0)  # it runs

    owner.send_signal(signal.SIGKILL)
    owner.communicate()

    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline, "the broker outlived its owner"
        time.sleep(0.05)


def test_the_folder_of_a_killed_owner_is_removed_by_the_next_one_and_that_of_a_living_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The temporary data of a Kafka whose owner had no chance to tidy up does not pile up."""
    script = "from streams.broker.scratch import Scratch as S; s = S(); print(s.path, flush=True); input()"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env=environment,
    ) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().decode().strip())
        mine = Scratch()
        assert folder.is_dir()
        owner.kill()
    Scratch().remove()

    assert [path.name for path in tmp_path.iterdir()] == [mine.path.name]
    mine.remove()
    assert list(tmp_path.iterdir()) == []


def test_without_java_the_embedded_broker_is_used_and_says_what_it_cannot_show(
    java_hidden: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """`auto` without Java starts the embedded broker with the declared topics and one loud line."""
    with caplog.at_level(logging.WARNING), start_broker(settings=java_hidden) as broker:
        settings = msgspec.structs.replace(java_hidden, kafka_bootstrap=broker.bootstrap)

        assert broker.kind == "embedded"
        assert not broker.transactions
        assert create_topics(settings) == []
        assert check_topics(settings) == []
    (line,) = [record.getMessage() for record in caplog.records]
    assert "at least once" in line
    assert "no compaction" in line


def test_without_java_a_real_kafka_is_refused_with_what_to_install(java_hidden: Settings) -> None:
    """Asking for `kafka` never falls back: without Java it is an error that says what to do."""
    with pytest.raises(LiveSegmentsError, match=r"install a JRE.*or set KAFKA_BOOTSTRAP"):
        start_broker("kafka", settings=java_hidden)


def test_a_named_cluster_is_used_as_it_is() -> None:
    """`auto` with KAFKA_BOOTSTRAP starts nothing and stops nothing."""
    with start_broker(settings=load_settings({"KAFKA_BOOTSTRAP": "kafka.example:9092"})) as broker:
        assert (broker.kind, broker.bootstrap, broker.pids) == ("external", "kafka.example:9092", ())


def test_another_process_produces_to_the_embedded_broker() -> None:
    """The embedded broker serves other processes through its address, with the partitions it was given."""
    with Embedded({"clicks": 6}) as broker:
        script = (
            "import sys; from confluent_kafka import Producer\n"
            "p = Producer({'bootstrap.servers': sys.argv[1]})\n"
            "[p.produce('clicks', str(n).encode(), key=b'k', partition=0) for n in range(50)]\n"
            "sys.exit(p.flush(20))"
        )
        done = subprocess.run([sys.executable, "-c", script, broker.bootstrap], timeout=60, check=False)

        assert done.returncode == 0
        assert values(consume(broker.bootstrap, "clicks", 50)) == [str(n).encode() for n in range(50)]
        found = AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=10)
        assert len(found.topics["clicks"].partitions) == 6
    broker.stop()  # a second stop does nothing
    with pytest.raises(LiveSegmentsError):
        broker.create_topic("late", 1)


def test_who_follows_a_topic_can_ask_whether_the_broker_is_still_there() -> None:
    """Kafka's client waits in silence for one that is not."""
    settings = Settings(partitions=2)
    with start_broker("embedded", settings=settings) as broker:
        settings = msgspec.structs.replace(settings, kafka_bootstrap=broker.bootstrap)
        with Reader(settings) as reader:
            next(reader.follow(["segment-changes"]))
            assert reader.answers()
            broker.stop()

            assert not reader.answers()

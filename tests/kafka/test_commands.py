"""The commands on a real deployment: topics, a shop, a worker, and what people ask about it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from confluent_kafka import Consumer, TopicPartition

from streams.broker import Broker
from streams.cli import main
from streams.cli.program import THREADS
from streams.codec.hashing import partition_for
from streams.lag import Lag
from streams.settings import Settings
from streams.shop.extract import EXTRACT
from streams.topics import TOPICS
from tests.kafka.deployment import PROGRAM, environment_of

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
Deploy = Callable[..., Settings]
EVENTS, CUSTOMERS = 12_000, 700
"""Each customer is learned on the last day at least: enough for a model, however the topics interleave."""


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Callable[[Settings], None]:
    """Give a function that makes the commands of this process use a deployment."""

    def make(settings: Settings) -> None:
        for name in [name for name in os.environ if name.startswith(("LIVE_SEGMENTS_", "KAFKA_"))]:
            monkeypatch.delenv(name)
        for name, value in environment_of(settings).items():
            monkeypatch.setenv(name, value)
        for name in THREADS:
            monkeypatch.setenv(name, "1")

    return make


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """Return what a command prints as JSON."""
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def settled(kafka: Broker) -> Settings:
    """Give a deployment whose worker has processed a simulated shop and was stopped: nothing moves."""
    name = f"commands{os.getpid()}"
    settings = Settings(
        kafka_bootstrap=kafka.bootstrap,
        app_id=name,
        topic_prefix=f"{name}.",
        partitions=4,
        currency="GBP",
        web_port=0,
    )
    environment = environment_of(settings)

    def run(*arguments: str) -> None:
        subprocess.run([PROGRAM, *arguments], env=environment, check=True, capture_output=True, timeout=60)

    run("topics", "create")
    run("simulate", "--days", "75", "--customers", str(CUSTOMERS), "--events", str(EVENTS))
    with subprocess.Popen([PROGRAM, "worker"], env=environment, stderr=subprocess.PIPE) as worker:
        try:
            with Lag(settings) as lag:
                until(lambda: lag.left() == 0, 90, "the worker does not come to the end of its input")
            until(lambda: is_shared(segments_of(environment)), 90, "no two customers are in a segment")
        finally:
            worker.send_signal(signal.SIGTERM)
            said = worker.communicate(timeout=60)[1].decode()
    assert worker.returncode == 0, said
    return settings


def segments_of(environment: dict[str, str]) -> list[dict[str, Any]]:
    """Return the behaviour segments that have members; audiences have them before the first model."""
    ran = subprocess.run(
        [PROGRAM, "segments", "--json"], env=environment, check=True, capture_output=True, timeout=60
    )
    rows = json.loads(ran.stdout)["segments"]
    return [row for row in rows if row["segment_set"] == "behaviour" and row["size"]]


def is_shared(segments: list[dict[str, Any]]) -> bool:
    """Return whether a segment has two members: so many changes of one are asked for."""
    return any(row["size"] >= 2 for row in segments)


def test_topics_are_created_once_and_checked(
    kafka: Broker, enter: Callable[[Settings], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Check says no before, create makes all, check is content, a second create changes nothing."""
    name = f"topics{os.getpid()}"
    enter(Settings(kafka_bootstrap=kafka.bootstrap, topic_prefix=f"{name}.", partitions=2))

    assert main(["topics", "check"]) == 1
    assert f"{name}.clicks: missing" in capsys.readouterr().out
    created = answer(capsys, "topics", "create")["created"]
    assert created == [f"{name}.{topic.name}" for topic in TOPICS]
    assert answer(capsys, "topics", "check") == {"differences": []}
    again = {"created": [], "present": len(TOPICS), "differences": []}
    assert answer(capsys, "topics", "create") == again


def test_creating_topics_that_differ_says_so(
    kafka: Broker, enter: Callable[[Settings], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Topics that are there with another partition count stay, and the command's answer is no."""
    name = f"differ{os.getpid()}"
    enter(Settings(kafka_bootstrap=kafka.bootstrap, topic_prefix=f"{name}.", partitions=2))
    assert main(["topics", "create"]) == 0
    enter(Settings(kafka_bootstrap=kafka.bootstrap, topic_prefix=f"{name}.", partitions=3))

    assert main(["topics", "create"]) == 1

    assert f"{name}.clicks" in capsys.readouterr().out


def test_recorded_orders_are_published_to_the_right_partitions(
    kafka: Broker,
    deploy: Deploy,
    enter: Callable[[Settings], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every record lies where murmur2 of its key says, in event-time order."""
    settings = deploy(kafka, partitions=3)
    enter(settings)

    told = answer(capsys, "produce", str(EXTRACT), "--format", "online-retail")
    found = read_all(settings, "purchases")
    assert told["sent"] == {"clicks": 0, "product-views": 0, "purchases": 1753, "customers": 0}
    assert sum(map(len, found)) == 1753
    for number, records in enumerate(found):
        times = [json.loads(value)["occurred_at"] for _, value in records]
        assert times == sorted(times)
        assert {partition_for(key, 3, "murmur2") for key, _ in records} == {number}


def read_all(settings: Settings, topic: str) -> list[list[tuple[bytes, bytes]]]:
    """Return (key, value) of all records by partition."""
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": "test"})
    found = []
    for number in range(settings.partitions):
        place = TopicPartition(settings.topic_prefix + topic, number, 0)
        _, end = consumer.get_watermark_offsets(place, timeout=20)
        consumer.assign([place])
        records: list[tuple[bytes, bytes]] = []
        deadline = time.monotonic() + 20
        while len(records) < end and time.monotonic() < deadline:
            messages = consumer.consume(1000, 0.5)
            records += [(message.key() or b"", message.value() or b"") for message in messages]
        found.append(records)
    consumer.close()
    return found


def test_publishing_to_topics_that_are_not_there_or_differ_is_refused(
    kafka: Broker,
    deploy: Deploy,
    enter: Callable[[Settings], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Keys would lie on wrong partitions, so nothing is sent."""
    settings = deploy(kafka, partitions=3)
    produce = ["produce", str(EXTRACT), "--format", "online-retail"]
    enter(settings)
    os.environ["LIVE_SEGMENTS_PARTITIONS"] = "5"
    assert main(produce) == 5
    assert "has 3 partitions, LIVE_SEGMENTS_PARTITIONS is 5" in capsys.readouterr().err
    os.environ["LIVE_SEGMENTS_TOPIC_PREFIX"] = "nowhere."
    assert main(produce) == 2
    assert "topic nowhere.clicks is missing; run `live-segments topics create`" in capsys.readouterr().err


def test_tail_segments_and_export_tell_the_same(
    settled: Settings,
    enter: Callable[[Settings], None],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """The changes added up, the table of segments, and the exported profiles have equal sizes."""
    enter(settled)
    out = tmp_path / "profiles.parquet"
    sizes: Counter[str] = Counter()

    for record in read_changes(settled):
        change = record["properties"]
        sizes[change["audience_key"]] += 1 if change["change"] == "entered" else -1
    table = {row["id"]: row["size"] for row in answer(capsys, "segments")["segments"] if row["size"]}
    told = answer(capsys, "profiles", "export", "--out", str(out))
    profiles = pq.read_table(out)
    exported = Counter(name for name in profiles["behaviour"].to_pylist() if name is not None)
    exported.update(name for names in profiles["audiences"].to_pylist() for name in names or ())

    assert table == {name: size for name, size in sizes.items() if size} == dict(exported)
    assert told == {"customers": profiles.num_rows, "file": str(out)}
    assert [out] == list(tmp_path.iterdir())


def read_changes(settings: Settings) -> list[dict[str, Any]]:
    """Return the records that `tail` prints from the beginning, until it prints no more."""
    with subprocess.Popen(
        [PROGRAM, "tail", "--from-beginning", "--json"],
        env=environment_of(settings),
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        os.set_blocking(child.stdout.fileno(), False)
        data, quiet = b"", 0
        deadline = time.monotonic() + 60
        while quiet < 15 and time.monotonic() < deadline:
            more = child.stdout.read() or b""
            quiet = 0 if more or not data else quiet + 1
            data += more
            time.sleep(0.1)
        child.send_signal(signal.SIGINT)
    assert child.returncode == 130
    return [json.loads(line) for line in data.splitlines()]


def test_explain_says_where_and_why(
    settled: Settings, enter: Callable[[Settings], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Segment and audiences are those that the changes led to; distances are sorted; one of them is here."""
    enter(settled)
    last: dict[str, dict[str, Any]] = {}
    audiences: dict[str, set[str]] = {}
    sequence: dict[str, int] = {}
    for record in read_changes(settled):
        customer, properties = record["userId"], record["properties"]
        sequence[customer] = properties["sequence"]
        if properties["segment_set"] == "audience":
            held = audiences.setdefault(customer, set())
            (held.add if properties["change"] == "entered" else held.discard)(properties["audience_key"])
        elif properties["change"] == "entered":
            last[customer] = properties
    customer = next(name for name in last if audiences.get(name))
    properties = last[customer]

    found = answer(capsys, "explain", customer)
    assert (found["customer_id"], found["segment_id"]) == (customer, properties["audience_key"])
    assert found["sequence"] == sequence[customer]
    standings = {row["audience_id"]: row for row in found["audiences"]}
    assert {name for name, row in standings.items() if row["member"]} == audiences[customer]
    assert len(standings) > len(audiences[customer])
    distances = [near["distance"] for near in found["distances"]]
    assert distances == sorted(distances)
    assert [found["segment_id"]] == [near["id"] for near in found["distances"] if near["current"]]
    assert main(["explain", customer]) == 0
    out = capsys.readouterr().out
    assert f"segment         {properties['segment_name']} ({properties['audience_key']})\n" in out
    assert "Runner-up: " in out
    assert "speaks for the runner-up" in out or "against it" in out
    one = standings[min(audiences[customer])]
    assert f"\nin {one['name']} ({one['audience_id']}), since " in out
    assert f"enter: {one['enter']['text']}" in out or " of\n" in out


def test_a_segment_that_nobody_has_defined_is_refused_at_once(
    settled: Settings, enter: Callable[[Settings], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """It used to wait in silence for changes that never come."""
    enter(settled)

    assert main(["tail", "--from-beginning", "--segment", "high-valu"]) == 1
    assert capsys.readouterr().err == "error: there is no segment high-valu; did you mean high-value?\n"


def test_a_customer_that_nobody_knows_is_exit_code_1(
    settled: Settings, enter: Callable[[Settings], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The answer is no, in one line."""
    enter(settled)

    assert main(["explain", "nobody"]) == 1
    assert capsys.readouterr().err.startswith("error: no customer nobody: ")


def test_tail_shows_one_segment_in_lines_for_people(
    settled: Settings, enter: Callable[[Settings], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A segment is found by its id or its name, whatever the letters' case."""
    enter(settled)
    row = answer(capsys, "segments")["segments"][0]

    assert main(["tail", "--from-beginning", "--segment", row["id"], "--limit", "2"]) == 0
    by_id = capsys.readouterr().out.splitlines()
    assert main(["tail", "--from-beginning", "--segment", row["name"].upper(), "--limit", "2"]) == 0
    assert len(by_id) == 2
    assert all(f"  {row['name']}  " in line for line in [*by_id, *capsys.readouterr().out.splitlines()])

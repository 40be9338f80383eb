"""A worker with a counting engine on a real Kafka: nothing lost, nothing double, in order."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.broker import Broker
from streams.errors import ExitCode
from streams.settings import Settings
from tests.kafka.workers import Load, Worker, assert_exactly_once, committed, read, send, until

pytestmark = pytest.mark.kafka
Deploy = Callable[..., Settings]


@pytest.fixture
def settings(kafka: Broker, deploy: Deploy, session_timeout_ms: int) -> Settings:
    """Give a deployment of its own."""
    return deploy(kafka, web_port=0, session_timeout_ms=session_timeout_ms)


def test_a_worker_that_is_stopped_commits_what_it_has_and_exits_with_0_in_seconds(
    settings: Settings, tmp_path: Path
) -> None:
    load = Load(settings)
    load.send(3_000)
    with Worker(settings, tmp_path / "a.log") as worker:
        until(lambda: committed(settings) == load.total, "all committed")
        load.send(500)

        assert worker.stop(timeout_s=5) == ExitCode.DONE
    with Worker(settings, tmp_path / "b.log"):
        until(lambda: committed(settings) == load.total, "the rest committed")
    assert_exactly_once(settings, load)


def test_a_worker_that_is_killed_again_and_again_loses_nothing_and_doubles_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    load = Load(settings)
    for round_ in range(4):
        load.send(4_000)
        before = committed(settings)
        with Worker(settings, tmp_path / f"{round_}.log") as worker:
            until(lambda before=before: committed(settings) > before, "some progress")  # type: ignore[misc]
            worker.kill()
    with Worker(settings, tmp_path / "last.log"):
        until(lambda: committed(settings) == load.total, "all committed")

    assert_exactly_once(settings, load)


def test_workers_that_come_freeze_and_die_lose_nothing_and_double_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    load = Load(settings)
    with Worker(settings, tmp_path / "a.log") as first:
        load.send(2_000)
        until(lambda: committed(settings) == load.total, "the first alone")
        with Worker(settings, tmp_path / "b.log") as second:
            until(lambda: "restored" in second.log(), "the second has partitions")
            load.send(2_000)
            until(lambda: committed(settings) == load.total, "both")
            first.signal(signal.SIGSTOP)
            load.send(2_000)
            until(lambda: committed(settings) == load.total, "the second takes over")
            first.signal(signal.SIGCONT)
            load.send(2_000)
            until(lambda: committed(settings) == load.total, "the zombie is back")
            second.kill()
            load.send(2_000)
            until(lambda: committed(settings) == load.total, "the first takes over")
            assert first.stop() == ExitCode.DONE

    assert_exactly_once(settings, load)


def test_an_error_of_the_engine_ends_the_worker_with_one_line_and_its_exit_code(
    settings: Settings, tmp_path: Path
) -> None:
    send(settings, "clicks", [b"x"], key=b"poison")
    with Worker(settings, tmp_path / "a.log") as worker:
        assert worker.wait(30) == ExitCode.INTERLOCK
        critical = [line for line in worker.log().splitlines() if "CRITICAL" in line]

    assert len(critical) == 1
    assert "poison was delivered" in critical[0]
    assert committed(settings) == 0


def test_a_topic_with_another_partition_count_is_refused_in_one_line(
    kafka: Broker, deploy: Deploy, tmp_path: Path
) -> None:
    made = deploy(kafka, web_port=0)
    wrong = Settings(
        kafka_bootstrap=made.kafka_bootstrap, topic_prefix=made.topic_prefix, partitions=3, web_port=0
    )
    with Worker(wrong, tmp_path / "a.log") as worker:
        assert worker.wait(30) == ExitCode.INTERLOCK
        assert "has 4, not 3" in worker.log()


def test_missing_topics_are_named_together_with_the_command_that_makes_them(
    kafka: Broker, tmp_path: Path
) -> None:
    nowhere = Settings(kafka_bootstrap=kafka.bootstrap, topic_prefix="nobody-made-these.", web_port=0)
    with Worker(nowhere, tmp_path / "a.log") as worker:
        assert worker.wait(30) == ExitCode.USAGE
        assert "live-segments topics create" in worker.log()


def test_a_broker_that_is_away_at_the_start_is_waited_for_and_a_signal_ends_the_wait(tmp_path: Path) -> None:
    away = Settings(kafka_bootstrap="127.0.0.1:1", web_port=0)
    with Worker(away, tmp_path / "a.log") as worker:
        until(lambda: "waiting for Kafka" in worker.log(), "it says so", 15)

        assert worker.stop() == ExitCode.DONE


def test_the_merger_publishes_each_sum_once_though_it_is_killed(settings: Settings, tmp_path: Path) -> None:
    with Worker(settings, tmp_path / "a.log") as worker:
        send(settings, "model-deltas", [b"1", b"2", b"4"])
        until(lambda: [value for *_, value in read(settings, "models")] == [b"7"], "the first model")
        send(settings, "model-deltas", [b"8"])
        worker.kill()
    with Worker(settings, tmp_path / "b.log"):
        send(settings, "model-deltas", [b"16", b"32"])
        until(lambda: len(read(settings, "models")) == 2, "the second model")

    assert [value for *_, value in read(settings, "models")] == [b"7", b"63"]

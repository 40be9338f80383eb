"""Workers that are killed, frozen, stopped and joined under load: nothing lost, nothing double, in order."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import msgspec
import pytest

from streams.broker import Broker
from streams.errors import ExitCode
from streams.settings import Settings
from tests.kafka.conftest import Deploy
from tests.kafka.trap import Step, Trap
from tests.kafka.workers import Load, Worker, assert_exactly_once, changes, committed, until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


@pytest.fixture
def settings(kafka: Broker, deploy: Deploy, session_timeout_ms: int) -> Settings:
    """Give a deployment of its own."""
    return deploy(kafka, web_port=0, session_timeout_ms=session_timeout_ms)


def test_one_of_two_workers_is_killed_under_load_and_the_other_takes_over(
    settings: Settings, tmp_path: Path
) -> None:
    load = Load(settings)
    with Worker(settings, tmp_path / "a.log") as first, Worker(settings, tmp_path / "b.log") as second:
        with load.steadily():
            first.says("restored")
            second.says("restored")
            until(lambda: committed(settings) > 500, "progress")
            first.kill()
            second.says("restored", second.log().count("restored") + 2)
        load.wait_until_counted()
        assert second.stop() == ExitCode.DONE

    assert_exactly_once(settings, load)


def test_both_workers_are_killed_at_once_under_load(settings: Settings, tmp_path: Path) -> None:
    load = Load(settings)
    with load.steadily():
        with Worker(settings, tmp_path / "a.log") as first, Worker(settings, tmp_path / "b.log") as second:
            first.says("restored")
            second.says("restored")
            until(lambda: committed(settings) > 500, "progress")
            for worker in (first, second):
                worker.signal(signal.SIGKILL)
        with Worker(settings, tmp_path / "c.log") as third:
            third.says("restored")
    with Worker(settings, tmp_path / "d.log"):
        load.wait_until_counted()

    assert_exactly_once(settings, load)


def test_workers_join_and_leave_under_load(settings: Settings, tmp_path: Path) -> None:
    load = Load(settings)
    with load.steadily(), Worker(settings, tmp_path / "a.log") as first:
        first.says("restored")
        with Worker(settings, tmp_path / "b.log") as second:
            second.says("restored")
            assert first.stop() == ExitCode.DONE
            second.says("restored", 4)
            seen = committed(settings)
            until(lambda: committed(settings) > seen, "progress")
            assert second.stop() == ExitCode.DONE
    with Worker(settings, tmp_path / "c.log"):
        load.wait_until_counted()

    assert_exactly_once(settings, load)


@pytest.mark.parametrize(
    ("step", "after", "counted"),
    [
        ("begin_transaction", True, False),
        ("send_offsets_to_transaction", True, False),
        ("commit_transaction", False, False),
        ("commit_transaction", True, True),
    ],
)
def test_a_worker_that_dies_within_a_transaction_has_committed_all_of_it_or_nothing(
    settings: Settings, tmp_path: Path, step: Step, after: bool, counted: bool
) -> None:
    settings = msgspec.structs.replace(settings, partitions=4)
    trap = Trap(str(tmp_path / "sprung"), step, call=1, owner="-0", after=after)
    load = Load(settings, keys=1)
    load.send(100)
    with Worker(settings, tmp_path / "a.log", **trap.environ) as worker:
        assert worker.wait() == -signal.SIGKILL
    with Worker(settings, tmp_path / "b.log") as worker:
        worker.says("partition 0: restored")
        assert f"partition 0: restored {1 if counted else 0} rows" in worker.log()
        load.wait_until_counted()

    assert_exactly_once(settings, load)


def test_a_reader_of_uncommitted_records_sees_changes_that_were_never_made(
    settings: Settings, tmp_path: Path
) -> None:
    """What is not promised: only `read_committed` readers get each change once."""
    trap = Trap(str(tmp_path / "sprung"), call=1, owner="-0")
    load = Load(settings, keys=1)
    load.send(100)
    with Worker(settings, tmp_path / "a.log", **trap.environ, WORKER="a") as worker:
        worker.wait()
    with Worker(settings, tmp_path / "b.log", WORKER="b"):
        load.wait_until_counted()

    assert {change["worker"] for change in changes(settings)} == {"b"}
    assert {change["worker"] for change in changes(settings, "read_uncommitted")} == {"a", "b"}
    assert_exactly_once(settings, load)


def test_a_partition_moves_only_when_its_next_owner_has_the_state(settings: Settings, tmp_path: Path) -> None:
    """Both when a worker joins and when one leaves: hardly a row is left to restore, and nothing is lost."""
    load = Load(settings)
    with load.steadily(), Worker(settings, tmp_path / "a.log") as first:
        first.says("restored", settings.partitions)
        until(lambda: committed(settings) > 500, "progress")
        with Worker(settings, tmp_path / "b.log") as second:
            second.says("standing by", settings.partitions // 2)
            second.says("restored", settings.partitions // 2)
            assert first.stop() == ExitCode.DONE
            assert "handing over" in first.log()
            second.says("restored", settings.partitions)
            log = second.log()
            assert second.stop() == ExitCode.DONE
            assert "handing over" not in second.log()
    with Worker(settings, tmp_path / "c.log"):
        load.wait_until_counted()

    assert log.count("standing by") == settings.partitions
    restored = re.findall(r"restored (\d+) rows in [0-9.]+ s, (\d+) of them now", log)
    assert len(restored) == settings.partitions
    assert sum(int(now) for _, now in restored) < sum(int(rows) for rows, _ in restored) / 2
    assert_exactly_once(settings, load)


def test_a_second_signal_ends_a_worker_that_waits_for_others(settings: Settings, tmp_path: Path) -> None:
    load = Load(settings)
    load.send(100)
    with Worker(settings, tmp_path / "a.log") as first, Worker(settings, tmp_path / "b.log") as second:
        first.says("restored", settings.partitions // 2)
        second.says("restored", settings.partitions // 2)
        second.signal(signal.SIGSTOP)  # it cannot take over now
        first.signal(signal.SIGTERM)
        first.says("handing over")
        first.signal(signal.SIGTERM)
        assert first.wait() == ExitCode.DONE
        second.signal(signal.SIGCONT)
        load.wait_until_counted()

    assert_exactly_once(settings, load)

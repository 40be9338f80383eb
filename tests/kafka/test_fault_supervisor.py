"""The supervisor on a real Kafka: workers that die come back, and nothing is left without it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import msgspec
import pytest

from models.calendar import DAY_MS
from streams.broker import Broker
from streams.errors import ExitCode
from streams.settings import Settings
from streams.shop.simulation import simulate
from tests.kafka.conftest import Deploy
from tests.kafka.deployment import PROGRAM, environment_of, feed
from tests.kafka.workers import Load, Supervised, Worker, assert_exactly_once, limit_records, runs, until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
START_MS = 1_760_000_000_000


@pytest.fixture
def settings(kafka: Broker, deploy: Deploy, session_timeout_ms: int) -> Settings:
    """Give a deployment of its own."""
    return deploy(kafka, web_port=0, session_timeout_ms=session_timeout_ms)


def test_a_killed_worker_is_restarted_with_back_off_and_counts_stay_exact(
    settings: Settings, tmp_path: Path
) -> None:
    load = Load(settings)
    with Supervised(settings, tmp_path / "a.log") as supervised:
        with load.steadily():
            for round_ in (1, 2):
                supervised.says("restored", 4 * round_)
                supervised.signal_worker(signal.SIGKILL)
                supervised.says(f"the worker ended with code -9, restarting in {round_} s")
        load.wait_until_counted()
        assert supervised.stop() == ExitCode.DONE
        assert not any(map(runs, supervised.pids()))

    assert len(supervised.pids()) == 3
    assert_exactly_once(settings, load)


def test_a_worker_whose_supervisor_is_killed_commits_and_ends(settings: Settings, tmp_path: Path) -> None:
    load = Load(settings)
    with load.steadily(), Supervised(settings, tmp_path / "a.log") as supervised:
        supervised.says("restored")
        supervised.kill()
        until(lambda: not any(map(runs, supervised.pids())), "the worker ends", 15)
    assert "INFO streams.worker: stopped" in supervised.log()
    with Worker(settings, tmp_path / "b.log"):
        load.wait_until_counted()

    assert_exactly_once(settings, load)


def test_without_a_supervisor_a_failed_worker_exits_with_its_code(settings: Settings, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(settings, session_timeout_ms=6_000)
    limit_records(settings, "profiles-changelog", 10)
    feed(settings, list(simulate(50, 5, 3, START_MS, START_MS + DAY_MS))[:50])
    done = subprocess.run(
        [PROGRAM, "worker", "--no-supervisor"],
        env={**environment_of(settings), "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        timeout=90,
        check=False,
    )

    assert done.returncode == ExitCode.NO
    (line,) = [line for line in done.stderr.splitlines() if "CRITICAL" in line]
    assert "commit of partition" in line
    assert "restarting" not in done.stderr

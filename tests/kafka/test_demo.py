"""The demo on the embedded broker: it ends, leaves nothing behind, and can be asked from elsewhere."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import uuid
from pathlib import Path

import pytest

from streams.settings import Settings
from tests.kafka.deployment import PROGRAM, environment_of
from tests.kafka.workers import until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
FROZEN_S = 12.0
"""Longer than the session timeout of the settings."""


def demo(mark: str, *options: str) -> subprocess.Popen[str]:
    """Start the demo on the embedded broker; all it starts bears the mark in its environment."""
    environment = environment_of(Settings()) | {"DEMO_MARK": mark, "COLUMNS": "80"}
    return subprocess.Popen(
        [PROGRAM, "demo", "--no-web", *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def marked(mark: str) -> list[int]:
    """Return the processes that were started with the mark."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"DEMO_MARK={mark}".encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue  # gone, or not ours
    return found


def test_the_demo_ends_by_itself_with_a_summary() -> None:
    """All events are processed, customers are in segments, and no process is left."""
    mark = uuid.uuid4().hex
    with demo(mark, "--json", "--events", "3000") as child:
        out, err = child.communicate(timeout=120)

    assert child.returncode == 0, err
    summary = json.loads(out.splitlines()[-1])
    assert list(summary) == [
        "broker",
        "events",
        "customers",
        "changes",
        "dead_letters",
        "segments",
        "seconds",
        "events_per_second",
    ]
    assert summary["broker"] == "embedded"
    assert sum(summary["events"].values()) == 3000
    assert summary["dead_letters"] == 0
    members = sum(row["size"] for row in summary["segments"])
    assert members == summary["changes"]["entered"] - summary["changes"]["left"] > 0
    behaviour = sum(row["size"] for row in summary["segments"] if row["id"].startswith("b-"))
    assert summary["customers"] >= behaviour > 0
    assert members > behaviour  # audiences come with the program
    assert marked(mark) == []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)]
)
def test_nothing_is_left_of_a_demo_that_is_ended(number: signal.Signals, code: int) -> None:
    """Ctrl-C prints the summary so far; even kill -9 leaves no worker behind."""
    mark = uuid.uuid4().hex
    with demo(mark, "--json") as child:
        assert child.stderr is not None
        assert "events sent" in child.stderr.readline()
        child.send_signal(number)
        out, _ = child.communicate(timeout=60)

    assert child.returncode == code
    until(lambda: marked(mark) == [], "a process survives the demo", 45)
    if number != signal.SIGKILL:
        assert sum(json.loads(out)["events"].values()) > 0


def test_a_worker_that_a_busy_machine_stops_for_a_while_goes_on() -> None:
    """For longer than a session of the settings: the demo ends in good order with all events processed.

    It used to print a right summary and end with code 1, as the group had given up on its only worker.
    """
    mark = uuid.uuid4().hex
    with demo(mark, "--json", "--events", "2000") as child:
        assert child.stderr is not None
        assert " processed" in child.stderr.readline()
        (worker,) = [pid for pid in marked(mark) if b"streams.worker" in command(pid)]
        os.kill(worker, signal.SIGSTOP)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(FROZEN_S)
        os.kill(worker, signal.SIGCONT)
        out, err = child.communicate(timeout=120)

    assert child.returncode == 0, err
    assert sum(json.loads(out.splitlines()[-1])["events"].values()) == 2000


def command(pid: int) -> bytes:
    """Return what a process was started with."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_the_demo_says_how_to_ask_it_from_another_terminal() -> None:
    """With the variables that it prints, and no others, the commands find its deployment."""
    mark = uuid.uuid4().hex
    with demo(mark) as child:
        assert child.stdout is not None
        found = None
        for line in child.stdout:
            if found := re.match(r"  ((?:[A-Z_]+=\S+ )+)(?:\S+/)?live-segments segments$", line):
                break
        assert found is not None
        told = dict(pair.split("=", 1) for pair in found[1].split())
        asked = subprocess.run(
            [PROGRAM, "definitions", "show", "--json"],
            env=environment_of(Settings()) | told,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=60)

    assert set(told) == {"KAFKA_BOOTSTRAP", "LIVE_SEGMENTS_PARTITIONS"}
    assert asked.returncode in {0, 1}, asked.stderr  # 1: none are in force yet
    assert asked.stdout

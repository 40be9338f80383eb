"""The supervisor: which ends are worth a restart."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from streams import supervisor as module
from streams.settings import Settings
from streams.supervisor import BREACHES, KEEP_MEMORY, Supervisor
from streams.telemetry import Telemetry


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restart at once."""
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)


def child(code: str) -> list[str]:
    """Return the command of a child that runs this code after reading its settings."""
    return [sys.executable, "-c", f"import sys, os, pathlib, time; sys.stdin.buffer.readline(); {code}"]


@pytest.mark.parametrize("code", [0, 2, 4, 5])
def test_an_end_that_would_only_be_repeated_is_not_restarted(code: int, tmp_path: Path) -> None:
    mark = tmp_path / "runs"

    assert (
        Supervisor(Settings(), child(f"open({str(mark)!r}, 'a').write('x'); sys.exit({code})")).run() == code
    )
    assert mark.read_text() == "x"


@pytest.mark.parametrize("end", ["sys.exit(1)", "sys.exit(3)", "os.kill(os.getpid(), 9)"])
def test_a_failed_or_killed_worker_is_restarted_until_it_ends_well(end: str, tmp_path: Path) -> None:
    mark = tmp_path / "runs"
    code = f"m = pathlib.Path({str(mark)!r}); m.touch(); n = len(m.read_text()); m.write_text('x' * (n + 1))"

    assert Supervisor(Settings(), child(f"{code}\nif n < 2: {end}")).run() == 0
    assert mark.read_text() == "xxx"


def test_sigterm_is_handed_on_and_the_workers_code_is_returned(tmp_path: Path) -> None:
    mark = tmp_path / "up"
    code = (
        f"import signal; signal.signal(15, lambda *_: sys.exit(0)); open({str(mark)!r}, 'w'); time.sleep(30)"
    )

    def stop_when_up() -> None:
        deadline = time.monotonic() + 20
        while not mark.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    stopping = threading.Thread(target=stop_when_up)
    stopping.start()
    started = time.monotonic()

    assert Supervisor(Settings(), child(code)).run() == 0
    assert time.monotonic() - started < 25
    stopping.join()


def test_the_settings_reach_the_child_with_their_secrets(tmp_path: Path) -> None:
    out = tmp_path / "settings"
    command = [
        sys.executable,
        "-c",
        f"import sys; open({str(out)!r}, 'wb').write(sys.stdin.buffer.readline())",
    ]
    Supervisor(Settings(sasl_password="s3cret"), command).run()  # noqa: S106 - not a password

    assert b"s3cret" in out.read_bytes()


def test_a_worker_keeps_freed_memory_at_hand_unless_the_operator_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trim, mmap = KEEP_MEMORY
    monkeypatch.setenv(trim, "1")
    monkeypatch.delenv(mmap, raising=False)
    told = tmp_path / "told"

    code = f"pathlib.Path({str(told)!r}).write_text(os.environ[{trim!r}] + ' ' + os.environ[{mmap!r}])"

    assert Supervisor(Settings(), child(code)).run() == 0
    assert told.read_text() == f"1 {KEEP_MEMORY[mmap]}"


def test_a_broken_invariant_is_restarted_and_the_next_worker_is_told_how_often(tmp_path: Path) -> None:
    """A worker that stopped dead cannot show its metric any more: its successors start from the number."""
    told = tmp_path / "told"
    code = (
        f"m = pathlib.Path({str(told)!r}); m.touch(); n = os.environ[{BREACHES!r}]; "
        "m.write_text(m.read_text() + n); sys.exit([6, 1, 6, 0][len(m.read_text()) - 1])"
    )

    assert Supervisor(Settings(), child(code)).run() == 0
    assert told.read_text() == "0112"


def test_the_metric_of_breaches_starts_at_what_the_supervisor_told(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "live_segments_invariant_breaches_total"

    assert Telemetry().metrics.registry.get_sample_value(name) == 0
    monkeypatch.setenv(BREACHES, "3")
    assert Telemetry().metrics.registry.get_sample_value(name) == 3

"""What is said while kernels are compiled."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

import pytest
from numba.core.event import trigger_event

from streams.demo.child import Worker
from streams.notice import AFTER_S, COMPILING, compiling_told
from streams.settings import Settings


def test_who_waits_for_kernels_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """While it is going on, not when it is over."""
    with compiling_told(0.01), trigger_event("numba:compile"):
        deadline = time.monotonic() + 20
        while not caplog.messages and time.monotonic() < deadline:
            time.sleep(0.01)

        assert caplog.messages == [COMPILING]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_who_waits_for_something_else_or_not_for_long_is_told_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A machine that is busy compiles nothing."""
    with compiling_told(0.0):
        time.sleep(0.1)
    with compiling_told(AFTER_S), trigger_event("numba:compile"):
        pass

    assert caplog.messages == []


def test_the_demo_hears_it_from_its_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its log is where it says it."""
    worker = tmp_path / "worker"
    worker.write_text(f"#!/bin/sh\necho 'streams.notice: {COMPILING}'\ncat\n")
    worker.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(worker))
    with Worker(Settings()) as running:
        deadline = time.monotonic() + 20
        while not running.compiles() and time.monotonic() < deadline:
            time.sleep(0.01)

        assert running.compiles()

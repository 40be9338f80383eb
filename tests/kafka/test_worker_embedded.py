"""A worker on the embedded broker: at least once, and it says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.broker import Broker, start_broker
from streams.errors import ExitCode
from streams.settings import Settings
from tests.kafka.workers import Load, Worker, counts, until

pytestmark = pytest.mark.kafka
Deploy = Callable[..., Settings]


@pytest.fixture(scope="module")
def embedded() -> Iterator[Broker]:
    """Give an embedded broker."""
    with start_broker("embedded", settings=Settings()) as broker:
        yield broker


def test_a_killed_worker_on_the_embedded_broker_loses_nothing(
    embedded: Broker, deploy: Deploy, tmp_path: Path
) -> None:
    settings = deploy(embedded, web_port=0, session_timeout_ms=6_000)
    load = Load(settings)
    load.send(1_000)
    with Worker(settings, tmp_path / "a.log") as worker:
        until(lambda: sum(counts(settings).values()) == load.total, "all counted")
        assert "at least once" in worker.log()
        worker.kill()
    load.send(1_000)
    with Worker(settings, tmp_path / "b.log") as worker:
        until(lambda: sum(counts(settings).values()) >= load.total, "the rest counted")
        assert worker.stop() == ExitCode.DONE

    found = counts(settings)
    assert all(found[key] >= n for key, n in load.sent.items())

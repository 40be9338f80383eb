"""Definitions on a running worker: activated once, refused when broken, the same after a restart."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.broker import Broker
from streams.cli import main
from streams.clock import SystemClock
from streams.records import INPUT_TOPICS
from streams.settings import Settings
from streams.shop.simulation import simulate
from tests.kafka.deployment import assert_sequences, changes, environment_of, feed, wait_for, worker
from tests.kafka.workers import read, send, until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
Deploy = Callable[..., Settings]
EVENTS, CUSTOMERS, DAY_MS = 1_200, 60, 86_400_000


def audience(name: str, enter: str) -> str:
    return f'[[audience]]\nid = "{name}"\nname = "The {name}"\nenter = "{enter}"\n'


FIRST = audience("lookers", "views_total >= 3") + audience("buyers", "orders_total >= 1")
SECOND = audience("lookers", "views_total >= 8") + audience("buyers", "orders_total >= 1")
SECOND += audience("clickers", "clicks_total >= 5")
BROKEN = audience("lookers", "views_totl >= 3")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Give the files by name."""
    found = {}
    for name, text in (("first", FIRST), ("second", SECOND), ("broken", BROKEN)):
        found[name] = tmp_path / f"{name}.toml"
        found[name].write_text(text, encoding="utf-8")
    return found


@pytest.fixture
def settings(kafka: Broker, deploy: Deploy, files: dict[str, Path]) -> Settings:
    """Give a deployment whose first start takes the first file."""
    chosen = {"currency": "GBP", "sweep_interval_s": 1, "web_port": 0, "partitions": 2}
    return deploy(kafka, segments_file=str(files["first"]), **chosen)


@pytest.fixture
def answer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Give a function that runs a command on the deployment and returns its JSON."""
    for name, value in environment_of(settings).items():
        if name.startswith(("LIVE_SEGMENTS_", "KAFKA_")):
            monkeypatch.setenv(name, value)

    def run(*arguments: str) -> Any:
        assert main([*arguments, "--json"]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return run


def fed(settings: Settings, events: int, now_ms: int) -> int:
    """Let the shop run for some days; return the number of its clicks, views and orders."""
    shop = list(simulate(events, CUSTOMERS, 7, now_ms - 5 * DAY_MS, now_ms))
    feed(settings, shop)
    return sum(record.topic < INPUT_TOPICS.index("customers") for record in shop)


def by_definition(settings: Settings) -> Counter[tuple[str, str, str]]:
    """Return (customer, audience, change) of the changes with cause `definition`."""
    found = changes(settings)
    assert_sequences(found)
    return Counter(
        (change["userId"], change["properties"]["audience_key"], change["properties"]["change"])
        for change in found
        if change["properties"]["cause"] == "definition"
    )


def test_definitions_that_are_activated_change_exactly_those_who_differ_once(
    settings: Settings,
    files: dict[str, Path],
    answer: Callable[..., Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And an unchanged file, a broken one, a bad record or a restart with another file emit nothing."""
    now_ms = SystemClock().now_ms()
    sent = fed(settings, EVENTS, now_ms)
    log = tmp_path / "worker.log"
    with worker(settings, log) as process:
        wait_for(settings, sent, process, log)
        until(lambda: preview(answer, files["first"])["changing"] == 0, "the first definitions")
        before = by_definition(settings)
        expected = preview(answer, files["second"])

        told = answer("definitions", "activate", str(files["second"]))
        assert told == {
            "activated": True,
            "version": 2,
            "added": ["clickers"],
            "changed": ["lookers"],
            "removed": [],
        }
        until(lambda: preview(answer, files["second"])["changing"] == 0, "the second definitions")
        once = by_definition(settings) - before
        assert set(once.values()) == {1}
        counts = Counter((name, change) for _, name, change in once)
        assert counts == +Counter(
            {
                **{(row["id"], "entered"): row["entering"] for row in expected["audiences"]},
                **{(row["id"], "left"): row["leaving"] for row in expected["audiences"]},
            }
        )
        assert len({customer for customer, _, _ in once}) == expected["changing"] > 0

        assert answer("definitions", "activate", str(files["second"])) == {"activated": False}
        assert main(["definitions", "activate", str(files["broken"])]) == 4
        assert "broken.toml:4: audience lookers, enter: unknown column" in capsys.readouterr().err
        send(settings, "model-deltas", [b'{"kind": "activate"}'], b"definitions")
        until(lambda: "model-deltas offset" in log.read_text(), "the bad record is refused")
        assert process.poll() is None

    assert settings.segments_file == str(files["first"])
    with worker(settings, log) as process:
        sent += fed(settings, 50, now_ms)
        wait_for(settings, sent, process, log)
        until(lambda: preview(answer, files["second"])["changing"] == 0, "nothing is due")
    assert by_definition(settings) - before == once
    assert answer("definitions", "show")["version"] == 2
    defined = {key.decode(): json.loads(value) for _, key, value in read(settings, "segment-definitions")}
    assert {name: defined[name]["lineage"][0]["event"] for name in ("lookers", "clickers")} == {
        "lookers": "survived",
        "clickers": "born",
    }


def preview(answer: Callable[..., Any], file: Path) -> Any:
    """Return what a file would do."""
    return answer("definitions", "preview", str(file))


def test_a_first_start_with_a_broken_file_is_refused_with_exit_code_4(
    kafka: Broker, deploy: Deploy, files: dict[str, Path], tmp_path: Path
) -> None:
    """Each problem is a line of the log, and nothing is put in force."""
    settings = deploy(kafka, segments_file=str(files["broken"]), web_port=0)
    log = tmp_path / "worker.log"
    with worker(settings, log) as process:
        assert process.wait(60) == 4
    assert f"{files['broken']}:4: audience lookers, enter: unknown column views_totl" in log.read_text()
    assert list(read(settings, "models")) == []


def test_a_rolling_restart_with_another_file_emits_nothing(
    settings: Settings, files: dict[str, Path], answer: Callable[..., Any], tmp_path: Path
) -> None:
    """Old and new file are on different workers at once, and the merger moves from one to the other."""
    now_ms = SystemClock().now_ms()
    sent = fed(settings, EVENTS, now_ms)
    newer = msgspec.structs.replace(settings, segments_file=str(files["second"]))
    old_log, new_log = tmp_path / "old.log", tmp_path / "new.log"
    with ExitStack() as stack:
        with worker(settings, old_log) as old:
            wait_for(settings, sent, old, old_log)
            until(lambda: preview(answer, files["first"])["changing"] == 0, "the first definitions")
            before = by_definition(settings)
            assert preview(answer, files["second"])["changing"] > 0
            new = stack.enter_context(worker(newer, new_log))
            until(lambda: "restored" in new_log.read_text(), "both have a partition")
            sent += fed(settings, 50, now_ms)
            wait_for(settings, sent, new, new_log)
        until(lambda: "merger: opened" in new_log.read_text(), "the merger is at the new file's worker")
        sent += fed(settings, 50, now_ms + 60_000)
        wait_for(settings, sent, new, new_log)
        until(lambda: preview(answer, files["first"])["changing"] == 0, "nothing is due")

    assert by_definition(settings) == before
    assert answer("definitions", "show")["version"] == 1

"""What the benchmarks write, and in what order they run."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.bench import report
from tests.bench.__main__ import COMMANDS
from tests.bench.compare import CANDIDATES, order
from tests.bench.feeder import at_ms, prepared
from tests.bench.peers import job
from tests.bench.report import PAGE, Spread, append, machine, renew
from tests.bench.smoke import TINY


def test_a_block_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    """Prose by hand around the blocks stays."""
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- bench: x -->\nold\n<!-- end -->\nb\n<!-- bench: y -->\ny\n<!-- end -->\n")

    renew("x", "new \\1", page)

    assert page.read_text() == (
        "a\n<!-- bench: x -->\n\nnew \\1\n\n<!-- end -->\nb\n<!-- bench: y -->\ny\n<!-- end -->\n"
    )


def test_a_block_that_is_missing_is_said(tmp_path: Path) -> None:
    """Figures of an hour are not lost without a word."""
    page = tmp_path / "page.md"
    page.write_text("nothing")

    with pytest.raises(ValueError, match=r"page\.md has no block x"):
        renew("x", "new", page)


def test_every_command_has_its_block_and_its_tiny_run() -> None:
    """A command without them would fail at its end, or rot."""
    commands = set(COMMANDS) - {"smoke"}
    page = PAGE.read_text(encoding="utf-8")

    assert {name for name in commands if f"<!-- bench: {name} -->" in page} == commands
    assert set(TINY) == commands


def test_a_new_csv_gets_its_header_once(tmp_path: Path) -> None:
    """Rows are only ever added."""
    path = tmp_path / "x.csv"
    append(path, ["a", "b"], ["1", "x, y"])
    append(path, ["a", "b"], ["2", "z"])

    assert path.read_text() == 'a,b\n1,"x, y"\n2,z\n'


def test_a_spread_shows_the_median_and_how_far_it_goes() -> None:
    """One figure alone would hide how noisy the machine is."""
    assert Spread([3.0, 1.0, 2.0]).show(".1f") == "2.0 (1.0 to 3.0)"
    assert Spread([1234.5]).show() == "1,234"


def test_candidates_take_turns_every_second_time_backwards() -> None:
    """A machine that gets slower during the run favours nobody."""
    names = [candidate.name for candidate in order(CANDIDATES, 2)]

    assert names[: len(CANDIDATES)] == names[: len(CANDIDATES) - 1 : -1]


def test_the_machine_is_described_without_its_name() -> None:
    """The line is published."""
    assert socket.gethostname() not in machine()


def test_a_fed_event_tells_when_it_was_produced() -> None:
    """The latency of a change is read off the event that caused it."""
    for _, value, _, _ in prepared(10, 2, 1)[:50]:
        assert at_ms(value % {b"ms": 1_700_000_000_123, b"n": 7}) == 1_700_000_000_123


def test_the_small_job_emits_when_a_customer_goes_from_one_segment_to_another() -> None:
    """The first segment is no change; it follows the nearest centroid from then on."""
    state = job.new_state()
    order = {"order_id": "o", "occurred_at": 5, "items": [{"quantity": 1, "unit_price": 30.0}]}
    view = {"occurred_at": 7, "price": 1.0}
    changed = [job.step(state, event) for event in (view, order, view, view)]

    assert changed == [False, True, False, False]
    assert state == [0.0, 3.0, 1.0, 30.0, 7, 1.0]
    assert job.change("c", 0.0, state) == {"customer_id": "c", "from": 0, "to": 1, "at": 7}


def test_the_files_in_git_have_the_columns_that_are_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A column that is added or moved would shift the rows of later runs."""
    written = {"RESULTS": tmp_path / "results.csv", "FIGURES": tmp_path / "figures.csv"}
    kept = {name: getattr(report, name).read_text(encoding="utf-8").splitlines()[0] for name in written}
    for name, path in written.items():
        monkeypatch.setattr(report, name, path)
    monkeypatch.setattr(report, "renew", lambda *_: None)
    made = report.Report("idle", [], keep=True)

    made.figures([report.Figure("idle", "%", Spread([1.0]))])
    made.candidate("faust", dict.fromkeys(("cpu_us_per_event", "events_per_s", "rss_mb"), Spread([1.0, 2.0])))

    assert {name: path.read_text().splitlines()[0] for name, path in written.items()} == kept

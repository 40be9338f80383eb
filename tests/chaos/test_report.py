"""The results of a chaos run say what was found, what it had to be, and what was done."""

from __future__ import annotations

from tests.chaos.checker import Finding
from tests.chaos.report import document, table
from tests.chaos.run import Outcome, Parameters

ASKED = Parameters(3, 7, 3, 3, 6, 100.0, 50, 1.0, 16.0)
NOON_MS = 1_795_262_400_000


def test_a_line_without_a_bound_is_for_information_and_one_with_a_bound_is_judged() -> None:
    lines = table([Finding("inputs", 1234), Finding("lost", 0, 0), Finding("doubled", 2, 0)]).splitlines()

    assert [line.split("|")[-2].strip() for line in lines[2:]] == ["", "ok", "WRONG"]
    assert "1,234" in lines[2]


def test_a_run_is_exact_only_if_every_bound_holds_and_there_was_a_verdict() -> None:
    assert Outcome([Finding("lost", 0, 0), Finding("inputs", 5)]).ok
    assert not Outcome([Finding("lost", 1, 0), Finding("inputs", 5)]).ok
    assert not Outcome().ok


def test_the_file_has_date_parameters_versions_faults_and_the_log_of_actions() -> None:
    outcome = Outcome(
        [Finding("lost", 1, 0, ("anna: 1",))], ["    1.0 s  kill -9 of worker 1"], ["worker 1: x"]
    )
    text = document(ASKED, outcome, NOON_MS)

    for part in ("2026-11-21 12:00 UTC", "Kafka 4", "seed 7", "NOT EXACT", "anna: 1", "kill -9 of worker 1"):
        assert part in text

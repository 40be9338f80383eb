"""Alert, promtool test, runbook and metric belong together: each alert has all, and nothing is left over."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.metrics import METRICS
from streams.settings import SETTINGS

OPS = Path(__file__).parents[2] / "ops"
RULES = OPS / "prometheus" / "rules"
TESTS = OPS / "prometheus" / "tests"
RUNBOOKS = OPS / "runbooks"
REQUIRED = any(os.environ.get(name) == "1" for name in ("REQUIRE_PROMTOOL", "REQUIRE_KAFKA"))
KINDS = ("fires", "not yet", "exactly at the threshold", "healthy")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def alerts() -> dict[str, dict[str, Any]]:
    groups = [group for path in sorted(RULES.glob("*.yml")) for group in load(path)["groups"]]
    rules = [rule for group in groups for rule in group["rules"]]
    named = {rule["alert"]: rule for rule in rules}
    assert len(rules) == len(named), "two alerts of one name"
    return named


ALERTS = alerts()


def promtool(*arguments: str | Path, cwd: Path = OPS) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    if program is None:
        if REQUIRED:
            pytest.fail("promtool is required here: apt-get install prometheus")
        pytest.skip("promtool is not here: the alert rules are NOT tested; apt-get install prometheus")
    return subprocess.run(
        [program, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False, timeout=60
    )


def test_promtool_accepts_configuration_and_rules() -> None:
    """What is shipped is what Prometheus loads."""
    commands: list[list[str | Path]] = [
        ["check", "config", "prometheus/prometheus.yml"],
        ["check", "rules", *sorted(RULES.glob("*.yml"))],
        ["test", "rules", *sorted(TESTS.glob("*.yml"))],
    ]
    for arguments in commands:
        ran = promtool(*arguments)
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_is_tested_four_ways(name: str) -> None:
    """Firing, not yet, exactly at the threshold and healthy: silence is tested as well as noise."""
    tests = load(TESTS / f"{name}.yml")["tests"]

    kinds = [re.fullmatch(rf"{name} ({'|'.join(KINDS)}): .+", test["name"]) for test in tests]
    assert all(kinds), [test["name"] for test in tests]
    assert set(KINDS) == {kind[1] for kind in kinds if kind}
    for kind, test in zip(kinds, tests, strict=True):
        for case in test["alert_rule_test"]:
            assert name == case["alertname"]
            assert bool(case["exp_alerts"]) == (kind is not None and kind[1] == "fires")


def mutants(rule: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the rule with one thing wrong, in every way that a threshold or a duration goes wrong."""
    expr: str = rule["expr"]
    swaps = {" > ": " >= ", " <= ": " < ", " == 0": " == 1"}
    made = [
        (f"{old.strip()} at {found.start()}", {"expr": expr[: found.start()] + new + expr[found.end() :]})
        for old, new in swaps.items()
        for found in re.finditer(re.escape(old), expr)
    ]
    made += [(f"for: {change}", {"for": change}) for change in ("1s", "10h")]
    return [(what, {**rule, **change}) for what, change in made]


@pytest.mark.parametrize(
    ("name", "what", "mutant"),
    [
        pytest.param(name, what, mutant, id=f"{name}: {what}")
        for name, rule in ALERTS.items()
        for what, mutant in mutants(rule)
    ],
)
def test_a_rule_that_is_slightly_wrong_fails_its_tests(
    name: str, what: str, mutant: dict[str, Any], tmp_path: Path
) -> None:
    """The promtool tests see > turned into >=, a wrong sign and a wrong duration: they guard the numbers."""
    rules = tmp_path / "rules" / "live-segments.yml"
    rules.parent.mkdir()
    rules.write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [mutant]}]}), encoding="utf-8")
    (tmp_path / "tests").mkdir()
    shutil.copy(TESTS / f"{name}.yml", tmp_path / "tests")

    ran = promtool("test", "rules", tmp_path / "tests" / f"{name}.yml", cwd=tmp_path)

    # "alertname:" tells a wrong alert from a file that could not be read
    assert f"alertname: {name}," in ran.stderr, f"{name}: nothing notices {what}"


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_is_complete(name: str) -> None:
    """A name with our prefix, a duration, a severity, a text with its numbers, and its runbook."""
    rule = ALERTS[name]
    description = rule["annotations"]["description"]

    assert name.startswith("LiveSegments")
    assert re.fullmatch(r"\d+[smh]", rule["for"])
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"]
    number, unit = re.fullmatch(r"(\d+)([smh])", rule["for"]).groups()  # type: ignore[union-attr]  # asserted above
    duration = {"s": "second", "m": "minute", "h": "hour"}[unit]
    assert f"for {number} {duration}" in description, "the description names the duration"
    assert rule["annotations"]["runbook_url"] == f"ops/runbooks/{name}.md"


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_has_a_runbook(name: str) -> None:
    """The runbook says what it means for others, where to look, and when it is over."""
    text = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")

    assert text.startswith(f"# {name}\n")
    assert f"Severity: {ALERTS[name]['labels']['severity']}." in text
    for heading in ("## What it means for others", "## Look", "## Over when"):
        assert heading in text


def test_nothing_is_left_over() -> None:
    """A runbook or a test without its alert is a name that somebody forgot to change."""
    assert set(ALERTS) == {path.stem for path in RUNBOOKS.glob("*.md")}
    assert set(ALERTS) == {path.stem for path in TESTS.glob("*.yml")}


def test_every_metric_that_operations_name_exists() -> None:
    """Rules, their tests and the runbooks speak of metrics that a worker exports, with labels it sets."""
    series = {name for metric in METRICS for name in metric.series}
    used = {
        (path.name, name)
        for path in [*RULES.glob("*.yml"), *TESTS.glob("*.yml"), *RUNBOOKS.glob("*.md")]
        for name in re.findall(r"live_segments_\w+", path.read_text(encoding="utf-8"))
    }

    assert used
    assert [(where, name) for where, name in used if name not in series] == []


def test_every_label_in_the_promtool_tests_exists() -> None:
    """A test with a label that no worker sets would pass on data that can't occur."""
    labels = {name: {*metric.labels, "instance", "le"} for metric in METRICS for name in metric.series}
    for path in TESTS.glob("*.yml"):
        for found in re.finditer(r"(live_segments_\w+)\{([^}]*)\}", path.read_text(encoding="utf-8")):
            assert set(re.findall(r"(\w+)=", found[2])) <= labels[found[1]], f"{path.name}: {found[0]}"


def test_every_setting_that_a_runbook_names_exists() -> None:
    """A runbook is read in a hurry: the setting it names is there."""
    known = {row.env for row in SETTINGS}
    for path in RUNBOOKS.glob("*.md"):
        named = set(re.findall(r"\bLIVE_SEGMENTS_[A-Z_]+", path.read_text(encoding="utf-8")))
        assert named <= known, path.name

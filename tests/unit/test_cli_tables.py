"""`settings` and `features`: whole, readable, and the same for programs."""

from __future__ import annotations

import json
import os

import pytest

from models.features import CLUSTERED, FEATURES
from streams.cli import main
from streams.cli.options import FORMATS
from streams.cli.output import markdown, shown
from streams.cli.program import THREADS
from streams.settings import SETTINGS
from streams.shop import formats


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a machine where one setting is set."""
    for name in [name for name in os.environ if name.startswith(("LIVE_SEGMENTS_", "KAFKA_"))]:
        monkeypatch.delenv(name)
    for name in THREADS:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("LIVE_SEGMENTS_PARTITIONS", "16")
    monkeypatch.setenv("LIVE_SEGMENTS_ERASURE_KEY", "hidden-from-view")


def test_settings_for_people_show_value_and_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Every variable is there, with its value, and its default where that differs; secrets are hidden."""
    assert main(["settings"]) == 0

    out = capsys.readouterr().out
    assert all(f"{row.env}=" in out for row in SETTINGS)
    assert "LIVE_SEGMENTS_PARTITIONS=16  (default 8)\n" in out
    assert "LIVE_SEGMENTS_SEED=42\n" in out
    assert "hidden-from-view" not in out


def test_settings_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """One line of JSON with name, variable, value, default, meaning and what is allowed."""
    assert main(["settings", "--json"]) == 0

    out = capsys.readouterr().out
    assert out.count("\n") == 1
    rows = {row["name"]: row for row in json.loads(out)}
    assert [row.name for row in SETTINGS] == list(rows)
    assert (rows["partitions"]["value"], rows["partitions"]["default"]) == (16, 8)
    assert rows["erasure_key"]["value"] == "***"


def test_settings_for_the_readme_do_not_depend_on_the_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table in Markdown holds defaults, so the page is the same everywhere."""
    assert main(["settings", "--markdown"]) == 0
    here = capsys.readouterr().out
    monkeypatch.delenv("LIVE_SEGMENTS_PARTITIONS")
    assert main(["settings", "--markdown"]) == 0

    assert here == capsys.readouterr().out
    assert "| `LIVE_SEGMENTS_PARTITIONS` | `8` |" in here
    assert len(here.splitlines()) == len(SETTINGS) + 2


@pytest.mark.parametrize("option", ["--json", "--markdown", None])
def test_features_are_all_there(option: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    """Each form names each feature of the registry."""
    assert main(["features", *([option] if option else [])]) == 0

    out = capsys.readouterr().out
    assert all(feature.name in out for feature in FEATURES)
    assert option is not None or max(map(len, out.splitlines())) <= 80
    if option == "--json":
        assert [f.name for f in CLUSTERED] == [row["name"] for row in json.loads(out) if row["clustered"]]


def test_the_formats_on_the_command_line_are_those_that_can_be_read() -> None:
    """The list is written twice, because help must not load the readers."""
    assert list(formats.FORMATS) == list(FORMATS)


def test_a_bar_in_a_cell_does_not_break_the_table() -> None:
    """Markdown would take it for the end of the cell."""
    assert markdown(("a",), [("x|y",)]).splitlines()[-1] == "| x\\|y |"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "yes"), (False, "no"), (1234567, "1,234,567"), (1234.5, "1,234.50"), (0.0, "0.00")],
)
def test_values_are_shown_for_people(value: object, text: str) -> None:
    """Numbers have separators and two decimals."""
    assert shown(value) == text

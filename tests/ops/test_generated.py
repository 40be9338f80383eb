"""The tables in the docs are those that the commands print."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from streams.metrics import table

ROOT = Path(__file__).parents[2]
PAGE = "# Metrics\n\n<!-- generated: python -m streams.metrics --table -->\n{}<!-- end -->\n\nThe end.\n"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generated", ROOT / "ops" / "generated.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Return a folder with one page whose table is out of date."""
    (tmp_path / "streams").symlink_to(ROOT / "streams")
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("No table here.\n", encoding="utf-8")
    (tmp_path / "docs" / "metrics.md").write_text(PAGE.format("old\n"), encoding="utf-8")
    return tmp_path


def test_a_page_out_of_date_is_named_and_left_alone(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Checking never writes."""
    assert load().main(["--check"], house) == 1

    assert capsys.readouterr().err == "out of date: docs/metrics.md; run: python ops/generated.py --write\n"
    assert (house / "docs" / "metrics.md").read_text(encoding="utf-8") == PAGE.format("old\n")


def test_writing_renews_the_table_and_nothing_else(house: Path) -> None:
    """After writing, the page holds what the command prints, and the check is content."""
    assert load().main(["--write"], house) == 0

    assert (house / "docs" / "metrics.md").read_text(encoding="utf-8") == PAGE.format(f"\n{table()}\n")
    assert load().main(["--check"], house) == 0


@pytest.mark.parametrize("command", ["rm -rf x", "python -c 'raise SystemExit(3)'"])
def test_a_command_that_is_not_ours_or_fails_stops_the_check(house: Path, command: str) -> None:
    """A page can't run any program, and a table that can't be made is no empty table."""
    page = f"<!-- generated: {command} -->\n<!-- end -->\n"
    (house / "README.md").write_text(page, encoding="utf-8")

    with pytest.raises(SystemExit, match="generated: "):
        load().main(["--check"], house)


def test_the_shipped_pages_are_up_to_date() -> None:
    """What the README says is what the program does."""
    assert load().main(["--check"]) == 0

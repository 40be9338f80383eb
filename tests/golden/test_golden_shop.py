"""A seeded shop ends as the golden file says; `python -m tests.golden` writes it anew, on purpose only."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.golden.shop import FILE, outcome

TOLERANCES = {
    # counts and money are whole numbers everywhere: the design promises them to the last digit
    "input": (0, 0.0),
    "model_version": (0, 0.0),
    # segments come out of floating point: another processor may put a customer at a border elsewhere
    "behaviour": (3, 0.02),
    "audiences": (2, 0.01),
    "changes": (6, 0.02),
}
"""Section to the difference that is allowed in each figure: so many, or this share if that is more."""


@pytest.fixture(scope="module")
def found() -> Any:
    """Give what comes of the shop now."""
    return outcome()


@pytest.fixture(scope="module")
def golden() -> Any:
    """Give what came of it when the file was written."""
    return orjson.loads(FILE.read_bytes())


def figures(section: Any, name: str = "") -> dict[str, float]:
    """Return the figures of a section by path."""
    if isinstance(section, dict):
        return {
            path: x for key, part in section.items() for path, x in figures(part, f"{name}/{key}").items()
        }
    return {name: section}


@pytest.mark.parametrize("section", TOLERANCES)
def test_figures_are_those_of_the_golden_file(section: str, found: Any, golden: Any) -> None:
    """Each figure is within the tolerance of its section; one that is new or gone counts from 0."""
    number, share = TOLERANCES[section]
    now, then = figures(found[section]), figures(golden[section])
    off = {
        path: (then.get(path, 0), now.get(path, 0))
        for path in now.keys() | then.keys()
        if abs(now.get(path, 0) - then.get(path, 0)) > max(number, share * then.get(path, 0))
    }

    assert off == {}, "path: (golden, now)"


def test_segments_have_the_names_of_the_golden_file(found: Any, golden: Any) -> None:
    """Ids and names of the behaviour segments are stable."""
    assert found["names"] == golden["names"]


def test_the_shop_is_worth_a_look(golden: Any) -> None:
    """The file holds something of everything: most segments, audiences and causes have customers."""
    assert golden["model_version"] >= 3
    assert sum(size > 0 for size in golden["behaviour"].values()) >= 7
    assert sum(size > 0 for size in golden["audiences"].values()) >= 14
    causes = {path.rsplit(" ", 1)[1] for path in golden["changes"]}
    assert {"event", "time", "model"} <= causes

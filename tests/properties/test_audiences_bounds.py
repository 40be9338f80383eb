"""What conditions answer between two times lies within their bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.audiences.bounds import bounds_of
from models.audiences.columns import Inputs
from models.audiences.expressions import Logical, Not
from models.audiences.grammar import read
from models.audiences.program import Output, Program
from tests.audience_samples import AUDIENCES, COLUMNS, CONDITIONS, NUMBERS, ROW, SLOTS, Table

MOVING = ("aa", "bb", "tt")
"""Columns that move, in their own directions; a code of a text may too."""
BETWEEN = st.lists(
    st.tuples(*(st.floats(0, 1) | st.sampled_from(NUMBERS) for _ in MOVING)), min_size=1, max_size=12
)
"""Per look, where each column is: a share of its way, or a number of conditions, if it is on the way."""


def condition(text: str) -> Logical:
    found, _ = read(text, COLUMNS, AUDIENCES)
    assert found is not None, text
    return found


def with_ends(row: dict[str, Any], ends: tuple[float, ...]) -> tuple[Inputs, Inputs, np.ndarray[Any, Any]]:
    """Return a row at both ends, and its memberships: what is unknown stays unknown."""
    table = Table([row])
    first = table.inputs()
    moved = {
        name: np.where(np.isnan(first.columns[name]), np.nan, end)
        for name, end in zip(MOVING, ends, strict=True)
    }
    return first, Inputs({**first.columns, **moved}, 1, first.books), table.members()


def at(first: Inputs, last: Inputs, places: tuple[float, ...]) -> Inputs:
    """Return the row somewhere between the ends."""
    columns = dict(first.columns)
    for name, place in zip(MOVING, places, strict=True):
        a, b = float(first.columns[name][0]), float(last.columns[name][0])
        low, high = min(a, b), max(a, b)
        number = place if low <= place <= high else low + (high - low) * min(max(place, 0.0), 1.0)
        columns[name] = np.array([min(max(number, low), high)]) if not np.isnan(a) else np.array([np.nan])
    return Inputs(columns, 1, first.books)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(CONDITIONS, ROW, st.tuples(*(st.sampled_from(NUMBERS) for _ in MOVING)), BETWEEN)
def test_every_answer_on_the_way_lies_within_the_bounds(
    text: str, row: dict[str, Any], ends: tuple[float, ...], looks: list[tuple[float, ...]]
) -> None:
    """What is sure is so at every look, and what is so at a look is possible, unless the row is doubtful."""
    node = condition(text)
    program = Program([Output(0, 0, node), Output(1, 17, Not(node))], 2, SLOTS)
    first, last, members = with_ends(row, ends)
    found = bounds_of(program, first, last, members)
    assert not (found.sure & ~found.possible)[:, ~found.doubtful].any()
    if found.doubtful[0]:
        return

    for look in [(0.0,) * len(MOVING), *looks]:
        answers = program.run(at(first, last, look), members)
        assert not (found.sure & ~answers).any(), (text, look)
        assert not (answers & ~found.possible).any(), (text, look)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(CONDITIONS, ROW)
def test_bounds_are_the_answer_where_nothing_moves(text: str, row: dict[str, Any]) -> None:
    node = condition(text)
    program = Program([Output(0, 0, node), Output(1, 17, Not(node))], 2, SLOTS)
    table = Table([row])
    inputs, members = table.inputs(), table.members()

    answers = program.run(inputs, members)
    same = Inputs({name: column.copy() for name, column in inputs.columns.items()}, 1, inputs.books)
    for other in (inputs, same):
        found = bounds_of(program, inputs, other, members)
        if not found.doubtful[0]:
            assert np.array_equal(found.sure, answers)
            assert np.array_equal(found.possible, answers)
    assert not bounds_of(program, inputs, inputs, members).doubtful.any()


def test_bounds_are_close_for_the_conditions_that_audiences_are_made_of() -> None:
    """A limit that is not reached, a factor, another column, a side that cannot hold: all are told."""
    row = dict.fromkeys([*COLUMNS, *AUDIENCES], 0.0) | {"tt": None, "uu": None, "aa": 10.0, "bb": 4.0}
    first, last, members = with_ends(row, (11.0, 5.0, np.nan))
    for text, sure, possible in (
        ("aa > 9", True, True),
        ("aa > 12", False, False),
        ("aa > 10.5", False, True),
        ("aa * 24 > 239", True, True),
        ("aa > 2 * bb", False, True),
        ("aa > 1.9 * bb", True, True),
        ("aa / NULLIF(bb, 0) > 1.9", True, True),
        ("aa > 10.5 AND cc > 0", False, False),
        ("aa > 10.5 OR cc = 0", True, True),
        ("tt IS NULL", True, True),
        ("ABS(aa - bb) >= 4.9", True, True),
        ("COALESCE(aa, 0) < 9.9", False, False),
        ("aa IN (3, 12)", False, False),
        ("aa IN (3, 10.5)", False, True),
        ("NULLIF(cc, 0) IS NULL", True, True),
    ):
        program = Program([Output(0, 0, condition(text))], 1, SLOTS)
        found = bounds_of(program, first, last, members)
        answer = bool(found.sure[0, 0]), bool(found.possible[0, 0]), bool(found.doubtful[0])
        assert answer == (sure, possible, False), text


def test_a_divisor_that_passes_through_nothing_leaves_a_doubt() -> None:
    row = dict.fromkeys([*COLUMNS, *AUDIENCES], 0.0) | {"tt": None, "uu": None, "aa": -1.0, "bb": 1.0}
    first, last, members = with_ends(row, (1.0, 1.0, np.nan))
    for text in ("bb / NULLIF(aa, 0) > 0", "NULLIF(aa, 0) > 0", "bb / NULLIF(aa * aa, 0) < 0"):
        assert bounds_of(Program([Output(0, 0, condition(text))], 1, SLOTS), first, last, members).doubtful[0]

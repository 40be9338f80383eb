"""A condition means the same to the compiled program, to polars, and row by row."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.audiences.columns import Inputs, TextCodes
from models.audiences.expressions import Logical, Not, sql
from models.audiences.grammar import read
from models.audiences.machine_kernel import BLOCK
from models.audiences.program import Output, Program
from models.audiences.single import truth
from tests.audience_samples import AUDIENCES, COLUMNS, CONDITIONS, ROW, SLOTS, SOUP, TABLES, Table


def condition(text: str) -> Logical:
    found, errors = read(text, COLUMNS, AUDIENCES)
    assert found is not None, (text, [error.message for error in errors])
    return found


def by_polars(text: str, table: Table) -> list[bool | None]:
    """Return what polars makes of the very same text."""
    return table.frame.with_columns(pl.sql_expr(text).alias("answer"))["answer"].to_list()


def by_program(node: Logical, table: Table) -> list[bool | None]:
    """Return true where the program finds it true, false where it finds its opposite true, else NULL."""
    program = Program([Output(0, 0, node), Output(1, 17, Not(node))], 2, SLOTS)
    true, false = program.run(table.inputs(), table.members())
    assert not (true & ~np.uint32(1)).any()
    assert not (false & ~np.uint32(1 << 17)).any()
    assert not ((true > 0) & (false > 0)).any()
    return [True if yes else False if no else None for yes, no in zip(true, false, strict=True)]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(CONDITIONS, TABLES)
def test_the_program_and_plain_python_answer_as_polars_does(text: str, table: Table) -> None:
    node = condition(text)

    expected = by_polars(text, table)
    assert expected == by_program(node, table), text
    assert expected == [truth(node, row) for row in table.rows], text


@settings(max_examples=100, deadline=None, derandomize=True)
@given(CONDITIONS)
def test_the_text_of_a_condition_reads_as_the_same_condition(text: str) -> None:
    node = condition(text)

    assert condition(sql(node)) == node


@settings(max_examples=600, deadline=None, derandomize=True)
@given(SOUP, TABLES)
@example("aa > 1 IS NULL", Table([]))
@example("+ tt = 'DE'", Table([]))
@example("aa NOT IS NOT NULL", Table([]))
@example("ff ISNULL", Table([]))
@example("aa > 1_000", Table([]))
@example("aa > 1; DROP", Table([]))
def test_what_looks_like_a_condition_is_refused_or_means_what_it_means_to_polars(
    text: str, table: Table
) -> None:
    """No text is taken that polars refuses or reads otherwise: parsers differ in what binds more closely.

    Caught a sign before a text, which sqlglot drops, and ISNULL, which polars takes for a name.
    """
    found, errors = read(text, COLUMNS, AUDIENCES)
    assert (found is None) == bool(errors)
    if found is None:
        return

    assert by_polars(text, table) == by_program(found, table), text


@settings(max_examples=30, deadline=None, derandomize=True)
@given(CONDITIONS, TABLES.filter(lambda table: len(table.rows) > 2), st.integers(-2, 2))
def test_blocks_of_rows_are_answered_as_single_rows(text: str, table: Table, more: int) -> None:
    node, size = condition(text), 2 * BLOCK + more
    program = Program([Output(0, 0, node), Output(0, 31, Not(node))], 1, SLOTS)
    index = np.arange(size) % len(table.rows)

    few = program.run(table.inputs(), table.members())
    many = program.run(table.inputs().take(index), table.members()[index])
    assert np.array_equal(few[:, index], many)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.lists(CONDITIONS, min_size=1, max_size=6),
    st.lists(ROW, min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_partitions_with_other_codes_for_texts_change_nothing(
    texts: list[str], rows: list[dict[str, Any]], random: Random
) -> None:
    """Many rules at once, on rows of two partitions, are as each rule alone on rows of one."""
    table = Table(rows)
    nodes = [condition(text) for text in texts]
    program = Program([Output(0, bit, node) for bit, node in enumerate(nodes)], 1, SLOTS)
    owner = np.array([random.randrange(2) for _ in rows], np.intp)
    books = [TextCodes(), TextCodes({("other", str(i)): i for i in range(1, 4)})]
    columns = dict(table.inputs().columns)
    for column in (COLUMNS["tt"], COLUMNS["uu"]):
        columns[column.name] = np.array(
            [
                books[of].encode(column.namespace, [row[column.name]])[0]
                for of, row in zip(owner.tolist(), rows, strict=True)
            ]
        )

    mask = program.run(Inputs(columns, len(rows), books, owner), table.members())[0]

    for bit, node in enumerate(nodes):
        alone = [answer is True for answer in by_program(node, table)]
        assert alone == ((mask >> np.uint32(bit)) & 1 > 0).tolist()

"""Conditions in words, as they turned out for a customer: figures and their limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import takewhile
from typing import TypeAlias

from models.audiences.answers import Table
from models.audiences.columns import Column, Kind
from models.audiences.expressions import (
    Compare,
    FirstNumber,
    Flag,
    IsNull,
    Logical,
    Member,
    Number,
    NumberIn,
    TextIn,
    columns_of,
    members_of,
)
from models.audiences.figures import (
    MAX_DECIMALS,
    STRICT,
    apart,
    beside,
    decimals_of,
    number,
    shown,
    worded,
)
from models.audiences.formulas import Formula, plain
from models.audiences.single import Value

Say: TypeAlias = Callable[[Table, Sequence[int], bool | None], Sequence[str]]
"""Returns a condition in words for customers at some places of a table; it holds for all of them, or none."""

APART = {*STRICT, worded("<>", holds=True)}
"""Words after which a figure has the decimals that tell it from its limit."""
REMEMBERED = 512
"""Figures of a condition that are kept in words: counts come again and again."""


def sayer(node: Logical) -> Say:  # noqa: PLR0911 - a case for each kind of condition
    """Return a function that puts a condition without parts into words."""
    match node:
        case Compare():
            return _compared(node)
        case Flag(column):
            return _of_column(column, lambda value, _: f"{column.label}: {shown(value, column.unit)}")
        case Member(audience, name):
            return lambda table, at, _: [f"{'in' if table[name][i] else 'not in'} {audience}" for i in at]
        case TextIn(column, names):
            return _of_column(column, lambda value, holds: _among(column, names, value, holds))
        case NumberIn(Column() as column, limits):
            texts = [shown(limit, column.unit) for limit in limits]
            return _of_column(column, lambda value, holds: _among(column, texts, value, holds))
        case IsNull(Column() as column) | IsNull(Flag(column)):
            return _of_column(column, lambda value, _: f"{column.label} {shown(value, column.unit)}")
        case _:
            return _of_parts(node)


def _compared(node: Compare) -> Say:
    made = plain(node)
    match made:
        case Compare(op, Column() as column, Number(limit)):
            own = {node.left, node.right} == {made.left, made.right}
            return _of_column(column, _Comparison(column, op, limit, derived=not own))
        case Compare(op, FirstNumber((Column() as column, Number(instead))), Number(limit)):
            return _of_column(column, _Comparison(column, op, limit, instead=instead))
        case _:
            return _of_formula(made)


def _of_column(column: Column, words: Callable[[Value, bool | None], str]) -> Say:
    """Return a sayer that reads one column, and remembers what it said of a value."""
    name, remembered = column.name, lru_cache(REMEMBERED, typed=True)(words)

    def say(table: Table, at: Sequence[int], holds: bool | None) -> Sequence[str]:
        values = table[name]
        return [remembered(values[i], holds) for i in at]

    return say


class _Comparison:
    """A column against a limit, with as many decimals as it takes to tell a figure from it.

    Args:
        column: whose values they are.
        op: how they are compared.
        limit: what with.
        derived: the limit is not as in the condition.
        instead: what counts where the value is unknown; None: nothing does.
    """

    def __init__(
        self, column: Column, op: str, limit: float, *, derived: bool = False, instead: float | None = None
    ) -> None:
        self._label, self._unit, self._limit = column.label, column.unit, limit
        self._derived = derived
        first = decimals_of(column.unit)
        self._exact = number(limit, column.unit, max(first, MAX_DECIMALS))
        texts = (number(limit, column.unit, decimals) for decimals in range(first, MAX_DECIMALS))
        self._decimals = first + sum(1 for _ in takewhile(self._exact.__ne__, texts))
        self._words = {holds: worded(op, holds=holds) for holds in (True, False)}
        self._unknown = f"{column.label} unknown"
        if instead is not None:
            self._unknown += f" (counted as {shown(instead, column.unit)})"

    def __call__(self, value: Value, holds: bool | None) -> str:
        """Return it in words."""
        if value is None or isinstance(value, str):
            return self._unknown
        word, figure = self._words[bool(holds)], float(value)
        if self._derived:
            text, limit = beside(figure, self._limit, self._unit, word)
            return f"{self._label} {text} ({limit})"
        text = (
            apart(figure, self._limit, self._unit)
            if word in APART
            else number(figure, self._unit, self._decimals)
        )
        return f"{self._label} {text} ({word}{self._exact})" if word else f"{self._label} {text}"


def _among(column: Column, texts: Sequence[str], value: Value, holds: bool | None) -> str:
    now = f"{column.label} {shown(value, column.unit)}"
    return now if holds or value is None else f"{now} (not {' or '.join(texts)})"


def _of_formula(node: Compare) -> Say:
    """Return a sayer of a comparison that calculates; where a side is unknown, of its columns."""
    formula, unknown = Formula(node), _of_parts(node)

    def say(table: Table, at: Sequence[int], holds: bool | None) -> Sequence[str]:
        return [formula.say(table, i, holds=bool(holds)) or unknown(table, [i], holds)[0] for i in at]

    return say


def _of_parts(node: Logical) -> Say:
    """Return a sayer of a condition by what it is made of, as SQL is not for everybody."""
    says = [_of_plain(column) for column in dict.fromkeys(columns_of(node))]
    says += [sayer(member) for member in members_of(node)]

    def say(table: Table, at: Sequence[int], holds: bool | None) -> Sequence[str]:
        found = [each(table, at, holds) for each in says]
        return [", ".join(parts) for parts in zip(*found, strict=True)]

    return say


def _of_plain(column: Column) -> Say:
    return _of_column(column, lambda value, _: _plain(column, value))


def _plain(column: Column, value: Value) -> str:
    """Return a column and its value, with as many decimals as it takes to tell it from 0."""
    if column.kind is not Kind.NUMBER or not isinstance(value, int | float):
        return f"{column.label}{':' if column.kind is Kind.BOOLEAN else ''} {shown(value, column.unit)}"
    return f"{column.label} {apart(value, 0.0, column.unit, MAX_DECIMALS)}"

"""Conditions in words, as they turned out for a customer: figures and their limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

from models.audiences.answers import Table
from models.audiences.columns import Column, Kind
from models.audiences.expressions import (
    Compare,
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
from models.audiences.single import Value

Say: TypeAlias = Callable[[Table, Sequence[int], bool | None], Sequence[str]]
"""Returns a condition in words for customers at some places of a table; it holds for all of them, or none."""

MAX_TEXT_CHARS = 40
"""Characters shown of a text."""
MAX_DECIMALS = 6
"""Decimals shown at most where a figure and its limit would look the same otherwise."""
FINEST = 9
"""The same of figures whose limits a condition compares them with: so fine is a millisecond in days."""
REMEMBERED = 512
"""Figures of a condition that are kept in words: counts come again and again."""

_DECIMALS = {"money": 2, "share": 1, "days": 1, "minutes": 1, "years": 0}
_OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def sayer(node: Logical) -> Say:  # noqa: PLR0911 - a case for each kind of condition
    """Return a function that puts a condition without parts into words."""
    match node:
        case Compare(op, Column() as column, Number(limit)):
            return _of_column(column, _Comparison(column, op, limit))
        case Compare(op, Number(limit), Column() as column):
            turned = op.translate(str.maketrans("<>", "><")) if op != "<>" else op
            return _of_column(column, _Comparison(column, turned, limit))
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


def _of_column(column: Column, words: Callable[[Value, bool | None], str]) -> Say:
    """Return a sayer that reads one column, and remembers what it said of a value."""
    name, remembered = column.name, lru_cache(REMEMBERED, typed=True)(words)

    def say(table: Table, at: Sequence[int], holds: bool | None) -> Sequence[str]:
        values = table[name]
        return [remembered(values[i], holds) for i in at]

    return say


def shown(value: Value, unit: str) -> str:
    """Return a value as people write it, `unknown` for NULL."""
    if value is None:
        return "unknown"
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT_CHARS else value[: MAX_TEXT_CHARS - 1] + "…"
    if unit == "flag" or isinstance(value, bool):
        return "yes" if value else "no"
    return _number(value, unit, _DECIMALS.get(unit, 2))


class _Comparison:
    """A column against a limit, with as many decimals as it takes to tell a figure from it."""

    def __init__(self, column: Column, op: str, limit: float) -> None:
        self._label, self._unit, self._limit = column.label, column.unit, limit
        self._first = first = _DECIMALS.get(column.unit, 2)
        self._rounded = [_number(limit, column.unit, decimals) for decimals in range(first, FINEST + 1)]
        exact = _number(limit, column.unit, max(first, MAX_DECIMALS))
        self._words = {True: f"{op} {exact}", False: f"{_OPPOSITE[op]} {exact}"}

    def __call__(self, value: Value, holds: bool | None) -> str:
        """Return it in words."""
        if value is None or isinstance(value, str):
            return f"{self._label} unknown"
        return f"{self._label} {self._figure(float(value))} {self._words[bool(holds)]}"

    def _figure(self, value: float) -> str:
        for decimals, limit in enumerate(self._rounded, self._first):
            text = _number(value, self._unit, decimals)
            if text != limit or value == self._limit:
                break
        return text


def _number(value: float, unit: str, decimals: int) -> str:
    scaled = value * 100 if unit == "share" else value
    text = f"{scaled:,.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if unit == "money" and "." in text:
        text += "0" * (3 - len(text[text.index(".") :]))
    text = "0" if text == "-0" else text
    return f"{text} %" if unit == "share" else text


def _among(column: Column, texts: Sequence[str], value: Value, holds: bool | None) -> str:
    now = f"{column.label} {shown(value, column.unit)}"
    return now if holds or value is None else f"{now}, not {' or '.join(texts)}"


def _of_parts(node: Logical) -> Say:
    """Return a sayer of a condition that calculates: what it calculates with, as SQL is not for everybody."""
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
    for decimals in range(_DECIMALS.get(column.unit, 2), MAX_DECIMALS + 1):
        text = _number(value, column.unit, decimals)
        if text != _number(0, column.unit, decimals):
            break
    return f"{column.label} {text}"

"""Comparisons that calculate, in words: `days since last order 70 (above 2 × days between orders: 60)`."""

from __future__ import annotations

from collections.abc import Sequence

from models.audiences.answers import Table, names_of
from models.audiences.columns import Column
from models.audiences.expressions import (
    Absolute,
    Arithmetic,
    Compare,
    FirstNumber,
    Negative,
    NullIf,
    Number,
    Numeric,
    columns_of,
    number_text,
)
from models.audiences.figures import beside, worded
from models.audiences.single import measurer

_SIGNS = {"+": "+", "-": "-", "*": "\u00d7", "/": "\u00f7"}
_TURNED = str.maketrans("<>", "><")


def turned(node: Compare) -> Compare:
    """Return a comparison with its sides exchanged."""
    op = node.op if node.op == "<>" else node.op.translate(_TURNED)
    return Compare(op, node.right, node.left)


def plain(node: Compare) -> Compare:
    """Return a comparison such that a figure comes first, and its limit is a number where it can be.

    `60 < days` is `days > 60`, and `days * 24 > 1` is `days > 1 / 24`.
    """
    if not any(columns_of(node.left)) or (
        isinstance(node.right, Column) and not isinstance(node.left, Column)
    ):
        node = turned(node)
    match node:
        case Compare(op, Arithmetic("*", Column() as column, Number(by)), Number(limit)) if _may(op, by):
            return _divided(op, column, limit, by)
        case Compare(op, Arithmetic("*", Number(by), Column() as column), Number(limit)) if _may(op, by):
            return _divided(op, column, limit, by)
        case _:
            return node


def _may(op: str, by: float) -> bool:
    """Return whether both sides may be divided: what is equal may not be after that, by a last digit."""
    return by != 0 and op not in {"=", "<>"}


def _divided(op: str, column: Column, limit: float, by: float) -> Compare:
    divided = Compare(op, column, Number(limit / by))
    return divided if by > 0 else Compare(op.translate(_TURNED), column, divided.right)


class Formula:
    """A comparison with calculations, as it turned out for customers.

    Args:
        node: as `plain` gives it.
    """

    def __init__(self, node: Compare) -> None:
        self._op = node.op
        self._left, self._right = measurer(node.left), measurer(node.right)
        self._called = words(node.left)
        self._limit = "" if isinstance(node.right, Number) else f"{words(node.right)}: "
        self._unit = _joint(_unit(node.left), _unit(node.right)) or "number"
        self._names = names_of(node)

    def say(self, table: Table, i: int, *, holds: bool) -> str | None:
        """Return it in words for the customer at a place of a table, None when a side is unknown."""
        row = {name: table[name][i] for name in self._names}
        left, right = self._left(row), self._right(row)
        if left is None or right is None:
            return None
        word = worded(self._op, holds=holds) or ("equal to " if self._limit else "")
        figure, limit = beside(left, right, self._unit, word, self._limit)
        return f"{self._called} {figure} ({limit})" if word else f"{self._called} {figure}"


def words(node: Numeric) -> str:  # noqa: PLR0911 - a case for each kind of node
    """Return an expression in words: the labels of its columns, with signs between."""
    match node:
        case Column():
            return node.label
        case Number(value):
            return number_text(value)
        case Arithmetic(op, left, right):
            return f"{_inner(left)} {_SIGNS[op]} {_inner(right)}"
        case Negative(operand):
            return f"-{_inner(operand)}"
        case Absolute(operand):
            return f"size of {_inner(operand)}"
        case NullIf(operand):
            return words(operand)
        case FirstNumber(operands):
            return words(operands[0])


def _inner(node: Numeric) -> str:
    text = words(node)
    return f"({text})" if isinstance(node, Arithmetic) else text


def _unit(node: Numeric) -> str | None:
    """Return the unit of an expression, None for numbers, which take any."""
    match node:
        case Column():
            return node.unit
        case Number():
            return None
        case Arithmetic(op, left, right):
            scaled = op in {"+", "-"} or isinstance(right, Number) or (op == "*" and isinstance(left, Number))
            return _joint(_unit(left), _unit(right)) if scaled else "number"
        case Negative(operand) | Absolute(operand) | NullIf(operand):
            return _unit(operand)
        case FirstNumber(operands):
            return _joint(*map(_unit, operands))


def _joint(*units: str | None) -> str | None:
    """Return the one unit, `number` for several."""
    found: Sequence[str] = list(dict.fromkeys(unit for unit in units if unit is not None))
    return "number" if len(found) > 1 else next(iter(found), None)

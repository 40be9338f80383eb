"""Conditions on one customer, in plain Python: for explanations, and a second opinion on the program.

A condition is made into a function once and asked for many customers: records of changes tell of each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from operator import eq, ge, gt, le, lt, ne
from typing import TypeAlias

from models.audiences.columns import Column
from models.audiences.expressions import (
    Absolute,
    And,
    Arithmetic,
    Compare,
    Constant,
    FirstNumber,
    FirstTruth,
    Flag,
    IsNull,
    Logical,
    Member,
    Negative,
    Not,
    NullIf,
    Number,
    NumberIn,
    Numeric,
    Or,
    Same,
    TextIn,
)

Value: TypeAlias = float | str | bool | None
Row: TypeAlias = Mapping[str, Value]
"""Values by column, NaN and None for NULL; memberships by `columns.reference` of the audience's id."""
Ask: TypeAlias = Callable[[Row], bool | None]
"""Returns whether a condition holds for a customer, None for unknown."""
Measure: TypeAlias = Callable[[Row], float | None]
"""Returns the value of a number for a customer, None for unknown."""

COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "=": eq,
    "<>": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}
"""Comparisons of known numbers by operator."""


def known(value: Value) -> Value:
    """Return a value, None for NaN."""
    return None if value != value else value  # noqa: PLR0124 - NaN is not itself


def truth(node: Logical, row: Row) -> bool | None:
    """Return whether a condition holds, None for unknown."""
    return asker(node)(row)


def asker(node: Logical) -> Ask:  # noqa: C901, PLR0911 - a case for each kind of node
    """Return a condition as a function."""
    match node:
        case Constant(value):
            return lambda _row: value
        case Flag(column):
            return _flag(column.name)
        case Member(_, name):
            return lambda row: bool(row[name])
        case Not(operand):
            return _negated(asker(operand))
        case And() | Or():
            return _joined([asker(operand) for operand in node.operands], settles=isinstance(node, Or))
        case Compare():
            return _compared(node)
        case NumberIn(operand, values):
            return _among(measurer(operand), frozenset(values))
        case TextIn(column, texts):
            return _one_of(column.name, frozenset(texts))
        case IsNull(operand):
            value_of = _valuer(operand)
            return lambda row: value_of(row) is None
        case Same(left, right):
            return _same(asker(left), asker(right))
        case FirstTruth():
            return _first_truth([asker(operand) for operand in node.operands])


def measurer(node: Numeric) -> Measure:
    """Return a number as a function."""
    match node:
        case Number(value):
            return lambda _row: value
        case Column():
            return _column(node.name)
        case Arithmetic(op, left, right):
            return _arithmetic(op, measurer(left), measurer(right))
        case Negative() | Absolute():
            apply: Callable[[float], float] = float.__neg__ if isinstance(node, Negative) else abs
            return _mapped(apply, measurer(node.operand))
        case NullIf(operand, value):
            return _null_if(measurer(operand), value)
        case FirstNumber():
            return _first_number([measurer(operand) for operand in node.operands])


def _valuer(node: Numeric | Logical) -> Callable[[Row], Value]:
    if isinstance(node, Column):
        name = node.name
        return lambda row: known(row[name])
    if isinstance(node, Number | Arithmetic | Negative | Absolute | NullIf | FirstNumber):
        return measurer(node)
    return asker(node)


# ---- conditions ---------------------------------------------------------------------------------------
def _flag(name: str) -> Ask:
    def ask(row: Row) -> bool | None:
        value = row[name]
        return None if value is None or value != value else bool(value)  # noqa: PLR0124 - NaN is not itself

    return ask


def _negated(inner: Ask) -> Ask:
    def ask(row: Row) -> bool | None:
        answer = inner(row)
        return None if answer is None else not answer

    return ask


def _joined(operands: Sequence[Ask], *, settles: bool) -> Ask:
    def ask(row: Row) -> bool | None:
        unknown = False
        for operand in operands:
            answer = operand(row)
            if answer is settles:
                return settles
            unknown = unknown or answer is None
        return None if unknown else not settles

    return ask


def _compared(node: Compare) -> Ask:
    compare = COMPARE[node.op]
    if isinstance(node.left, Column) and isinstance(node.right, Number):
        name, limit = node.left.name, node.right.value

        def ask_column(row: Row) -> bool | None:
            value = row[name]
            if value is None or isinstance(value, str) or value != value:  # noqa: PLR0124 - NaN is not itself
                return None
            return compare(value, limit)

        return ask_column
    left_of, right_of = measurer(node.left), measurer(node.right)

    def ask(row: Row) -> bool | None:
        left, right = left_of(row), right_of(row)
        return None if left is None or right is None else compare(left, right)

    return ask


def _among(measure: Measure, values: frozenset[float]) -> Ask:
    def ask(row: Row) -> bool | None:
        value = measure(row)
        return None if value is None else value in values

    return ask


def _one_of(name: str, texts: frozenset[str]) -> Ask:
    def ask(row: Row) -> bool | None:
        text = known(row[name])
        return None if text is None else text in texts

    return ask


def _same(left_of: Ask, right_of: Ask) -> Ask:
    def ask(row: Row) -> bool | None:
        left, right = left_of(row), right_of(row)
        return None if left is None or right is None else left is right

    return ask


def _first_truth(operands: Sequence[Ask]) -> Ask:
    def ask(row: Row) -> bool | None:
        return next((answer for operand in operands if (answer := operand(row)) is not None), None)

    return ask


# ---- numbers ------------------------------------------------------------------------------------------
def _column(name: str) -> Measure:
    def measure(row: Row) -> float | None:
        value = known(row[name])
        return float(value) if isinstance(value, int | float) else None

    return measure


def _arithmetic(op: str, left_of: Measure, right_of: Measure) -> Measure:
    def measure(row: Row) -> float | None:
        left, right = left_of(row), right_of(row)
        if left is None or right is None:
            return None
        if op == "+":
            result = left + right
        elif op == "-":
            result = left - right
        else:
            result = left * right if op == "*" else left / right
        return None if math.isnan(result) else result

    return measure


def _mapped(apply: Callable[[float], float], inner: Measure) -> Measure:
    def measure(row: Row) -> float | None:
        value = inner(row)
        return None if value is None else apply(value)

    return measure


def _null_if(inner: Measure, nothing: float) -> Measure:
    def measure(row: Row) -> float | None:
        value = inner(row)
        return None if value == nothing else value

    return measure


def _first_number(operands: Sequence[Measure]) -> Measure:
    def measure(row: Row) -> float | None:
        return next((value for operand in operands if (value := operand(row)) is not None), None)

    return measure

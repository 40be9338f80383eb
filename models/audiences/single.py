"""Conditions on one customer, in plain Python: for explanations, and a second opinion on the program."""

from __future__ import annotations

import math
from collections.abc import Mapping
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


_COMPARE = {"=": eq, "<>": ne, "<": lt, "<=": le, ">": gt, ">=": ge}


def known(value: Value) -> Value:
    """Return a value, None for NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value


def truth(node: Logical, row: Row) -> bool | None:  # noqa: C901, PLR0911 - a case for each kind of node
    """Return whether a condition holds, None for unknown."""
    match node:
        case Constant():
            return node.value
        case Flag():
            value = known(row[node.column.name])
            return None if value is None else bool(value)
        case Member():
            return bool(row[node.name])
        case Not():
            inner = truth(node.operand, row)
            return None if inner is None else not inner
        case And() | Or():
            settles = isinstance(node, Or)
            answers = [truth(operand, row) for operand in node.operands]
            return settles if settles in answers else None if None in answers else not settles
        case Compare():
            return _compared(node.op, number(node.left, row), number(node.right, row))
        case NumberIn():
            value = number(node.operand, row)
            return None if value is None else value in node.values
        case TextIn():
            text = known(row[node.column.name])
            return None if text is None else text in node.texts
        case IsNull():
            return value_of(node.operand, row) is None
        case Same():
            left, right = truth(node.left, row), truth(node.right, row)
            return None if left is None or right is None else left is right
        case FirstTruth():
            answers = [truth(operand, row) for operand in node.operands]
            return next((answer for answer in answers if answer is not None), None)


def number(node: Numeric, row: Row) -> float | None:
    """Return the value of a number, None for unknown."""
    match node:
        case Number():
            return node.value
        case Column():
            value = known(row[node.name])
            return float(value) if isinstance(value, int | float) else None
        case Arithmetic():
            return _arithmetic(node.op, number(node.left, row), number(node.right, row))
        case Negative() | Absolute():
            inner = number(node.operand, row)
            return None if inner is None else -inner if isinstance(node, Negative) else abs(inner)
        case NullIf():
            inner = number(node.operand, row)
            return None if inner == node.value else inner
        case FirstNumber():
            values = (number(operand, row) for operand in node.operands)
            return next((value for value in values if value is not None), None)


def value_of(node: Numeric | Logical, row: Row) -> Value:
    """Return the value of any expression, None for unknown."""
    if isinstance(node, Column):
        return known(row[node.name])
    if isinstance(node, Number | Arithmetic | Negative | Absolute | NullIf | FirstNumber):
        return number(node, row)
    return truth(node, row)


def _compared(op: str, left: float | None, right: float | None) -> bool | None:
    if left is None or right is None:
        return None
    return bool(_COMPARE[op](left, right))


def _arithmetic(op: str, left: float | None, right: float | None) -> float | None:
    if left is None or right is None:
        return None
    if op == "+":
        result = left + right
    elif op == "-":
        result = left - right
    else:
        result = left * right if op == "*" else left / right
    return None if math.isnan(result) else result

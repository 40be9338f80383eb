"""The reason for a change of an audience as one sentence, with figures and their limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from models.audiences.columns import Column
from models.audiences.explanation import Ground
from models.audiences.expressions import Compare, Flag, IsNull, Logical, Member, Number, NumberIn, TextIn, sql
from models.audiences.single import Value

MAX_GROUNDS = 3
"""Conditions that a sentence names at most."""
MAX_TEXT_CHARS = 40
"""Characters shown of a text."""
MAX_DECIMALS = 6
"""Decimals shown at most where a figure and its limit would look the same otherwise."""
CIRCUMSTANCES: Mapping[str, str] = {
    "event": "",
    "time": " as time passed",
    "model": " because the segments were recalculated",
    "definition": " because the definition of the audience changed",
}
"""What a cause adds to the sentence."""

_DECIMALS = {"money": 2, "share": 1, "days": 1, "minutes": 1, "years": 0}
_OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def sentence(name: str, found: Sequence[Ground], *, entered: bool, cause: str) -> str:
    """Return one sentence.

    Args:
        name: of the audience.
        found: what decided, the most telling first.
        entered: entered, not left.
        cause: `event`, `time`, `model` or `definition`.

    Example:
        `Entered Lapsed as time passed: days since last order 60.1 > 60, money (365 days) 812.50 >= 500.`
    """
    happened = f"{'Entered' if entered else 'Left'} {name}{CIRCUMSTANCES[cause]}"
    phrases = list(dict.fromkeys(phrase(ground) for ground in found))[:MAX_GROUNDS]
    return f"{happened}: {', '.join(phrases)}." if phrases else f"{happened}."


def phrase(ground: Ground) -> str:  # noqa: PLR0911 - a case for each kind of condition
    """Return a condition in words, as it turned out."""
    node, holds = ground.node, ground.holds
    values = {name: value for name, value, _ in ground.values}
    match node:
        case Compare(op, Column() as column, Number(limit)):
            return _compared(column, op, limit, values[column.name], holds)
        case Compare(op, Number(limit), Column() as column):
            turned = op.translate(str.maketrans("<>", "><")) if op != "<>" else op
            return _compared(column, turned, limit, values[column.name], holds)
        case Flag(column):
            return f"{column.label}: {shown(values[column.name], column.unit)}"
        case Member(audience, name):
            return f"{'in' if values[name] else 'not in'} {audience}"
        case TextIn(column, names):
            return _among(column, names, values[column.name], holds)
        case NumberIn(Column() as column, limits):
            texts = [shown(limit, column.unit) for limit in limits]
            return _among(column, texts, values[column.name], holds)
        case IsNull(Column() as column) | IsNull(Flag(column)):
            return f"{column.label} {shown(values[column.name], column.unit)}"
        case _:
            return _other(node, holds)


def shown(value: Value, unit: str) -> str:
    """Return a value as people write it, `unknown` for NULL."""
    if value is None:
        return "unknown"
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT_CHARS else value[: MAX_TEXT_CHARS - 1] + "…"
    if unit == "flag" or isinstance(value, bool):
        return "yes" if value else "no"
    return _number(value, unit, _DECIMALS.get(unit, 2))


def _compared(column: Column, op: str, limit: float, value: Value, holds: bool | None) -> str:
    if value is None or isinstance(value, str):
        return f"{column.label} unknown"
    left, right = _figures(float(value), limit, column.unit)
    return f"{column.label} {left} {op if holds else _OPPOSITE[op]} {right}"


def _figures(value: float, limit: float, unit: str) -> tuple[str, str]:
    """Return a figure and its limit with as many decimals as it takes to tell them apart."""
    first = _DECIMALS.get(unit, 2)
    for decimals in range(first, MAX_DECIMALS + 1):
        left = _number(value, unit, decimals)
        if left != _number(limit, unit, decimals) or value == limit:
            break
    return left, _number(limit, unit, max(first, MAX_DECIMALS))


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


def _other(node: Logical, holds: bool | None) -> str:
    return f"{sql(node)} is {'unknown' if holds is None else 'true' if holds else 'false'}"

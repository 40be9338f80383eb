"""Values and limits of conditions as people write them."""

from __future__ import annotations

from collections.abc import Mapping

from models.audiences.single import Value

MAX_TEXT_CHARS = 40
"""Characters shown of a text."""
MAX_DECIMALS = 6
"""Decimals shown at most where a figure and its limit would look the same otherwise."""
FINEST = 9
"""The same of figures whose limits a condition compares them with: so fine is a millisecond in days."""
COARSEST = 0.01
"""Part of a limit that it may be rounded by when it is calculated, such as 1 ÷ 24."""

_DECIMALS = {"money": 2, "share": 1, "days": 1, "minutes": 1, "years": 0}
_OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
WORDS: Mapping[str, str] = {"<": "below ", "<=": "at most ", ">": "above ", ">=": "at least ", "<>": "not "}
"""Comparisons; what equals its limit needs no word."""


def worded(op: str, *, holds: bool) -> str:
    """Return what stands between a figure and its limit, by how a comparison turned out; empty: equal."""
    return WORDS.get(op if holds else _OPPOSITE[op], "")


def shown(value: Value, unit: str) -> str:
    """Return a value as people write it, `unknown` for NULL."""
    if value is None:
        return "unknown"
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT_CHARS else value[: MAX_TEXT_CHARS - 1] + "…"
    if unit == "flag" or isinstance(value, bool):
        return "yes" if value else "no"
    return number(value, unit, decimals_of(unit))


def decimals_of(unit: str) -> int:
    """Return how many decimals figures have that nothing is compared with."""
    return _DECIMALS.get(unit, 2)


def number(value: float, unit: str, decimals: int) -> str:
    """Return a number with so many decimals at most, and its unit if that is short."""
    scaled = value * 100 if unit == "share" else value
    text = f"{scaled:,.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if unit == "money" and "." in text:
        text += "0" * (3 - len(text[text.index(".") :]))
    text = "0" if text == "-0" else text
    return f"{text} %" if unit == "share" else text


def apart(value: float, other: float, unit: str, most: int = FINEST) -> tuple[str, int]:
    """Return a figure with as many decimals as it takes to tell it from another, and their number."""
    first = decimals_of(unit)
    text, decimals = "", first
    for decimals in range(first, most + 1):
        text = number(value, unit, decimals)
        if value == other or text != number(other, unit, decimals):
            break
    return text, decimals


def calculated(limit: float, unit: str, decimals: int) -> str:
    """Return a limit that was calculated: its first digits, no fewer decimals than the figure beside it."""
    scaled = abs(limit * 100 if unit == "share" else limit)
    while decimals < FINEST and abs(round(scaled, decimals) - scaled) > COARSEST * scaled:
        decimals += 1
    return number(limit, unit, decimals)

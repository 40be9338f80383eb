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


STRICT = frozenset((WORDS["<"], WORDS[">"]))
"""Words after which a figure must not look like its limit."""


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


def apart(value: float, other: float, unit: str, most: int = FINEST) -> str:
    """Return a figure with as many decimals as it takes to tell it from another."""
    first = decimals_of(unit)
    text = ""
    for decimals in range(first, most + 1):
        text = number(value, unit, decimals)
        if value == other or text != number(other, unit, decimals):
            break
    return text


def beside(value: float, limit: float, unit: str, word: str, called: str = "") -> tuple[str, str]:
    """Return a figure, and a word with a limit that was calculated, by its first digits.

    Args:
        value: the figure.
        limit: has any number of digits, such as 1 / 24; where both look the same the word says `just`.
        unit: of both.
        word: how they compare, see `worded`.
        called: what the limit is, before its figure.
    """
    scaled, decimals = abs(limit * 100 if unit == "share" else limit), decimals_of(unit)
    while decimals < FINEST and abs(round(scaled, decimals) - scaled) > COARSEST * scaled:
        decimals += 1
    figure = apart(value, limit, unit, decimals)
    text = number(limit, unit, decimals)
    just = "just " if figure == text and word in STRICT else ""
    return figure, f"{just}{word}{called}{text}"

"""Columns of values as JSON texts, one each: one call of the encoder for all, and a cut between the texts.

Where a text holds what the cut is made at, its column is encoded value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson

OPTIONS = orjson.OPT_SERIALIZE_NUMPY


def json_of(value: object) -> str:
    """Return a value as JSON; NaN and infinite numbers are null."""
    return orjson.dumps(value, option=OPTIONS).decode()


def insides(strings: Sequence[str]) -> list[str]:
    """Return each string as JSON without its quotes."""
    text = json_of(strings)
    if "\\" in text:  # a quote inside, perhaps
        return [json_of(string)[1:-1] for string in strings]
    return text[2:-2].split('","') if strings else []


def scalars(values: Sequence[object]) -> list[str]:
    """Return each string, number, truth value or None as JSON; NaN and infinite numbers are null."""
    texts = json_of(values)[1:-1].split(",")
    return texts if len(texts) == len(values) else [json_of(value) for value in values]


def lists_inside(lists: Sequence[Sequence[object]], encode: Callable[[object], bytes]) -> list[str]:
    """Return each list of objects as JSON by an encoder, without its brackets."""
    texts = encode(lists).decode()[2:-2].split("],[")
    if len(texts) != len(lists):  # one is inside a text
        return [encode(one).decode()[1:-1] for one in lists]
    return texts

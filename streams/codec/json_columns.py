"""Columns of values as JSON texts, one each: one call of the encoder for all, and a cut between the texts.

Where a text holds what the cut is made at, its column is encoded value by value.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

OPTIONS = orjson.OPT_SERIALIZE_NUMPY


def json_of(value: object) -> str:
    """Return a value as JSON; NaN and infinite numbers are null."""
    return orjson.dumps(value, option=OPTIONS).decode()


def scalars(values: Sequence[object]) -> list[str]:
    """Return each string, number, truth value or None as JSON; NaN and infinite numbers are null."""
    texts = json_of(values)[1:-1].split(",")
    return texts if len(texts) == len(values) else [json_of(value) for value in values]


def strings(values: Sequence[str]) -> list[str]:
    """Return each string as JSON without its quotes."""
    text = json_of(values)
    if "\\" in text:  # a quote inside, perhaps
        return [json_of(value)[1:-1] for value in values]
    return text[2:-2].split('","') if values else []

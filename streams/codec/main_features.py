"""The main features of a customer as JSON: made once for their changes and for what they are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NewType

from streams.codec.json_columns import json_of, scalars
from streams.codec.output_records import FIXED_PROPERTIES, Scalar

Json = NewType("Json", str)
"""A JSON object of scalars."""
NO_FEATURES = Json("{}")


def features_json(features: Mapping[str, Scalar]) -> Json:
    """Return one customer's features; names of fixed properties of a change record are left out."""
    return features_of({name: [value] for name, value in features.items()}, 1)[0]


def features_of(columns: Mapping[str, Sequence[Scalar]], size: int) -> list[Json]:
    """Return the features of `size` customers, from a column for each.

    NaN and infinite numbers are null; names of fixed properties of a change record are left out.
    """
    shown = {name: values for name, values in columns.items() if name not in FIXED_PROPERTIES}
    if not shown:
        return [NO_FEATURES] * size
    form = "{" + ",".join([f"{json_of(name).replace('%', '%%')}:%s" for name in shown]) + "}"
    return [Json(form % row) for row in zip(*map(scalars, shown.values()), strict=True)]

"""The main features of a customer as JSON: made once for their changes and for what they are in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NewType

from streams.codec.json_columns import json_of
from streams.codec.output_records import FIXED_PROPERTIES, Scalar
from streams.codec.pieces import Pieces, join

Json = NewType("Json", str)
"""A JSON object of scalars."""
NO_FEATURES = Json("{}")


def features_json(features: Mapping[str, Scalar]) -> Json:
    """Return one customer's features; names of fixed properties of a change record are left out.

    NaN and infinite numbers are null.
    """
    return Json(json_of({name: value for name, value in features.items() if name not in FIXED_PROPERTIES}))


def features_of(columns: Mapping[str, Pieces], n: int) -> Pieces:
    """Return the features of n customers without the braces around them, from a column of JSON for each.

    Names of fixed properties of a change record are left out.
    """
    pieces: list[Pieces | str] = []
    for name, values in columns.items():
        if name not in FIXED_PROPERTIES:
            pieces += [f"{',' if pieces else ''}{json_of(name)}:", values]
    return Pieces.packed(join(n, *pieces))

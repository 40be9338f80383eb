"""Features as records show them: plain Python values, a column at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.events import F64
from models.features import Feature, View
from models.names import Names
from streams.codec.main_features import Json, features_of
from streams.codec.output_records import Scalar

DECIMALS = 6
"""Of figures in records."""


def plain(feature: Feature, values: F64, books: Sequence[Names], *, exact: bool = False) -> list[Scalar]:
    """Return a feature's values (n,) as plain ones, None for unknown.

    Args:
        feature: says what the values are.
        values: (n,) NaN for unknown, codes of names.
        books: (n,) dictionaries of the names; of names only.
        exact: as conditions see them, not rounded.
    """
    if feature.namespace is not None:
        return _names(feature.namespace, values, books)
    unknown = np.isnan(values)
    if feature.unit == "flag":
        found: list[Scalar] = (values != 0).tolist()
    elif feature.unit == "count":
        found = _counts(np.where(unknown, 0.0, values), exact=exact)
    else:
        found = _figures(values, exact=exact)
    if unknown.any():
        for i in np.flatnonzero(unknown).tolist():
            found[i] = None
    return found


def _figures(values: F64, *, exact: bool) -> list[Scalar]:
    found: list[Scalar] = (values if exact else np.round(values, DECIMALS)).tolist()
    return found


def _counts(values: F64, *, exact: bool) -> list[Scalar]:
    whole = values == np.trunc(values)
    if whole.all():
        found: list[Scalar] = values.astype(np.int64).tolist()
        return found
    figures = _figures(values, exact=exact)
    return [
        int(value) if is_whole else value  # type: ignore[arg-type] # figures are numbers
        for value, is_whole in zip(figures, whole.tolist(), strict=True)
    ]


def _names(namespace: str, values: F64, books: Sequence[Names]) -> list[Scalar]:
    codes = np.where(np.isnan(values), 0, values).astype(np.int64).tolist()
    return [book.name(namespace, code) if code else None for code, book in zip(codes, books, strict=True)]


def main_features(view: View, main: Sequence[Feature], books: Sequence[Names]) -> list[Json]:
    """Return the main features of the n customers of a view, with the dictionaries (n,) of their names."""
    return features_of({one.name: plain(one, view.column(one), books) for one in main}, len(view.r))

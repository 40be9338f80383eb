"""Features as records show them: plain Python values, a column at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.events import F64
from models.features import Feature, View
from models.names import Names
from streams.codec.json_columns import scalars
from streams.codec.main_features import features_of
from streams.codec.output_records import Scalar
from streams.codec.pieces import Pieces
from streams.deciding.distinct import distinct

Books: TypeAlias = Sequence[Names]
"""The dictionaries of names of some partitions."""

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


def main_features(view: View, main: Sequence[Feature], owner: NDArray[np.intp], books: Books) -> Pieces:
    """Return the main features of the n customers of a view, as `features_of` does.

    Args:
        view: the customers.
        main: which features.
        owner: (n,) places of their dictionaries of names in `books`.
        books: the dictionaries.
    """
    return features_of({one.name: _json(view, one, owner, books) for one in main}, len(view.r))


def _json(view: View, feature: Feature, owner: NDArray[np.intp], books: Books) -> Pieces:
    """Return a feature's values (n,) as JSON."""
    values = view.column(feature)
    if feature.namespace is not None:
        return _names_json(feature.namespace, values, owner, books)
    unknown = np.isnan(values)
    if feature.unit == "flag":
        return Pieces.one_of(["false", "true", "null"], np.where(unknown, 2, values != 0))
    if feature.unit != "count":
        return Pieces.numbers(np.round(values, DECIMALS))
    whole = np.where(unknown, 0.0, values)
    if not (whole == np.trunc(whole)).all():
        return Pieces.of(scalars(plain(feature, values, ())))
    return Pieces.numbers(whole.astype(np.int64)).but(unknown, b"null")


def _names_json(namespace: str, values: F64, owner: NDArray[np.intp], books: Books) -> Pieces:
    codes = np.where(np.isnan(values), 0, values).astype(np.int64)
    known, which = distinct(owner << 32 | codes)
    names = [
        books[place >> 32].name(namespace, place & 0xFFFFFFFF) if place & 0xFFFFFFFF else None
        for place in known
    ]
    return Pieces.of(scalars(names)).at(which)  # others next time: not to be remembered

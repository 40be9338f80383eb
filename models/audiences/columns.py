"""The columns that conditions may name: features, the behaviour segment, and the other audiences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.events import F64, I64
from models.features import FEATURES, Feature
from models.names import FIXED

BEHAVIOUR_SEGMENT = "behaviour_segment"
"""Text column: id of the behaviour segment that the customer holds, such as `b-3`; NULL for none."""
BEHAVIOUR_SEGMENT_NAME = "behaviour_segment_name"
"""Text column: its name in the model in force."""


class Kind(Enum):
    """The type of an expression."""

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "yes/no"


@dataclass(frozen=True, slots=True)
class Column:
    """A column that conditions may name.

    Attributes:
        name: as written in conditions.
        kind: its type.
        label: for people.
        unit: as of a feature: `money`, `share`, `days`, ...
        namespace: of a text column, the dictionary of its codes.
        texts: of a text column, all that it can be, if that is known beforehand.
    """

    name: str
    kind: Kind
    label: str
    unit: str = "number"
    namespace: str = ""
    texts: tuple[str, ...] = ()


def column_of(feature: Feature) -> Column:
    """Return the column of a feature: `name` features are texts, `flag` features yes/no, others numbers."""
    if feature.namespace is not None:
        texts = FIXED.get(feature.namespace, ())
        return Column(feature.name, Kind.TEXT, feature.label, feature.unit, feature.namespace, texts)
    kind = Kind.BOOLEAN if feature.unit == "flag" else Kind.NUMBER
    return Column(feature.name, kind, feature.label, feature.unit)


def catalogue(features: Iterable[Feature] = FEATURES) -> dict[str, Column]:
    """Return the columns by name: features, and the behaviour segment's id and name."""
    columns = [
        *map(column_of, features),
        Column(BEHAVIOUR_SEGMENT, Kind.TEXT, "behaviour segment", "name", BEHAVIOUR_SEGMENT),
        Column(BEHAVIOUR_SEGMENT_NAME, Kind.TEXT, "behaviour segment", "name", BEHAVIOUR_SEGMENT_NAME),
    ]
    return {column.name: column for column in columns}


def reference(audience_id: str) -> str:
    """Return the name of the yes/no column that says whether a customer is in an audience.

    It is `is_<id>` with `_` for `-`: `is_high_value` for `high-value`. Ids hold no `_`, so no two share one.
    """
    return "is_" + audience_id.replace("-", "_")


class Lookup(Protocol):
    """Finds the code of a text in a namespace."""

    def __call__(self, namespace: str, text: str, /) -> float:
        """Return the code, at least 1; NaN when the text has none and so is in no row."""
        ...


@dataclass(slots=True)
class Inputs:
    """n rows as columns, to evaluate conditions on.

    Attributes:
        columns: (n,) float64 each, by name: numbers as they are, yes/no as 1 or 0, texts as codes; NaN: NULL.
        size: n.
        books: finds the codes of texts; one for all rows, or one for each partition that rows come from.
        owner: (n,) index into `books`; None when there is one.
    """

    columns: Mapping[str, F64]
    size: int
    books: Sequence[Lookup] = ()
    owner: NDArray[np.intp] | None = None

    def take(self, index: NDArray[np.intp]) -> Inputs:
        """Return the rows at `index`, in that order."""
        owner = None if self.owner is None else self.owner[index]
        return Inputs({k: v[index] for k, v in self.columns.items()}, len(index), self.books, owner)


@dataclass(slots=True)
class TextCodes:
    """Codes for the texts of columns that come as strings: files, previews, tests."""

    codes: dict[tuple[str, str], int] = field(default_factory=dict)

    def encode(self, namespace: str, texts: Sequence[str | None]) -> F64:
        """Return the code of each text, NaN for None; (n,). A new text gets the next code."""
        known = self.codes
        found = [
            np.nan if text is None else known.setdefault((namespace, text), len(known) + 1) for text in texts
        ]
        return np.array(found, np.float64)

    def __call__(self, namespace: str, text: str, /) -> float:
        """Return the code of a text, NaN when it has none."""
        return self.codes.get((namespace, text), np.nan)


def seconds(time_ms: I64) -> I64:
    """Return epoch milliseconds as whole seconds, rounded down; same shape."""
    return time_ms // 1000

"""What conditions of audiences see of customers: features as columns, names as codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.audiences import BEHAVIOUR_SEGMENT, BEHAVIOUR_SEGMENT_NAME, Inputs
from models.clusterer import Model
from models.events import F64, I64
from models.features import BY_NAME, View
from models.value import ValueModel
from streams.partition import Partition


class Book:
    """Codes of the texts that a condition names, in one partition."""

    def __init__(self, part: Partition, model: Model | None) -> None:
        self._names = part.names
        self._numbers = numbers_by_name(model)

    def __call__(self, namespace: str, text: str, /) -> float:
        """Return the code of a text; NaN when no customer of the partition can have it."""
        if namespace == BEHAVIOUR_SEGMENT:
            number = text.removeprefix("b-")
            return float(number) if number != text and number.isdecimal() else np.nan
        if namespace == BEHAVIOUR_SEGMENT_NAME:
            return float(self._numbers.get(text, np.nan))
        code = self._names.find(namespace, text)
        return np.nan if code is None else float(code)


def numbers_by_name(model: Model | None) -> dict[str, int]:
    """Return the number of each behaviour segment by its name, the smallest of those that share one."""
    segments = [] if model is None else sorted(model.segments, key=lambda info: -info.number)
    return {info.name: info.number for info in segments}


def value_of(model: Model | None) -> ValueModel | None:
    """Return what customers are valued by where a model is in force."""
    return None if model is None else model.value


def inputs_of(
    names: Iterable[str],
    view: View,
    numbers: I64,
    parts: Sequence[Partition],
    owner: NDArray[np.intp],
    model: Model | None,
) -> Inputs:
    """Return customers as conditions see them.

    Args:
        names: the columns.
        view: the n customers.
        numbers: (n,) number of the behaviour segment that each holds, 0 for none.
        parts: their partitions.
        owner: (n,) index into `parts`.
        model: in force, all theirs.
    """
    names = tuple(names)
    view.read([BY_NAME[name] for name in names if name in BY_NAME])
    columns = {name: _column(name, view, numbers, model) for name in names}
    return Inputs(columns, len(numbers), [Book(part, model) for part in parts], owner)


def _column(name: str, view: View, numbers: I64, model: Model | None) -> F64:
    if name == BEHAVIOUR_SEGMENT:
        return np.where(numbers > 0, numbers.astype(np.float64), np.nan)
    if name == BEHAVIOUR_SEGMENT_NAME:
        first = numbers_by_name(model)
        names = {} if model is None else {info.number: first[info.name] for info in model.segments}
        return np.array([float(names.get(number, np.nan)) for number in numbers.tolist()])
    return view.column(BY_NAME[name])

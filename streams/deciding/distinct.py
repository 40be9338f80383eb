"""The different ones among few values that recur."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def distinct(values: NDArray[np.integer]) -> tuple[list[int], NDArray[np.intp]]:
    """Return the different values, by their first places, and which of them each (n,) is.

    For some hundreds of values as quick as NumPy's `unique`, for a few ten times as quick.
    """
    places: dict[int, int] = {}
    which = [places.setdefault(value, len(places)) for value in values.tolist()]
    return [*places], np.array(which, np.intp)

"""Rank passes: the i-th event of every customer that has one, one array operation for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def passes(
    start: NDArray[np.intp], order: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield (customers, events) of each rank pass.

    Args:
        start: (g,) first position of each customer's events in `order`.
        order: (n,) the events, sorted by customer.
    """
    count = np.diff(np.append(start, len(order)))
    by_count = np.argsort(-count, kind="stable")
    many = np.searchsorted(-count[by_count], -np.arange(count.max(initial=0)), side="left")
    for rank, size in enumerate(many.tolist()):
        groups = by_count[:size]
        yield groups, order[start[groups] + rank]

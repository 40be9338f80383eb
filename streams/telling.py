"""What events tell of interests, compiled."""

from __future__ import annotations

import numpy as np

from models.compiled import compiled, kernel
from models.events import F64, I32, I64, U8

VIEW_WEIGHT = 1.0
LINE_WEIGHT = 3.0
"""An order line tells three times as much of an interest as a view."""
MAX_INTERESTS = 40
"""Pairs of category and brand that one order tells of, the most frequent first: each is a pass of its own."""


@kernel
def told(
    kind: U8, category: I32, brand: I32, event: I64, line_category: I32, line_brand: I32, view: int
) -> tuple[I32, I64, I32, I32, F64]:
    """Return what n events tell: of a view its category and brand, of an order those of its m lines.

    The lines of an order that name the same category and brand are one entry.

    Args:
        kind: (n,)
        category: (n,) of a view, as a number, 0 for none.
        brand: (n,) in the same way.
        event: (m,) index of the event that the line belongs to, ascending.
        line_category: (m,)
        line_brand: (m,)
        view: the kind that is a view.

    Returns:
        (n, 2) spans of the events' entries; and of the entries: the event, category, brand and weight.
    """
    n, m = len(kind), len(event)
    spans, events = np.empty((n, 2), np.int32), np.empty(n + m, np.int64)
    categories, brands, weights = np.empty(n + m, np.int32), np.empty(n + m, np.int32), np.empty(n + m)
    used = line = 0
    for i in range(n):
        start, stop = used, line
        if kind[i] == view and (category[i] != 0 or brand[i] != 0):
            categories[used], brands[used], weights[used] = category[i], brand[i], VIEW_WEIGHT
            used += 1
        while stop < m and event[stop] == i:
            stop += 1
        if stop > line:
            used = _order(line_category[line:stop], line_brand[line:stop], categories, brands, weights, used)
        events[start:used] = i
        spans[i, 0], spans[i, 1] = start, used
        line = stop
    return spans, events[:used], categories[:used], brands[:used], weights[:used]


@compiled
def _order(category: I32, brand: I32, categories: I32, brands: I32, weights: F64, used: int) -> int:
    """Put an order's pairs behind what is used, and return the end.

    The most frequent comes first, and of equal ones that which is named first.
    """
    end = used
    for k in range(len(category)):
        at = used
        while at < end and (categories[at] != category[k] or brands[at] != brand[k]):
            at += 1
        if at == end:
            categories[end], brands[end], weights[end] = category[k], brand[k], 0.0
            end += 1
        weights[at] += LINE_WEIGHT
    kept = used
    for place in range(used, min(end, used + MAX_INTERESTS)):
        _bring(place, place + int(np.argmax(weights[place:end])), categories, brands, weights)
        if categories[place] != 0 or brands[place] != 0:
            categories[kept], brands[kept], weights[kept] = categories[place], brands[place], weights[place]
            kept += 1
    return kept


@compiled
def _bring(to: int, at: int, categories: I32, brands: I32, weights: F64) -> None:
    """Move an entry forward; those that it passes keep their order."""
    category, brand, weight = categories[at], brands[at], weights[at]
    for k in range(at, to, -1):
        categories[k], brands[k], weights[k] = categories[k - 1], brands[k - 1], weights[k - 1]
    categories[to], brands[to], weights[to] = category, brand, weight

"""Counting the customers of segments, one after the other: compiled, see `models.compiled`."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from models.compiled import compiled, kernel
from models.events import I64

Rows: TypeAlias = Any
Row: TypeAlias = Any
Cells: TypeAlias = Any  # an array that is a field of a row

GROUPS = 32
"""Places of groups; those of behaviour segments come behind."""
CODE_BITS = 16
"""Of a pair: the code of the name; the place is above."""
EMPTY = -1
"""In the place of a pair that is none."""
_MIX = 0x9E3779B1
"""Spreads pairs: a product with it is below 2⁶³."""


@kernel
def count(
    rows: Rows,
    index: I64,
    now: I64,
    groups: int,
    silent_ms: int,
    at: int,
    numbers: I64,
    sums: I64,
    used: I64,
    pairs: I64,
) -> int:
    """Add customers from the `at`-th on; return up to which there was room, see `Tally`.

    Args:
        rows: records of dtype `models.profiles.ROW`.
        index: (n,) which of them are the customers.
        now: (n,) epoch milliseconds.
        groups: bit g: audience g counts as group g.
        silent_ms: who was not seen for longer counts as silent.
        at: those before it have been added.
        numbers: (p,) behaviour segments by place.
        sums: (GROUPS + p, c) of each group, then of each behaviour segment.
        used: (3,) behaviour segments there are; pairs of a place and a name, for each kind of name.
        pairs: (2, s, 2) place and name of each kind (or `EMPTY`), how often; s is a power of 2.
    """
    for i in range(at, len(index)):
        if max(used[1], used[2]) + GROUPS >= pairs.shape[1] // 2:
            return i
        r = rows[index[i]]
        place = _place_of(r.behaviour, numbers, used)
        if place < 0:
            return i
        category = _favourite(r.category, r.category_weight)
        brand = _favourite(r.brand, r.brand_weight)
        _add(r, now[i], silent_ms, sums[GROUPS + place])
        used[1] += _count_pair(pairs[0], GROUPS + place, category)
        used[2] += _count_pair(pairs[1], GROUPS + place, brand)
        inside: Any = np.int64(r.audience_bits) & groups
        for group in range(GROUPS):
            if inside >> group & 1:
                _add(r, now[i], silent_ms, sums[group])
                used[1] += _count_pair(pairs[0], group, category)
                used[2] += _count_pair(pairs[1], group, brand)
    return len(index)


@kernel
def spread(kept: I64, pairs: I64) -> None:
    """Put pairs (k, 2), each once, into room (s, 2) for more of them."""
    for i in range(len(kept)):
        _pair_of(pairs, kept[i, 0], kept[i, 1])


@compiled
def _place_of(number: int, numbers: I64, used: I64) -> int:
    """Return the place of a behaviour segment, a new one if need be; -1 where there is none left."""
    for place in range(used[0]):
        if numbers[place] == number:
            return place
    if used[0] == len(numbers):
        return -1
    numbers[used[0]] = number
    used[0] += 1
    return int(used[0]) - 1


@compiled
def _add(r: Row, now: int, silent_ms: int, sums: I64) -> None:
    """Add a customer to sums, in the order of `tally.COLUMNS`."""
    sums[0] += r.orders
    sums[1] += r.sessions
    sums[2] += r.bounces
    sums[3] += r.coupon_orders
    sums[4] += r.campaign_clicks
    sums[5] += r.campaign_orders
    sums[6] += 1
    sums[7] += r.orders > 0
    sums[8] += r.money_gross - r.money_refunded
    sums[9] += r.last_seen > 0 and now - r.last_seen > silent_ms


@compiled
def _favourite(codes: Cells, weights: Cells) -> int:
    """Return the code in the heaviest slot, 0 when there is none."""
    best = 0
    for slot in range(1, len(weights)):
        if weights[slot] > weights[best]:
            best = slot
    return int(codes[best])


@compiled
def _count_pair(pairs: I64, place: int, code: int) -> int:
    """Count a pair, unless the code is 0; return 1 for a new one."""
    return 0 if code == 0 else _pair_of(pairs, np.int64(place) << CODE_BITS | code, 1)


@compiled
def _pair_of(pairs: I64, pair: Any, often: int) -> int:
    """Count a pair so often; return 1 for a new one."""
    last = len(pairs) - 1
    cell = (pair * _MIX >> 20) & last
    while pairs[cell, 0] != pair and pairs[cell, 0] != EMPTY:
        cell = (cell + 1) & last
    new = pairs[cell, 0] == EMPTY
    pairs[cell, 0] = pair
    pairs[cell, 1] += often
    return int(new)

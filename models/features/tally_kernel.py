"""Counting the customers of segments, one after the other: compiled, see `models.compiled`."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.compiled import bare, bare_kernel
from models.events import F64, I64

GROUPS = 32
"""Places of groups; those of behaviour segments come behind."""
CODE_BITS = 16
"""Of a pair: the code of the name; the place is above."""
EMPTY = -1
"""In the place of a pair that is none."""
_MIX = 0x9E3779B1
"""Spreads pairs: a product with it is below 2⁶³."""


@bare_kernel
def count(
    columns: tuple[I64, ...],
    favourites: tuple[F64, ...],
    index: I64,
    now: I64,
    groups: int,
    silent_ms: int,
    at: int,
    numbers: I64,
    sums: I64,
    used: I64,
    pairs: I64,
    one: I64,
) -> int:
    """Add customers from the `at`-th on; return up to which there was room, see `Tally`.

    Args:
        columns: (n,) each, in the order of `tally.READINGS`.
        favourites: (n,) each, codes of the favourite category and brand, 0 for none.
        index: (m,) places of the customers in the columns.
        now: (n,) epoch milliseconds.
        groups: bit g: audience g counts as group g.
        silent_ms: who was not seen for longer counts as silent.
        at: those before it have been added.
        numbers: (p,) behaviour segments by place.
        sums: (GROUPS + p, c) of each group, then of each behaviour segment.
        used: (3,) behaviour segments there are; pairs of a place and a name, for each kind of name.
        pairs: (2, s, 2) place and name of each kind (or `EMPTY`), how often; s is a power of 2.
        one: (c,) for the numbers of a customer.
    """
    orders, sessions, bounces, coupon_orders, campaign_clicks, campaign_orders = columns[:6]
    gross, refunded, last_seen, behaviour, bits = columns[6:]
    for k in range(at, len(index)):
        if max(used[1], used[2]) + GROUPS >= pairs.shape[1] // 2:
            return k
        i = np.uintp(index[k])
        place = _place_of(behaviour[i], numbers, used)
        if place < 0:
            return k
        one[0], one[1], one[2] = orders[i], sessions[i], bounces[i]
        one[3], one[4], one[5] = coupon_orders[i], campaign_clicks[i], campaign_orders[i]
        one[6], one[7], one[8] = 1, orders[i] > 0, gross[i] - refunded[i]
        one[9] = last_seen[i] > 0 and now[i] - last_seen[i] > silent_ms
        category: Any = np.int64(favourites[0][i])
        brand: Any = np.int64(favourites[1][i])
        _add(one, sums, GROUPS + place)
        used[1] += _count_pair(pairs, 0, GROUPS + place, category)
        used[2] += _count_pair(pairs, 1, GROUPS + place, brand)
        inside: Any = bits[i] & groups
        group = 0
        while inside > 0:
            if inside & 1:
                _add(one, sums, group)
                used[1] += _count_pair(pairs, 0, group, category)
                used[2] += _count_pair(pairs, 1, group, brand)
            inside >>= 1
            group += 1
    return len(index)


@bare_kernel
def spread(kept: I64, pairs: I64, kind: int) -> None:
    """Put pairs (k, 2), each once, into room for more of them."""
    for i in range(len(kept)):
        _pair_of(pairs, kind, kept[i, 0], kept[i, 1])


@bare
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


@bare
def _add(one: I64, sums: I64, to: int) -> None:
    """Add a customer to the sums of a place."""
    place = np.uintp(to)
    for c in range(np.uintp(len(one))):
        sums[place, c] += one[c]


@bare
def _count_pair(pairs: I64, kind: int, place: int, code: Any) -> int:
    """Count a pair of a place and the code of a name, unless the code is 0; return 1 for a new one."""
    return 0 if code == 0 else _pair_of(pairs, kind, np.int64(place) << CODE_BITS | code, 1)


@bare
def _pair_of(pairs: I64, kind: int, pair: Any, often: int) -> int:
    """Count a pair so often; return 1 for a new one."""
    last = pairs.shape[1] - 1
    cell: Any = (pair * _MIX >> 20) & last
    while pairs[kind, cell, 0] != pair and pairs[kind, cell, 0] != EMPTY:
        cell = (cell + 1) & last
    new = pairs[kind, cell, 0] == EMPTY
    pairs[kind, cell, 0] = pair
    pairs[kind, cell, 1] += often
    return int(new)

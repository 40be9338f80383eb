"""Figures as sentences show them, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.compiled import compiled, kernel
from models.events import F64, I64, U8

NUMBER, SHARE, MONEY = 0, 1, 2
"""Kinds of figures."""
WIDTH = 24
"""Letters of a figure at most."""
UNSURE = -1
"""In place of a size: the figure is too large, or so near the middle between two texts that only exact
arithmetic tells which is nearer."""
_NUMBER_BOUND, _MONEY_BOUND = 1e15, 1e9
_NUMBER_NEAR, _MONEY_NEAR = 1e-9, 1e-4
_ZERO, _POINT, _COMMA, _MINUS = ord("0"), ord("."), ord(","), ord("-")


@kernel
def figures(values: F64, kinds: U8) -> tuple[U8, I64]:
    """Return n figures as texts, (n, WIDTH) and (n,) sizes; 0 letters for one that is not known.

    Args:
        values: (n,) NaN or infinite where they are not known.
        kinds: (n,) NUMBER, with as many digits as matter; SHARE, the same of per cents, without their sign;
            MONEY, two decimals unless they are zeros.
    """
    texts, sizes = np.empty((len(values), WIDTH), np.uint8), np.zeros(len(values), np.int64)
    for i in range(len(values)):
        value = values[i]
        if not np.isfinite(value):
            continue
        if kinds[i] == MONEY:
            sizes[i] = _money(texts[i], value)
        else:
            sizes[i] = _number(texts[i], value * 100 if kinds[i] == SHARE else value)
    return texts, sizes


@kernel
def named(labels: I64, weights: F64, counts: I64, most: int, least: float) -> I64:
    """Return (m, most) places of the reasons worth naming of m changes, -1 where there is none.

    The first, and others that weigh enough or have no weight; of those that are called the same the first.

    Args:
        labels: (m, r) what the reasons are called, the heaviest first.
        weights: (m, r) NaN for none.
        counts: (m,) how many reasons there are.
        most: how many are named at most.
        least: the least weight but for the first.
    """
    found = np.full((len(counts), most), -1, np.int64)
    for i in range(len(counts)):
        used = 0
        for j in range(counts[i]):
            if used == most:
                break
            again = used > 0 and weights[i, j] < least
            for k in range(used):
                again |= labels[i, found[i, k]] == labels[i, j]
            if not again:
                found[i, used] = j
                used += 1
    return found


@kernel
def alike(texts: U8, sizes: I64, others: U8, other_sizes: I64) -> Any:
    """Return (n,) whether texts are the same as others."""
    same = sizes == other_sizes
    for i in range(len(sizes)):
        for k in range(max(sizes[i], 0) if same[i] else 0):
            if texts[i, k] != others[i, k]:
                same[i] = False
                break
    return same


@compiled
def _number(text: U8, value: Any) -> int:
    """Write a number with as many digits as matter: 62, 3.4, 0.04, 12,500; returns the letters."""
    size = abs(value)
    if size >= _NUMBER_BOUND or (value == 0 and np.signbit(value)):
        return UNSURE
    decimals = 0
    if size < 10 and size != np.floor(size):
        if size < 0.001:
            text[0] = _ZERO
            return 1
        decimals = 1 if size >= 1 else 2 if size >= 0.1 else 3 if size >= 0.01 else 4
    scaled = size * 10.0**decimals
    if abs(scaled - np.floor(scaled) - 0.5) < _NUMBER_NEAR:
        return UNSURE
    digits = np.int64(np.floor(scaled + 0.5))
    while decimals > 0 and digits % 10 == 0:
        digits //= 10
        decimals -= 1
    return _write(text, value < 0, digits, decimals)


@compiled
def _money(text: U8, value: Any) -> int:
    """Write an amount with two decimals, or none when it is round; returns the letters."""
    scaled = abs(value) * 100
    if abs(value) >= _MONEY_BOUND or abs(scaled - np.floor(scaled) - 0.5) < _MONEY_NEAR:
        return UNSURE
    digits = np.int64(np.floor(scaled + 0.5))
    if digits % 100 == 0:
        return _write(text, value < 0 and digits > 0, digits // 100, 0)
    return _write(text, value < 0, digits, 2)


@compiled
def _write(text: U8, minus: Any, digits: Any, decimals: int) -> int:
    """Write a sign, a number with commas between thousands, and its last digits behind a point."""
    least, whole = 10**decimals, digits
    for _ in range(decimals):
        whole //= 10
    rest = digits - whole * least
    width, groups = 1, whole
    while groups >= 10:
        groups //= 10
        width += 1
    size = width + (width - 1) // 3
    at = 0
    if minus:
        text[0] = _MINUS
        at = 1
    for k in range(width):
        place = at + size - 1 - k - k // 3
        text[place] = _ZERO + whole % 10
        whole //= 10
        if k % 3 == 2 and k + 1 < width:
            text[place - 1] = _COMMA
    at += size
    if decimals:
        text[at] = _POINT
        for k in range(decimals):
            text[at + decimals - k] = _ZERO + rest % 10
            rest //= 10
        at += decimals + 1
    return at

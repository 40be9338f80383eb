"""How far customers may come from their segment between two times: compiled, see `models.compiled`.

Rows are worked on in blocks, feature by feature: what is done to a block the compiler turns into vector
instructions. For each row it is the same sums in the same order as row by row.
"""

from __future__ import annotations

import numpy as np

from models.compiled import bare, bare_kernel
from models.events import F64, I64, Bool

BLOCK = 128
"""Rows worked on at a time: a block of a dozen features stays in the first-level cache."""
HALVES = 1.5 * 2.0**52
"""Added and taken away again it rounds, halves to even: numbers of its size are whole."""
SCRATCH = 4
"""Columns beside those of the middle: see `stay`."""


@bare_kernel
def stay(
    first: F64,
    last: F64,
    mean: F64,
    steps: F64,
    most: float,
    step: float,
    centres: F64,
    numbers: I64,
    current: I64,
    margin: float,
    rounding: float,
    scratch: F64,
    held: Bool,
) -> None:
    """Say of rows whether they hold their segments all the way, see `models.steadiness.stays`.

    Args:
        first: (n, d) rows at the one time.
        last: (n, d) at the other.
        mean: (d,) as `most`, `steps` and `step` of `models.clusterer.row_kernels.standardise`.
        steps: (d,)
        most: clips.
        step: size of a grid step.
        centres: (k, d)
        numbers: (k,)
        current: (n,) number held.
        margin: share by which another segment must be nearer.
        rounding: more than distances can be wrong by.
        scratch: (d + SCRATCH, BLOCK) for what is worked on: the middle between the two times, by feature;
            how far it is from its ends, infinitely where one is unknown; the squares of its distances from
            a segment, from the segment held and from the nearest other one.
        held: (n,) receives the answer.
    """
    n, d = first.shape
    reach, apart, own, other = d, d + 1, d + 2, d + 3
    for begin in range(0, n, BLOCK):
        size = min(BLOCK, n - begin)
        scratch[reach, :] = 0.0
        for j in range(d):
            _copy(first, begin, size, j, scratch, own)
            _copy(last, begin, size, j, scratch, other)
            _between(scratch, j, d, mean[j], steps[j], most, step)
        scratch[own, :], scratch[other, :] = np.inf, np.inf
        for k in range(len(numbers)):
            scratch[apart, :] = 0.0
            for j in range(d):
                _add_square(scratch, j, centres[k, j], apart)
            _compare(scratch, numbers[k], current, begin, size, apart)
        _answer(scratch, d, margin, rounding, held, begin, size)


@bare
def _copy(rows: F64, begin: int, size: int, feature: int, scratch: F64, to: int) -> None:
    """Copy a feature of rows to where it lies together."""
    row, j, column = np.uintp(begin), np.uintp(feature), np.uintp(to)
    for i in range(np.uintp(size)):
        scratch[column, i] = rows[row + i, j]


@bare
def _between(scratch: F64, j: int, d: int, mean: float, steps: float, most: float, step: float) -> None:
    """Write the middle of a feature between the two times, and add how far it is from the ends."""
    middle, reach, one, other = np.uintp(j), np.uintp(d), np.uintp(d + 2), np.uintp(d + 3)
    for i in range(np.uintp(BLOCK)):
        a, b = scratch[one, i], scratch[other, i]
        start, end = _on_grid(a, mean, steps, most, step), _on_grid(b, mean, steps, most, step)
        away = abs(end - start) / 2 + (0.0 if a == b else step)  # a last digit may round to the next step
        unknown = (0.0 if a == a else 1.0) - (0.0 if b == b else 1.0)  # noqa: PLR0124 - NaN is unequal to itself
        scratch[reach, i] += away * away if unknown == 0.0 else np.inf
        scratch[middle, i] = (start + end) / 2


@bare
def _add_square(scratch: F64, feature: int, centre: float, apart: int) -> None:
    """Add the squares of how far a feature is from a centre."""
    column, to = np.uintp(feature), np.uintp(apart)
    for i in range(np.uintp(BLOCK)):
        away = scratch[column, i] - centre
        scratch[to, i] += away * away


@bare
def _compare(scratch: F64, number: int, current: I64, begin: int, size: int, apart: int) -> None:
    """Keep the squares of the distances from a segment: of the one held, or of the nearest other one."""
    first, here, own, other = np.uintp(begin), np.uintp(apart), np.uintp(apart + 1), np.uintp(apart + 2)
    for i in range(np.uintp(size)):
        squares, theirs = scratch[here, i], current[first + i] == number
        scratch[own, i] = squares if theirs else scratch[own, i]
        scratch[other, i] = min(scratch[other, i], np.inf if theirs else squares)


@bare
def _answer(scratch: F64, d: int, margin: float, rounding: float, held: Bool, begin: int, size: int) -> None:
    """Say who holds their segment; nobody holds one that the model does not have."""
    reach, own, other, first = np.uintp(d), np.uintp(d + 2), np.uintp(d + 3), np.uintp(begin)
    for i in range(np.uintp(size)):
        far = np.sqrt(scratch[reach, i]) + rounding
        limit = (1.0 - margin) * (np.sqrt(scratch[own, i]) + far)
        held[first + i] = (scratch[own, i] < np.inf) & (np.sqrt(scratch[other, i]) - far > limit)


@bare
def _on_grid(value: float, mean: float, steps: float, most: float, step: float) -> float:
    """Return a value in standard deviations on the grid."""
    away = (value - mean) * steps
    away = away if away == away else 0.0  # noqa: PLR0124 - NaN is unequal to itself
    away = min(max(away, -most), most)
    return float((away + HALVES - HALVES) * step)

"""What conditions can answer between two times at which their columns are known.

A column that only rises, or only falls, lies between its values at the ends. The steps of a compiled program
are carried out on such spans: rounding keeps the order of sums and products, so the span of a result holds
whatever comes out in between. Of an answer it is then known where it is sure, and where it is possible.

Moore, Kearfott and Cloud (2009), "Introduction to Interval Analysis", chapters 2 and 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from models.audiences.columns import Inputs
from models.audiences.program import U32, Program, Step, coalesce, null_if
from models.events import F64, Bool

STRAY = 1e-8
"""Share by which a column that moves may go beyond its ends: no library function is monotone to the last
digit."""

Pair: TypeAlias = tuple[Any, Any]
"""Of numbers, the least and the greatest; of answers, where they are sure and where they are possible. The
same array twice: it does not move."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Answers for n rows, in the masks (m, n) of a program."""

    sure: U32
    """Bits that are set at any time."""
    possible: U32
    """Bits that may be set at some time."""
    doubtful: Bool
    """(n,) rows of which nothing can be said: a number may become unknown or infinite, or the reverse."""


def bounds_of(program: Program, first: Inputs, last: Inputs, members: U32) -> Bounds:
    """Return what a program answers from one time to another.

    Args:
        program: the conditions.
        first: n rows at the one end.
        last: the same rows at the other end; columns that do not move are the arrays of `first`, the others
            only rise or only fall in between, where they are known at all.
        members: (n,) memberships, which do not change in between.
    """
    run = _Run(first.size)
    with np.errstate(all="ignore"):
        registers: list[Pair] = [(register, register) for register in program.registers(first, members)]
        for name, register in program.columns.items():
            if last.columns[name] is not first.columns[name]:
                registers[register] = run.span(first.columns[name], last.columns[name])
        for step in program.steps:
            registers[step.out] = run.step(step, registers)
    sure, possible = (program.packed([pair[i] for pair in registers], first.size) for i in (0, 1))
    return Bounds(sure, possible, run.doubtful)


class _Run:
    """Steps on the spans of n rows."""

    def __init__(self, size: int) -> None:
        self.doubtful: Bool = np.zeros(size, np.bool_)

    def span(self, first: F64, last: F64) -> Pair:
        """Return the span of a column."""
        self.doubtful |= np.isnan(first) != np.isnan(last)
        low, high = np.minimum(first, last), np.maximum(first, last)
        stray = np.where(low < high, STRAY * np.maximum(np.abs(low), np.abs(high)), 0.0)
        return low - stray, high + stray

    def step(self, step: Step, registers: list[Pair]) -> Pair:
        """Return the result of a step."""
        left = registers[step.left]
        right = left if step.right < 0 else registers[step.right]
        if left[0] is left[1] and right[0] is right[1]:
            out: Any = np.empty(len(self.doubtful), np.bool_ if step.logical else np.float64)
            step.apply(*((left[0],) if step.right < 0 else (left[0], right[0])), out)
            return out, out
        if step.apply is null_if:
            return self._null_if(left, right[0])
        found = _ON_SPANS[step.apply](left, right)
        if step.apply in _ARITHMETIC:
            known = ~(np.isnan(left[0]) | np.isnan(right[0]))
            self.doubtful |= known & ~(np.isfinite(found[0]) & np.isfinite(found[1]))
        return found

    def _null_if(self, left: Pair, value: float) -> Pair:
        low, high = left
        self.doubtful |= (low <= value) & (value <= high) & (low < high)
        same = (low == value) & (high == value)
        return np.where(same, np.nan, low), np.where(same, np.nan, high)


def _corners(apply: Callable[[Any, Any], Any], left: Pair, right: Pair) -> Pair:
    ends = [apply(a, b) for a in left for b in right]
    low, high = np.minimum(ends[0], ends[1]), np.maximum(ends[0], ends[1])
    for end in ends[2:]:
        low, high = np.minimum(low, end), np.maximum(high, end)
    return low, high


def _quotient(left: Pair, right: Pair) -> Pair:
    """Return the span of a quotient: without end where the divisor may be 0."""
    low, high = _corners(np.true_divide, left, right)
    through = (right[0] <= 0.0) & (right[1] >= 0.0)
    return np.where(through, -np.inf, low), np.where(through, np.inf, high)


def _coalesced(left: Pair, right: Pair) -> Pair:
    unknown = np.isnan(left[0])
    return np.where(unknown, right[0], left[0]), np.where(unknown, right[1], left[1])


def _absolute(span: Pair, _: Pair) -> Pair:
    low, high = span
    return np.maximum(np.maximum(low, -high), 0.0), np.maximum(-low, high)


_ARITHMETIC: set[Callable[..., Any]] = {np.add, np.subtract, np.multiply, np.true_divide}
_ON_SPANS: dict[Callable[..., Any], Callable[[Pair, Pair], Pair]] = {
    np.add: lambda a, b: (a[0] + b[0], a[1] + b[1]),
    np.subtract: lambda a, b: (a[0] - b[1], a[1] - b[0]),
    np.multiply: lambda a, b: _corners(np.multiply, a, b),
    np.true_divide: _quotient,
    np.negative: lambda a, _: (-a[1], -a[0]),
    np.absolute: _absolute,
    coalesce: _coalesced,
    np.less: lambda a, b: (a[1] < b[0], a[0] < b[1]),
    np.less_equal: lambda a, b: (a[1] <= b[0], a[0] <= b[1]),
    np.greater: lambda a, b: (a[0] > b[1], a[1] > b[0]),
    np.greater_equal: lambda a, b: (a[0] >= b[1], a[1] >= b[0]),
    np.equal: lambda a, b: ((a[0] == b[1]) & (a[1] == b[0]), (a[0] <= b[1]) & (b[0] <= a[1])),
    np.isnan: lambda a, _: (np.isnan(a[0]), np.isnan(a[0])),
    np.logical_not: lambda a, _: (~a[1], ~a[0]),
    np.logical_and: lambda a, b: (a[0] & b[0], a[1] & b[1]),
    np.logical_or: lambda a, b: (a[0] | b[0], a[1] | b[1]),
}
"""What each step of a program does to spans; `null_if` may leave a doubt and is a method."""

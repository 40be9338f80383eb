"""What conditions can answer between two times at which their columns are known.

A column that only rises, or only falls, lies between its values at the ends. The steps of a compiled program
are carried out on such spans: rounding keeps the order of sums and products, so the span of a result holds
whatever comes out in between. Of an answer it is then known where it is sure, and where it is possible.

Moore, Kearfott and Cloud (2009), "Introduction to Interval Analysis", chapters 2 and 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import TypeAlias

import numpy as np

from models.audiences.columns import Inputs
from models.audiences.machine import U32, Machine, Register, Step
from models.audiences.machine_kernel import (
    ABSOLUTE,
    ADD,
    AND,
    COALESCE,
    DIFFER,
    DIVIDE,
    EQUAL,
    GREATER,
    GREATER_EQUAL,
    GREATEST,
    HIGH_WHERE,
    IS_FINITE,
    IS_UNKNOWN,
    LEAST,
    LESS,
    LESS_EQUAL,
    LOW_WHERE,
    MULTIPLY,
    NEGATE,
    NOT,
    NULL_IF,
    OR,
    SUBTRACT,
    UNKNOWN_WHERE,
    ZERO_UNLESS,
)
from models.audiences.program import Program
from models.audiences.registers import Registers
from models.events import Bool

STRAY = 1e-8
"""Share by which a column that moves may go beyond its ends: no library function is monotone to the last
digit."""

Pair: TypeAlias = tuple[Register, Register]
"""Of numbers, the least and the greatest; of answers, where they are sure and where they are possible. The
same register twice: it does not move."""


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
    moving = tuple(name for name in program.columns if last.columns[name] is not first.columns[name])
    if moving not in program.spans:
        program.spans[moving] = _Spans(program, moving).machine()
    m = program.masks
    masks = np.zeros((2 * m + 1, first.size), np.uint32)
    masks[:m] = masks[m : 2 * m] = program.always_set(first.size)
    program.spans[moving].run(program.rows(first, [last.columns[name] for name in moving]), members, masks)
    return Bounds(masks[:m], masks[m : 2 * m], masks[2 * m] != 0)


class _Spans:
    """The steps of a program on spans, as steps on their ends."""

    def __init__(self, program: Program, moving: tuple[str, ...]) -> None:
        self.program = program
        self.registers = Registers(program.count, program.numbers)
        self.do = self.registers.step
        self.doubts: list[Register] = []
        self.last = {name: self.registers.new() for name in moving}
        taken = range(self.registers.count)
        self.pairs: dict[Register, Pair] = {register: (register, register) for register in taken}
        for name, last in self.last.items():
            self.pairs[program.columns[name]] = self._span(program.columns[name], last)
        for step in program.steps:
            self.pairs[step.out] = self._step(step)

    def machine(self) -> Machine:
        """Return what answers where bits are sure, where they are possible, and which rows are doubtful."""
        m, ends = self.program.masks, []
        for mask, bit, root in self.program.outputs:
            sure, possible = self.pairs[root]
            ends += [(mask, bit, sure), (m + mask, bit, possible)]
        if self.doubts:
            ends.append((2 * m, 0, reduce(self._or, self.doubts)))
        inputs = [*self.program.inputs, *self.last.values()]
        made = self.registers
        return Machine(made.steps, inputs, made.numbers, self.program.members, ends)

    # ---- steps on ends --------------------------------------------------------------------------
    def _and(self, left: Register, right: Register) -> Register:
        return self.do(AND, left, right)

    def _or(self, left: Register, right: Register) -> Register:
        return self.do(OR, left, right)

    # ---- spans ----------------------------------------------------------------------------------
    def _span(self, first: Register, last: Register) -> Pair:
        """Return the span of a column."""
        do = self.do
        self.doubts.append(do(DIFFER, do(IS_UNKNOWN, first), do(IS_UNKNOWN, last)))
        low, high = do(LEAST, first, last), do(GREATEST, first, last)
        most = do(GREATEST, do(ABSOLUTE, low), do(ABSOLUTE, high))
        stray = do(ZERO_UNLESS, do(LESS, low, high), do(MULTIPLY, most, self.registers.number(STRAY)))
        return do(SUBTRACT, low, stray), do(ADD, high, stray)

    def _step(self, step: Step) -> Pair:
        """Return the result of a step."""
        left = self.pairs[step.left]
        right = left if step.right < 0 else self.pairs[step.right]
        if left[0] == left[1] and right[0] == right[1]:
            out = self.do(step.what, left[0], -1 if step.right < 0 else right[0])
            return out, out
        found = _ON_SPANS[step.what](self, left, right)
        if step.what in _ARITHMETIC:
            do = self.do
            known = do(NOT, self._or(do(IS_UNKNOWN, left[0]), do(IS_UNKNOWN, right[0])))
            finite = self._and(do(IS_FINITE, found[0]), do(IS_FINITE, found[1]))
            self.doubts.append(self._and(known, do(NOT, finite)))
        return found

    def null_if(self, left: Pair, right: Pair) -> Pair:
        """Return the span of a number that is unknown where it is a value."""
        do, (low, high), value = self.do, left, right[0]
        inside = self._and(do(LESS_EQUAL, low, value), do(LESS_EQUAL, value, high))
        self.doubts.append(self._and(inside, do(LESS, low, high)))
        same = self._and(do(EQUAL, low, value), do(EQUAL, high, value))
        return do(UNKNOWN_WHERE, same, low), do(UNKNOWN_WHERE, same, high)

    def corners(self, what: int, left: Pair, right: Pair) -> Pair:
        """Return the span of a step whose ends are among those of the ends of its operands."""
        ends = [self.do(what, a, b) for a in left for b in right]
        low = reduce(lambda a, b: self.do(LEAST, a, b), ends)
        return low, reduce(lambda a, b: self.do(GREATEST, a, b), ends)

    def quotient(self, left: Pair, right: Pair) -> Pair:
        """Return the span of a quotient: without end where the divisor may be 0."""
        do, zero = self.do, self.registers.number(0.0)
        low, high = self.corners(DIVIDE, left, right)
        through = self._and(do(LESS_EQUAL, right[0], zero), do(GREATER_EQUAL, right[1], zero))
        return do(LOW_WHERE, through, low), do(HIGH_WHERE, through, high)

    def absolute(self, span: Pair, _: Pair) -> Pair:
        """Return the span of what is left without a sign."""
        do, (low, high) = self.do, span
        least = do(GREATEST, do(GREATEST, low, do(NEGATE, high)), self.registers.number(0.0))
        return least, do(GREATEST, do(NEGATE, low), high)

    def equal(self, left: Pair, right: Pair) -> Pair:
        """Return where two numbers are sure to be equal, and where they may be."""
        do = self.do
        sure = self._and(do(EQUAL, left[0], right[1]), do(EQUAL, left[1], right[0]))
        return sure, self._and(do(LESS_EQUAL, left[0], right[1]), do(LESS_EQUAL, right[0], left[1]))

    def unknown(self, span: Pair, _: Pair) -> Pair:
        """Return where a number is unknown."""
        unknown = self.do(IS_UNKNOWN, span[0])
        return unknown, unknown

    def ends(self, what: int, low: Pair, high: Pair) -> Pair:
        """Return a step on two pairs of ends."""
        return self.do(what, *low), self.do(what, *high)


_ARITHMETIC = {ADD, SUBTRACT, MULTIPLY, DIVIDE}
_ON_SPANS: dict[int, Callable[[_Spans, Pair, Pair], Pair]] = {
    ADD: lambda run, a, b: run.ends(ADD, (a[0], b[0]), (a[1], b[1])),
    SUBTRACT: lambda run, a, b: run.ends(SUBTRACT, (a[0], b[1]), (a[1], b[0])),
    MULTIPLY: lambda run, a, b: run.corners(MULTIPLY, a, b),
    DIVIDE: _Spans.quotient,
    NEGATE: lambda run, a, _: (run.do(NEGATE, a[1]), run.do(NEGATE, a[0])),
    ABSOLUTE: _Spans.absolute,
    COALESCE: lambda run, a, b: run.ends(COALESCE, (a[0], b[0]), (a[1], b[1])),
    NULL_IF: _Spans.null_if,
    LESS: lambda run, a, b: run.ends(LESS, (a[1], b[0]), (a[0], b[1])),
    LESS_EQUAL: lambda run, a, b: run.ends(LESS_EQUAL, (a[1], b[0]), (a[0], b[1])),
    GREATER: lambda run, a, b: run.ends(GREATER, (a[0], b[1]), (a[1], b[0])),
    GREATER_EQUAL: lambda run, a, b: run.ends(GREATER_EQUAL, (a[0], b[1]), (a[1], b[0])),
    EQUAL: _Spans.equal,
    IS_UNKNOWN: _Spans.unknown,
    NOT: lambda run, a, _: (run.do(NOT, a[1]), run.do(NOT, a[0])),
    AND: lambda run, a, b: run.ends(AND, (a[0], b[0]), (a[1], b[1])),
    OR: lambda run, a, b: run.ends(OR, (a[0], b[0]), (a[1], b[1])),
}
"""What each step of a program does to spans."""

"""Steps of conditions on many rows: compiled, see `models.compiled`.

Rows are worked on in blocks whose intermediate results fit the processor's cache; each step is a loop over a
block that the compiler turns into vector instructions.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from models.compiled import compiled, kernel
from models.events import F64, I64, Bool

U32: TypeAlias = Any  # np.uint32
BLOCK = 256
"""Rows worked on at a time."""

ADD, SUBTRACT, MULTIPLY, DIVIDE, NEGATE, ABSOLUTE, COALESCE, NULL_IF, LEAST, GREATEST = range(10)
"""Steps of numbers: `COALESCE` is the second one where the first is unknown (NaN), `NULL_IF` is unknown where
both are equal; `LEAST` and `GREATEST` are unknown where one of the two is."""
UNKNOWN_WHERE, LOW_WHERE, HIGH_WHERE, ZERO_UNLESS = range(10, 14)
"""Of an answer and a number: the number, but NaN, -inf or inf where the answer is true, or 0 where not."""
EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, IS_UNKNOWN, IS_FINITE = range(14, 21)
"""Answers about numbers; all but `IS_UNKNOWN` are false for what is unknown."""
NOT, AND, OR, DIFFER = range(21, 25)
"""Answers about answers."""
MIXED, ANSWERS, LOGIC = UNKNOWN_WHERE, EQUAL, NOT
"""The first step of each kind."""


@kernel
def execute(
    steps: I64,
    rows: F64,
    constants: F64,
    asked: I64,
    members: U32,
    outputs: I64,
    sizes: tuple[int, int],
    masks: U32,
) -> None:
    """Carry out steps on n rows.

    Args:
        steps: (s, 4) what, place of the first and the second operand (-1 for none), place of the result.
        rows: (c, n) columns; they are the first numbers.
        constants: (k,) the next numbers.
        asked: (m, 2) audience slot, and place of the answer whether the customer is in it.
        members: (n,) bit s: in the audience of slot s.
        outputs: (o, 3) mask and bit that receive an answer, place of the answer.
        sizes: how many places there are for numbers, and for answers.
        masks: (w, n) bits are added.
    """
    columns, n = rows.shape
    numbers, answers = np.empty((sizes[0], BLOCK)), np.empty((sizes[1], BLOCK), np.bool_)
    for k in range(len(constants)):
        numbers[columns + k, :] = constants[k]
    for begin in range(0, n, BLOCK):
        size = min(BLOCK, n - begin)
        for c in range(columns):
            numbers[c, :size] = rows[c, begin : begin + size]
        for k in range(len(asked)):
            for i in range(size):
                answers[asked[k, 1], i] = (members[begin + i] >> np.uint32(asked[k, 0])) & np.uint32(1) > 0
        for s in range(len(steps)):
            _carry_out(steps[s, 0], steps[s, 1], max(steps[s, 2], 0), steps[s, 3], numbers, answers)
        for k in range(len(outputs)):
            mask, bit, place = outputs[k]
            for i in range(size):
                masks[mask, begin + i] |= np.uint32(answers[place, i]) << np.uint32(bit)


@compiled
def _carry_out(what: int, left: int, right: int, out: int, numbers: F64, answers: Bool) -> None:
    if what < MIXED:
        _number(what, numbers[left], numbers[right], numbers[out])
    elif what < ANSWERS:
        _mixed(what, answers[left], numbers[right], numbers[out])
    elif what < LOGIC:
        _answer(what, numbers[left], numbers[right], answers[out])
    else:
        _logic(what, answers[left], answers[right], answers[out])


@compiled
def _number(what: int, a: F64, b: F64, out: F64) -> None:  # noqa: C901, PLR0912 - a case for each step
    if what == ADD:
        for i in range(BLOCK):
            out[i] = a[i] + b[i]
    elif what == SUBTRACT:
        for i in range(BLOCK):
            out[i] = a[i] - b[i]
    elif what == MULTIPLY:
        for i in range(BLOCK):
            out[i] = a[i] * b[i]
    elif what == DIVIDE:
        for i in range(BLOCK):
            out[i] = a[i] / b[i]
    elif what == NEGATE:
        for i in range(BLOCK):
            out[i] = -a[i]
    elif what == ABSOLUTE:
        for i in range(BLOCK):
            out[i] = abs(a[i])
    elif what == COALESCE:
        for i in range(BLOCK):
            out[i] = a[i] if a[i] == a[i] else b[i]
    elif what == NULL_IF:
        for i in range(BLOCK):
            out[i] = np.nan if a[i] == b[i] else a[i]
    elif what == LEAST:
        for i in range(BLOCK):
            out[i] = a[i] if a[i] < b[i] or a[i] != a[i] else b[i]
    else:
        for i in range(BLOCK):
            out[i] = a[i] if a[i] > b[i] or a[i] != a[i] else b[i]


@compiled
def _mixed(what: int, where: Bool, a: F64, out: F64) -> None:
    if what == ZERO_UNLESS:
        for i in range(BLOCK):
            out[i] = a[i] if where[i] else 0.0
        return
    other = np.nan if what == UNKNOWN_WHERE else -np.inf if what == LOW_WHERE else np.inf
    for i in range(BLOCK):
        out[i] = other if where[i] else a[i]


@compiled
def _answer(what: int, a: F64, b: F64, out: Bool) -> None:  # noqa: C901, PLR0912 - a case for each step
    if what == EQUAL:
        for i in range(BLOCK):
            out[i] = a[i] == b[i]
    elif what == LESS:
        for i in range(BLOCK):
            out[i] = a[i] < b[i]
    elif what == LESS_EQUAL:
        for i in range(BLOCK):
            out[i] = a[i] <= b[i]
    elif what == GREATER:
        for i in range(BLOCK):
            out[i] = a[i] > b[i]
    elif what == GREATER_EQUAL:
        for i in range(BLOCK):
            out[i] = a[i] >= b[i]
    elif what == IS_UNKNOWN:
        for i in range(BLOCK):
            out[i] = a[i] != a[i]
    else:
        for i in range(BLOCK):
            out[i] = abs(a[i]) < np.inf


@compiled
def _logic(what: int, a: Bool, b: Bool, out: Bool) -> None:
    if what == NOT:
        for i in range(BLOCK):
            out[i] = not a[i]
    elif what == AND:
        for i in range(BLOCK):
            out[i] = a[i] & b[i]
    elif what == OR:
        for i in range(BLOCK):
            out[i] = a[i] | b[i]
    else:
        for i in range(BLOCK):
            out[i] = a[i] != b[i]

"""Steps of conditions on many rows: compiled, see `models.compiled`.

Rows are worked on in blocks whose intermediate results fit the processor's cache; each step is a loop over a
block that the compiler turns into vector instructions.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from models.compiled import bare, bare_kernel
from models.events import F64, I64, Bool

U32: TypeAlias = Any  # np.uint32
Place: TypeAlias = Any  # np.uintp
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


@bare_kernel
def execute(
    steps: I64,
    rows: F64,
    constants: F64,
    asked: I64,
    members: U32,
    outputs: I64,
    numbers: F64,
    answers: Bool,
    found: U32,
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
        numbers: (places, BLOCK) for the numbers of a block.
        answers: (places, BLOCK) for the answers of a block.
        found: (w, BLOCK) for the masks of a block.
        masks: (w, n) bits are added.
    """
    columns, n = rows.shape
    for k in range(len(constants)):
        numbers[columns + k, :] = constants[k]
    for begin in range(0, n, BLOCK):
        size = min(BLOCK, n - begin)
        for c in range(columns):
            _load(rows, c, begin, size, numbers)
        for k in range(len(asked)):
            _ask(members, begin, size, np.uint32(asked[k, 0]), answers, asked[k, 1])
        for s in range(len(steps)):
            left, right, out = np.uintp(steps[s, 1]), np.uintp(max(steps[s, 2], 0)), np.uintp(steps[s, 3])
            _carry_out(steps[s, 0], left, right, out, numbers, answers)
        found[:, :] = 0
        for k in range(len(outputs)):
            mask, bit, place = np.uintp(outputs[k, 0]), np.uint32(1 << outputs[k, 1]), np.uintp(outputs[k, 2])
            _set(found, mask, bit, answers, place)
        for k in range(len(masks)):
            _add(found, k, begin, size, masks)


@bare
def _load(rows: F64, column: int, begin: int, size: int, numbers: F64) -> None:
    """Copy a block of a column."""
    c, first = np.uintp(column), np.uintp(begin)
    for i in range(np.uintp(size)):
        numbers[c, i] = rows[c, first + i]


@bare
def _ask(members: U32, begin: int, size: int, slot: U32, answers: Bool, place: int) -> None:
    """Answer for a block whether the customers are in an audience."""
    out, first = np.uintp(place), np.uintp(begin)
    for i in range(np.uintp(size)):
        answers[out, i] = (members[first + i] >> slot) & np.uint32(1) > 0


@bare
def _add(found: U32, mask: int, begin: int, size: int, masks: U32) -> None:
    """Add the bits of a block."""
    k, first = np.uintp(mask), np.uintp(begin)
    for i in range(np.uintp(size)):
        masks[k, first + i] |= found[k, i]


@bare
def _set(masks: U32, mask: Place, bit: U32, answers: Bool, place: Place) -> None:
    """Set a bit of a mask where the answer is true."""
    for i in range(np.uintp(BLOCK)):
        masks[mask, i] |= bit if answers[place, i] else np.uint32(0)


@bare
def _carry_out(what: int, left: Place, right: Place, out: Place, numbers: F64, answers: Bool) -> None:
    if what < MIXED:
        _number(what, left, right, out, numbers)
    elif what < ANSWERS:
        _mixed(what, left, right, out, numbers, answers)
    elif what < LOGIC:
        _answer(what, left, right, out, numbers, answers)
    else:
        _logic(what, left, right, out, answers)


@bare
def _number(what: int, a: Place, b: Place, out: Place, of: F64) -> None:  # noqa: C901, PLR0912 - a case for each step
    if what == ADD:
        for i in range(np.uintp(BLOCK)):
            of[out, i] = of[a, i] + of[b, i]
    elif what == SUBTRACT:
        for i in range(np.uintp(BLOCK)):
            of[out, i] = of[a, i] - of[b, i]
    elif what == MULTIPLY:
        for i in range(np.uintp(BLOCK)):
            of[out, i] = of[a, i] * of[b, i]
    elif what == DIVIDE:
        for i in range(np.uintp(BLOCK)):
            of[out, i] = of[a, i] / of[b, i]
    elif what == NEGATE:
        for i in range(np.uintp(BLOCK)):
            of[out, i] = -of[a, i]
    elif what == ABSOLUTE:
        for i in range(np.uintp(BLOCK)):
            of[out, i] = abs(of[a, i])
    elif what == COALESCE:
        for i in range(np.uintp(BLOCK)):
            of[out, i] = of[a, i] if of[a, i] == of[a, i] else of[b, i]
    elif what == NULL_IF:
        for i in range(np.uintp(BLOCK)):
            of[out, i] = np.nan if of[a, i] == of[b, i] else of[a, i]
    elif what == LEAST:
        for i in range(np.uintp(BLOCK)):
            of[out, i] = of[a, i] if (of[a, i] < of[b, i]) | (of[a, i] != of[a, i]) else of[b, i]
    else:
        for i in range(np.uintp(BLOCK)):
            of[out, i] = of[a, i] if (of[a, i] > of[b, i]) | (of[a, i] != of[a, i]) else of[b, i]


@bare
def _mixed(what: int, where: Place, a: Place, out: Place, of: F64, answers: Bool) -> None:
    if what == ZERO_UNLESS:
        for i in range(np.uintp(BLOCK)):
            of[out, i] = of[a, i] if answers[where, i] else 0.0
        return
    other = np.nan if what == UNKNOWN_WHERE else -np.inf if what == LOW_WHERE else np.inf
    for i in range(np.uintp(BLOCK)):
        of[out, i] = other if answers[where, i] else of[a, i]


@bare
def _answer(what: int, a: Place, b: Place, out: Place, of: F64, answers: Bool) -> None:  # noqa: C901, PLR0912 - a case for each step
    if what == EQUAL:
        for i in range(np.uintp(BLOCK)):
            answers[out, i] = of[a, i] == of[b, i]
    elif what == LESS:
        for i in range(np.uintp(BLOCK)):
            answers[out, i] = of[a, i] < of[b, i]
    elif what == LESS_EQUAL:
        for i in range(np.uintp(BLOCK)):
            answers[out, i] = of[a, i] <= of[b, i]
    elif what == GREATER:
        for i in range(np.uintp(BLOCK)):
            answers[out, i] = of[a, i] > of[b, i]
    elif what == GREATER_EQUAL:
        for i in range(np.uintp(BLOCK)):
            answers[out, i] = of[a, i] >= of[b, i]
    elif what == IS_UNKNOWN:
        for i in range(np.uintp(BLOCK)):
            answers[out, i] = of[a, i] != of[a, i]
    else:
        for i in range(np.uintp(BLOCK)):
            answers[out, i] = abs(of[a, i]) < np.inf


@bare
def _logic(what: int, a: Place, b: Place, out: Place, answers: Bool) -> None:
    if what == NOT:
        for i in range(np.uintp(BLOCK)):
            answers[out, i] = not answers[a, i]
    elif what == AND:
        for i in range(np.uintp(BLOCK)):
            answers[out, i] = answers[a, i] & answers[b, i]
    elif what == OR:
        for i in range(np.uintp(BLOCK)):
            answers[out, i] = answers[a, i] | answers[b, i]
    else:
        for i in range(np.uintp(BLOCK)):
            answers[out, i] = answers[a, i] != answers[b, i]

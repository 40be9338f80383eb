"""Conditions compiled to steps: many rules over many rows, each common part once.

A condition is asked in two ways, whether it is true and whether it is false; NULL is neither. With NaN for
NULL both are plain comparisons (`x > 5` is false where `x <= 5`), AND and OR go over into each other, and no
mask of what is unknown is carried along. Only what the rules' truth needs is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from models.audiences.columns import Column, Inputs
from models.audiences.expressions import (
    Absolute,
    And,
    Arithmetic,
    Compare,
    Constant,
    FirstNumber,
    FirstTruth,
    Flag,
    IsNull,
    Logical,
    Member,
    Negative,
    Not,
    NullIf,
    Number,
    NumberIn,
    Numeric,
    Or,
    Same,
    TextIn,
)
from models.audiences.machine import U32, Machine, Register
from models.audiences.machine_kernel import (
    ABSOLUTE,
    ADD,
    AND,
    COALESCE,
    DIVIDE,
    EQUAL,
    GREATER,
    GREATER_EQUAL,
    IS_UNKNOWN,
    LESS,
    LESS_EQUAL,
    MULTIPLY,
    NEGATE,
    NOT,
    NULL_IF,
    OR,
    SUBTRACT,
)
from models.audiences.registers import Registers
from models.events import F64

Truth: TypeAlias = int | bool
"""A register with the answers, or the answer for all rows."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where the truth of a condition goes: bit `bit` (0 to 31) of mask number `mask`."""

    mask: int
    bit: int
    condition: Logical


class Program:
    """Compiled conditions.

    Attributes:
        columns: the columns that it reads, with the register of each.
        texts: the texts that it compares with, by namespace and text, with the register of their codes.
        numbers: the numbers in it, with the register of each.
        members: the slots of the audiences that it refers to, with the register of the answer.
        steps: what it does, in this order, to its registers.
        outputs: mask, bit and register of each answer.
        always: mask and bit of those that are true for all rows.
        masks: how many there are.
        count: of registers.
        spans: what finds the bounds of the answers, by the columns that move; see `models.audiences.bounds`.
    """

    def __init__(self, outputs: Sequence[Output], masks: int, slots: dict[str, int]) -> None:
        compiler = _Compiler(slots)
        roots = [(output.mask, output.bit, compiler.true(output.condition)) for output in outputs]
        self.masks = masks
        self.always = [(mask, bit) for mask, bit, root in roots if root is True]
        self.outputs = [(mask, bit, root) for mask, bit, root in roots if not isinstance(root, bool)]
        registers = compiler.registers
        self.steps, self.count, self.numbers = registers.steps, registers.count, registers.numbers
        self.columns, self.texts, self.members = compiler.columns, compiler.texts, compiler.members
        self.inputs = [*self.columns.values(), *self.texts.values()]
        self.spans: dict[tuple[str, ...], Machine] = {}
        self._machine = Machine(self.steps, self.inputs, self.numbers, self.members, self.outputs)

    def run(self, inputs: Inputs, members: U32) -> U32:
        """Return the masks (m, n): bit b of mask m is the truth of that output's condition.

        Args:
            inputs: n rows; at least the columns that the program reads.
            members: (n,) bit s is membership in the audience of slot s.
        """
        result = self.always_set(inputs.size)
        if self.outputs:
            self._machine.run(self.rows(inputs), members, result)
        return result

    def always_set(self, size: int) -> U32:
        """Return masks (m, n) in which the bits are set that are set for all rows."""
        result = np.zeros((self.masks, size), np.uint32)
        for mask, bit in self.always:
            result[mask] |= np.uint32(1 << bit)
        return result

    def rows(self, inputs: Inputs, more: Sequence[F64] = ()) -> F64:
        """Return the inputs (c, n) of a machine: columns, codes of texts, and more columns."""
        rows = np.empty((len(self.inputs) + len(more), inputs.size))
        for i, name in enumerate(self.columns):
            rows[i] = inputs.columns[name]
        for i, text in enumerate(self.texts, len(self.columns)):
            codes = np.array([book(*text) for book in inputs.books], np.float64)
            one = inputs.owner is None or len(codes) == 1
            rows[i] = codes[0] if one else codes[inputs.owner]
        for i, column in enumerate(more, len(self.inputs)):
            rows[i] = column
        return rows


_ARITHMETIC = {"+": ADD, "-": SUBTRACT, "*": MULTIPLY, "/": DIVIDE}
_COMPARE = {"=": EQUAL, "<": LESS, "<=": LESS_EQUAL, ">": GREATER, ">=": GREATER_EQUAL}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


class _Compiler:
    """Turns conditions into steps; equal expressions into one register."""

    def __init__(self, slots: dict[str, int]) -> None:
        self.slots = slots
        self.registers = Registers()
        self.columns: dict[str, Register] = {}
        self.members: dict[int, Register] = {}
        self.texts: dict[tuple[str, str], Register] = {}
        self._step = self.registers.step

    # ---- numbers --------------------------------------------------------------------------------
    def number(self, node: Numeric) -> Register:
        """Return the register of a number, or of a text's code."""
        match node:
            case Column():
                if node.name not in self.columns:
                    self.columns[node.name] = self.registers.new()
                return self.columns[node.name]
            case Number():
                return self.registers.number(node.value)
            case Arithmetic():
                left, right = self.number(node.left), self.number(node.right)
                return self._step(_ARITHMETIC[node.op], left, right)
            case Negative() | Absolute():
                what = NEGATE if isinstance(node, Negative) else ABSOLUTE
                return self._step(what, self.number(node.operand))
            case NullIf():
                operand = self.number(node.operand)
                return self._step(NULL_IF, operand, self.registers.number(node.value))
            case FirstNumber():
                first, *others = [self.number(operand) for operand in node.operands]
                for other in others:
                    first = self._step(COALESCE, first, other)
                return first

    def _text(self, namespace: str, text: str) -> Register:
        if (namespace, text) not in self.texts:
            self.texts[namespace, text] = self.registers.new()
        return self.texts[namespace, text]

    # ---- conditions -----------------------------------------------------------------------------
    def true(self, node: Logical) -> Truth:
        """Return where a condition is true."""
        return self._answer(node, asked=True)

    def _answer(self, node: Logical, *, asked: bool) -> Truth:  # noqa: C901, PLR0911 - a case for each kind of node
        """Return where a condition is what is asked; where it is unknown it is neither true nor false."""
        match node:
            case Constant():
                return node.value is asked
            case Not():
                return self._answer(node.operand, asked=not asked)
            case And() | Or():
                answers = [self._answer(operand, asked=asked) for operand in node.operands]
                return self._all(answers) if isinstance(node, And) is asked else self._any(answers)
            case Compare():
                return self._compare(node, asked=asked)
            case Flag():
                half = self.registers.number(0.5)
                return self._step(GREATER if asked else LESS, self.number(node.column), half)
            case Member():
                slot = self.slots[node.audience_id]
                if slot not in self.members:
                    self.members[slot] = self.registers.new()
                return self.members[slot] if asked else self._not(self.members[slot])
            case NumberIn():
                values = [self.registers.number(value) for value in node.values]
                return self._among(self.number(node.operand), values, asked=asked)
            case TextIn():
                codes = [self._text(node.column.namespace, text) for text in node.texts]
                return self._among(self.number(node.column), codes, asked=asked)
            case IsNull():
                unknown = self._unknown(node.operand)
                return unknown if asked else self._not(unknown)
            case Same():
                return self._same(node, asked=asked)
            case FirstTruth():
                return self._first_truth(node.operands, asked=asked)

    def _compare(self, node: Compare, *, asked: bool) -> Truth:
        left, right = self.number(node.left), self.number(node.right)
        if node.op in _OPPOSITE:
            return self._step(_COMPARE[node.op if asked else _OPPOSITE[node.op]], left, right)
        if (node.op == "=") is asked:
            return self._step(EQUAL, left, right)
        return self._differ(left, right)

    def _differ(self, left: Register, right: Register) -> Truth:
        """Return where two numbers are known and differ."""
        return self._any([self._step(LESS, left, right), self._step(GREATER, left, right)])

    def _among(self, operand: Register, values: Sequence[Register], *, asked: bool) -> Truth:
        """Return where a number or code is one of the values; asked for false: where it is known and none."""
        equal = self._any([self._step(EQUAL, operand, value) for value in values])
        if asked:
            return equal
        return self._all([self._not(equal), self._not(self._step(IS_UNKNOWN, operand))])

    def _unknown(self, node: Numeric | Logical) -> Truth:
        """Return where an expression is NULL."""
        if isinstance(node, Column | Number | Arithmetic | Negative | Absolute | NullIf | FirstNumber):
            return self._step(IS_UNKNOWN, self.number(node))
        if isinstance(node, Flag):
            return self._step(IS_UNKNOWN, self.number(node.column))
        return self._not(self._any([self._answer(node, asked=True), self._answer(node, asked=False)]))

    def _same(self, node: Same, *, asked: bool) -> Truth:
        pairs = [
            self._all([self._answer(node.left, asked=left), self._answer(node.right, asked=left is asked)])
            for left in (True, False)
        ]
        return self._any(pairs)

    def _first_truth(self, operands: Sequence[Logical], *, asked: bool) -> Truth:
        first, *others = operands
        answer = self._answer(first, asked=asked)
        if not others:
            return answer
        if others[0] == Constant(not asked):
            return answer  # unknown counts as the other answer
        if others[0] == Constant(asked):
            return self._not(self._answer(first, asked=not asked))  # unknown counts as this answer
        rest = self._first_truth(others, asked=asked)
        return self._any([answer, self._all([self._unknown(first), rest])])

    # ---- joining answers ------------------------------------------------------------------------
    def _all(self, answers: Sequence[Truth]) -> Truth:
        return self._join(answers, AND, settles=False)

    def _any(self, answers: Sequence[Truth]) -> Truth:
        return self._join(answers, OR, settles=True)

    def _join(self, answers: Sequence[Truth], what: int, *, settles: bool) -> Truth:
        if any(answer is settles for answer in answers):
            return settles
        found: Truth = not settles
        for answer in dict.fromkeys(a for a in answers if not isinstance(a, bool)):
            found = answer if isinstance(found, bool) else self._step(what, found, answer)
        return found

    def _not(self, answer: Truth) -> Truth:
        return (not answer) if isinstance(answer, bool) else self._step(NOT, answer)

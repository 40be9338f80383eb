"""Conditions compiled to numpy: many rules over many rows, each common part once.

A condition is asked in two ways, whether it is true and whether it is false; NULL is neither. With NaN for
NULL both are plain comparisons (`x > 5` is false where `x <= 5`), AND and OR go over into each other, and no
mask of what is unknown is carried along. Only what the rules' truth needs is computed.

Rows are worked on in blocks whose intermediate results fit the processor's cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

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
from models.events import F64

U32 = NDArray[np.uint32]
BLOCK = 8192
"""Rows worked on at a time."""

Register: TypeAlias = int
Truth: TypeAlias = int | bool
"""A register with the answers, or the answer for all rows."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where the truth of a condition goes: bit `bit` (0 to 31) of mask number `mask`."""

    mask: int
    bit: int
    condition: Logical


@dataclass(frozen=True, slots=True)
class Step:
    """One array operation: `apply(left, right, out)`, without `right` where that is -1."""

    apply: Callable[..., Any]
    left: Register
    right: Register
    out: Register
    logical: bool


class Program:
    """Compiled conditions.

    Attributes:
        columns: the columns that it reads, with the register of each.
        audiences: slots of the audiences that it refers to.
        steps: what it does, in this order, to its registers.
    """

    def __init__(self, outputs: Sequence[Output], masks: int, slots: dict[str, int]) -> None:
        compiler = _Compiler(slots)
        roots = [(output.mask, output.bit, compiler.true(output.condition)) for output in outputs]
        self._masks = masks
        self._compiler = compiler
        self._always = [(mask, bit) for mask, bit, root in roots if root is True]
        self._planes: dict[tuple[int, int], list[tuple[int, Register]]] = {}
        for mask, bit, root in roots:
            if not isinstance(root, bool):
                self._planes.setdefault((mask, bit // 8), []).append((bit % 8, root))
        self.steps = compiler.steps
        self._place = _places(compiler.steps, {root for _, _, root in roots})
        self.columns = compiler.columns
        self.audiences = tuple(compiler.members)

    def run(self, inputs: Inputs, members: U32) -> U32:
        """Return the masks (m, n): bit b of mask m is the truth of that output's condition.

        Args:
            inputs: n rows; at least the columns that the program reads.
            members: (n,) bit s is membership in the audience of slot s.
        """
        n, result = inputs.size, self._always_set(inputs.size)
        if not self._planes:
            return result
        constants = _constants(self._compiler.texts, inputs)
        size = min(n, BLOCK)
        floats = np.empty((self._place.floats, size))
        logicals = np.empty((self._place.logicals, size), np.bool_)
        scratch, bytes_of = np.empty((2, size), np.uint8), _bytes_of(result)
        with np.errstate(all="ignore"):
            for start in range(0, n, BLOCK):
                stop = min(start + BLOCK, n)
                registers = self._load(inputs, members, constants, slice(start, stop))
                self._work(registers, floats[:, : stop - start], logicals[:, : stop - start])
                self._pack(registers, scratch[:, : stop - start], bytes_of[:, start:stop])
        return result

    def registers(self, inputs: Inputs, members: U32) -> list[Any]:
        """Return the registers before the first step; arguments as of `run`."""
        return self._load(inputs, members, _constants(self._compiler.texts, inputs), slice(None))

    def packed(self, registers: list[Any], size: int) -> U32:
        """Return the masks (m, n) of registers after the last step, n rows each."""
        result = self._always_set(size)
        self._pack(registers, np.empty((2, size), np.uint8), _bytes_of(result))
        return result

    def _always_set(self, size: int) -> U32:
        """Return masks (m, n) in which the bits are set that are set for all rows."""
        result = np.zeros((self._masks, size), np.uint32)
        for mask, bit in self._always:
            result[mask] |= np.uint32(1 << bit)
        return result

    def _load(self, inputs: Inputs, members: U32, constants: F64, here: slice) -> list[Any]:
        """Return the registers with a block's columns, constants and memberships in them."""
        compiler = self._compiler
        registers: list[Any] = [None] * compiler.count
        for name, register in compiler.columns.items():
            registers[register] = inputs.columns[name][here]
        for register, value in compiler.numbers:
            registers[register] = value
        for (_, register), of_books in zip(compiler.texts.items(), constants, strict=True):
            one = inputs.owner is None or len(of_books) == 1
            registers[register] = of_books[0] if one else of_books[inputs.owner[here]]  # type: ignore[index] # one is False
        for slot, register in compiler.members.items():
            registers[register] = (members[here] & np.uint32(1 << slot)) != 0
        return registers

    def _work(self, registers: list[Any], floats: F64, logicals: NDArray[np.bool_]) -> None:
        for step, place in zip(self.steps, self._place.of_step, strict=True):
            out = logicals[place] if step.logical else floats[place]
            if step.right < 0:
                step.apply(registers[step.left], out)
            else:
                step.apply(registers[step.left], registers[step.right], out)
            registers[step.out] = out

    def _pack(self, registers: list[Any], scratch: NDArray[np.uint8], bytes_of: NDArray[np.uint8]) -> None:
        """Put the answers into the bytes (m, n, 4) of the masks, eight to a byte."""
        plane, shifted = scratch
        for (mask, byte), answers in self._planes.items():
            plane[:] = 0
            for bit, root in answers:
                np.multiply(registers[root].view(np.uint8), 1 << bit, out=shifted)  # a shift is slower
                np.bitwise_or(plane, shifted, out=plane)
            target = bytes_of[mask, :, byte]
            np.bitwise_or(target, plane, out=target)


def _bytes_of(masks: U32) -> NDArray[np.uint8]:
    """Return the bytes (m, n, 4) of masks (m, n)."""
    return masks.view(np.uint8).reshape(*masks.shape, 4)


@dataclass(frozen=True, slots=True)
class _Places:
    """Which scratch row each step writes to; rows are used again once their content is not needed."""

    of_step: list[int]
    floats: int
    logicals: int


def _places(steps: Sequence[Step], kept: set[Register]) -> _Places:
    last = {register: at for at, step in enumerate(steps) for register in (step.left, step.right)}
    free: dict[bool, list[int]] = {False: [], True: []}
    used = {False: 0, True: 0}
    of_step: list[int] = []
    made: dict[Register, tuple[bool, int]] = {}
    for at, step in enumerate(steps):
        if not free[step.logical]:
            free[step.logical].append(used[step.logical])
            used[step.logical] += 1
        place = free[step.logical].pop()
        of_step.append(place)
        made[step.out] = (step.logical, place)
        for register in {step.left, step.right}:
            if register in made and last[register] == at and register not in kept:
                kind, old = made[register]
                free[kind].append(old)
    return _Places(of_step, used[False], used[True])


def _constants(texts: dict[tuple[str, str], Register], inputs: Inputs) -> F64:
    """Return the codes (texts, books) of the texts that conditions name."""
    codes = [[book(*text) for book in inputs.books] for text in texts]
    return np.array(codes, np.float64).reshape(len(texts), len(inputs.books))


def coalesce(first: F64, second: F64 | float, out: F64) -> None:
    """Put the first number into `out`, the second one where that is unknown."""
    np.copyto(out, first)
    np.copyto(out, second, where=np.isnan(first))


def null_if(operand: F64, value: float, out: F64) -> None:
    """Put the operand into `out`, unknown where it is the value."""
    np.copyto(out, operand)
    out[operand == value] = np.nan


_ARITHMETIC = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.true_divide}
_COMPARE: dict[str, Callable[..., Any]] = {
    "=": np.equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


class _Compiler:
    """Turns conditions into steps; equal expressions into one register."""

    def __init__(self, slots: dict[str, int]) -> None:
        self.slots = slots
        self.count = 0
        self.steps: list[Step] = []
        self.columns: dict[str, Register] = {}
        self.members: dict[int, Register] = {}
        self.texts: dict[tuple[str, str], Register] = {}
        self.numbers: list[tuple[Register, float]] = []
        self._known: dict[object, Register] = {}

    def _new(self) -> Register:
        self.count += 1
        return self.count - 1

    def _step(
        self, apply: Callable[..., Any], left: Register, right: Register = -1, *, logical: bool = True
    ) -> Register:
        key = apply, left, right
        if key not in self._known:
            self._known[key] = self._new()
            self.steps.append(Step(apply, left, right, self._known[key], logical))
        return self._known[key]

    # ---- numbers --------------------------------------------------------------------------------
    def number(self, node: Numeric) -> Register:
        """Return the register of a number, or of a text's code."""
        match node:
            case Column():
                if node.name not in self.columns:
                    self.columns[node.name] = self._new()
                return self.columns[node.name]
            case Number():
                return self._constant(node.value)
            case Arithmetic():
                left, right = self.number(node.left), self.number(node.right)
                return self._step(_ARITHMETIC[node.op], left, right, logical=False)
            case Negative() | Absolute():
                apply = np.negative if isinstance(node, Negative) else np.absolute
                return self._step(apply, self.number(node.operand), logical=False)
            case NullIf():
                operand = self.number(node.operand)
                return self._step(null_if, operand, self._constant(node.value), logical=False)
            case FirstNumber():
                first, *others = [self.number(operand) for operand in node.operands]
                for other in others:
                    first = self._step(coalesce, first, other, logical=False)
                return first

    def _constant(self, value: float) -> Register:
        key = "number", value
        if key not in self._known:
            self._known[key] = self._new()
            self.numbers.append((self._known[key], value))
        return self._known[key]

    def _text(self, namespace: str, text: str) -> Register:
        if (namespace, text) not in self.texts:
            self.texts[namespace, text] = self._new()
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
                half = self._constant(0.5)
                return self._step(np.greater if asked else np.less, self.number(node.column), half)
            case Member():
                slot = self.slots[node.audience_id]
                if slot not in self.members:
                    self.members[slot] = self._new()
                return self.members[slot] if asked else self._not(self.members[slot])
            case NumberIn():
                values = [self._constant(value) for value in node.values]
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
            return self._step(np.equal, left, right)
        return self._differ(left, right)

    def _differ(self, left: Register, right: Register) -> Truth:
        """Return where two numbers are known and differ."""
        return self._any([self._step(np.less, left, right), self._step(np.greater, left, right)])

    def _among(self, operand: Register, values: Sequence[Register], *, asked: bool) -> Truth:
        """Return where a number or code is one of the values; asked for false: where it is known and none."""
        equal = self._any([self._step(np.equal, operand, value) for value in values])
        if asked:
            return equal
        return self._all([self._not(equal), self._not(self._step(np.isnan, operand))])

    def _unknown(self, node: Numeric | Logical) -> Truth:
        """Return where an expression is NULL."""
        if isinstance(node, Column | Number | Arithmetic | Negative | Absolute | NullIf | FirstNumber):
            return self._step(np.isnan, self.number(node))
        if isinstance(node, Flag):
            return self._step(np.isnan, self.number(node.column))
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
        return self._join(answers, np.logical_and, settles=False)

    def _any(self, answers: Sequence[Truth]) -> Truth:
        return self._join(answers, np.logical_or, settles=True)

    def _join(self, answers: Sequence[Truth], apply: Callable[..., Any], *, settles: bool) -> Truth:
        if any(answer is settles for answer in answers):
            return settles
        found: Truth = not settles
        for answer in dict.fromkeys(a for a in answers if not isinstance(a, bool)):
            found = answer if isinstance(found, bool) else self._step(apply, found, answer)
        return found

    def _not(self, answer: Truth) -> Truth:
        return (not answer) if isinstance(answer, bool) else self._step(np.logical_not, answer)

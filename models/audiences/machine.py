"""What conditions are compiled to: steps on registers, laid out for the kernel that carries them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.audiences.machine_kernel import ANSWERS, BLOCK, execute
from models.events import F64

U32 = NDArray[np.uint32]
Register: TypeAlias = int


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on all rows, see `machine_kernel`: `what(left, right)`, without `right` where -1."""

    what: int
    left: Register
    right: Register
    out: Register

    @property
    def logical(self) -> bool:
        """Return whether the result is an answer, not a number."""
        return self.what >= ANSWERS


class Machine:
    """Steps, and where their registers are.

    Args:
        steps: what to do, in this order.
        inputs: registers of the columns.
        constants: registers of numbers, and the number.
        members: registers of memberships, by audience slot.
        outputs: mask and bit of each answer, and its register.
    """

    __slots__ = ("_asked", "_constants", "_outputs", "_sizes", "_steps")

    def __init__(
        self,
        steps: Sequence[Step],
        inputs: Sequence[Register],
        constants: Sequence[tuple[Register, float]],
        members: Mapping[int, Register],
        outputs: Sequence[tuple[int, int, Register]],
    ) -> None:
        numbers = [*inputs, *(register for register, _ in constants)]
        place = {register: i for i, register in enumerate(numbers)}
        place |= {register: i for i, register in enumerate(members.values())}
        self._sizes = _places(steps, {register for _, _, register in outputs}, place, len(numbers))
        laid_out = [
            (s.what, place[s.left], place[s.right] if s.right >= 0 else -1, place[s.out]) for s in steps
        ]
        self._steps = np.array(laid_out, np.int64).reshape(len(steps), 4)
        self._constants = np.array([value for _, value in constants], np.float64)
        self._asked = _table([(slot, place[register]) for slot, register in members.items()], 2)
        self._outputs = _table([(mask, bit, place[register]) for mask, bit, register in outputs], 3)

    def run(self, rows: F64, members: U32, masks: U32) -> None:
        """Add the answers to masks (w, n), from the columns (c, n) and the memberships (n,)."""
        members, (numbers, answers) = np.ascontiguousarray(members), self._sizes
        block = np.empty((numbers, BLOCK)), np.empty((answers, BLOCK), np.bool_)
        found = np.empty((len(masks), BLOCK), np.uint32)
        execute(self._steps, rows, self._constants, self._asked, members, self._outputs, *block, found, masks)


def _table(rows: Sequence[tuple[int, ...]], width: int) -> NDArray[np.int64]:
    return np.array(rows, np.int64).reshape(len(rows), width)


def _places(
    steps: Sequence[Step], kept: set[Register], place: dict[Register, int], numbers: int
) -> tuple[int, int]:
    """Give each result a place, one that is needed no more if there is any; return how many there are.

    Args:
        steps: what makes the results.
        kept: results that are needed after the last step.
        place: of inputs; receives the others.
        numbers: places of numbers that inputs take.
    """
    last = {register: at for at, step in enumerate(steps) for register in (step.left, step.right)}
    free: dict[bool, list[int]] = {False: [], True: []}
    used = {False: numbers, True: len(place) - numbers}
    made: dict[Register, bool] = {}
    for at, step in enumerate(steps):
        if not free[step.logical]:
            free[step.logical].append(used[step.logical])
            used[step.logical] += 1
        place[step.out] = free[step.logical].pop()
        made[step.out] = step.logical
        for register in {step.left, step.right}:
            if register in made and last[register] == at and register not in kept:
                free[made[register]].append(place[register])
    return used[False], used[True]

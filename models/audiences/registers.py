"""Where the steps of a program that is being made put their results: equal ones into one register."""

from __future__ import annotations

from collections.abc import Sequence

from models.audiences.machine import Register, Step


class Registers:
    """The registers of a program, its steps and its numbers, while it grows.

    Args:
        taken: how many are in use already: those below this number.
        numbers: those among them that hold a number, with it; the steps made here share them.

    Attributes:
        count: of registers.
        steps: what was added, in this order.
        numbers: register and value of each number.
    """

    def __init__(self, taken: int = 0, numbers: Sequence[tuple[Register, float]] = ()) -> None:
        self.count = taken
        self.steps: list[Step] = []
        self.numbers = list(numbers)
        self._holding = {value: register for register, value in numbers}
        self._made: dict[tuple[int, Register, Register], Register] = {}

    def new(self) -> Register:
        """Return a register that nobody has."""
        self.count += 1
        return self.count - 1

    def step(self, what: int, left: Register, right: Register = -1) -> Register:
        """Add a step, unless it is there, and return the register of its result."""
        key = what, left, right
        if key not in self._made:
            self._made[key] = self.new()
            self.steps.append(Step(what, left, right, self._made[key]))
        return self._made[key]

    def number(self, value: float) -> Register:
        """Return the register of a number."""
        if value not in self._holding:
            self._holding[value] = self.new()
            self.numbers.append((self._holding[value], value))
        return self._holding[value]

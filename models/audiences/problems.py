"""What is wrong with a definitions file, said so that its author can put it right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

MAX_NEAREST = 3
"""Similar names that a problem shows at most."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        line: line of the file, from 1; 0 when it concerns the file as a whole.
        where: the audience, and its key, that it concerns; empty for the file.
        message: what is wrong, and what to write instead where that is clear.
        nearest: names that may have been meant, the most similar first.
    """

    line: int
    where: str
    message: str
    nearest: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the problem as one line."""
        place = f"line {self.line}: " if self.line else ""
        where = f"{self.where}: " if self.where else ""
        meant = f"; did you mean {' or '.join(self.nearest)}?" if self.nearest else ""
        return f"{place}{where}{self.message}{meant}"


class DefinitionsError(ValueError):
    """Definitions that cannot be put in force.

    Attributes:
        problems: all that was found, in the order of lines.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems).replace("?; ", "? "))


class ConditionError(ValueError):
    """One thing that is wrong with a condition.

    Attributes:
        line: line within the condition's text, from 1.
        nearest: names that may have been meant.
    """

    def __init__(self, message: str, line: int = 1, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.nearest = nearest


def nearest(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return the known names most similar to one that is not known."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    found = get_close_matches(name.lower(), by_lower, n=MAX_NEAREST, cutoff=0.6)
    return tuple(by_lower[candidate] for candidate in found)

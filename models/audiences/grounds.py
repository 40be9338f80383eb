"""The conditions that decided a change of an audience, and the sentence that they make.

A side of a rule is made into functions once; every change record asks them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TypeAlias

from models.audiences.expressions import (
    And,
    Constant,
    FirstTruth,
    Logical,
    Not,
    Or,
    columns_of,
    members_of,
)
from models.audiences.single import Ask, Row, Value, asker, known
from models.audiences.wording import Say, sayer

MAX_GROUNDS = 3
"""Conditions that a sentence names at most."""
CIRCUMSTANCES: Mapping[str, str] = {
    "event": "",
    "time": " as time passed",
    "model": " because the segments were recalculated",
    "definition": " because the definition of the audience changed",
}
"""What a cause adds to the sentence."""
FIRST_TIME = " when the audiences came into force"
"""The same for the first definitions: nobody has changed any."""


@dataclass(frozen=True, slots=True)
class _Atom:
    """A condition that has no parts, as functions."""

    ask: Ask
    say: Say
    names: tuple[str, ...]


@dataclass(slots=True)
class Ground:
    """A condition behind a change.

    Attributes:
        holds: as of the change; None for unknown.
        turned: it was otherwise before.
        values: (column, value, value before) of its columns.
        say: puts it into words.
        row: the customer at the change.
    """

    holds: bool | None
    turned: bool
    values: tuple[tuple[str, Value, Value], ...]
    say: Say
    row: Row

    def phrase(self) -> str:
        """Return the condition in words, as it turned out."""
        return self.say(self.row, self.holds)


Decision: TypeAlias = tuple[bool | None, tuple[_Atom, ...]]
"""Whether a condition holds, and the conditions without parts that make it so."""
Decide: TypeAlias = Callable[[Row], Decision]

_TURNED = attrgetter("turned")


class Teller:
    """Tells what decided one condition of a rule, its `enter` or its `leave`.

    Attributes:
        columns: the names that a row must have: columns, and `is_<id>` of audiences.
    """

    __slots__ = ("_decide", "columns")

    def __init__(self, node: Logical) -> None:
        self.columns = names_of(node)
        self._decide = _decider(node, {})

    def grounds(self, row: Row, before: Row | None) -> list[Ground]:
        """Return the conditions that made it true, or what it is, those that turned with the change first.

        Args:
            row: the customer at the change.
            before: the customer at the previous decision; None when that is not known.
        """
        found = []
        for atom in dict.fromkeys(self._decide(row)[1]):
            holds = atom.ask(row)
            turned = before is not None and atom.ask(before) is not holds
            values = tuple(
                [(name, known(row[name]), known(before[name]) if before else None) for name in atom.names]
            )
            found.append(Ground(holds, turned, values, atom.say, row))
        if len(found) > 1:
            found.sort(key=_TURNED, reverse=True)
        return found


def sentence(
    name: str, found: Sequence[Ground], *, entered: bool, cause: str, first_time: bool = False
) -> str:
    """Return one sentence.

    Args:
        name: of the audience.
        found: what decided, the most telling first.
        entered: entered, not left.
        cause: `event`, `time`, `model` or `definition`.
        first_time: no definitions were in force before.

    Example:
        `Entered Lapsed as time passed: days since last order 60.1 > 60, money (365 days) 812.50 >= 500.`
    """
    circumstance = FIRST_TIME if first_time and cause == "definition" else CIRCUMSTANCES[cause]
    happened = f"{'Entered' if entered else 'Left'} {name}{circumstance}"
    phrases: dict[str, None] = {}
    for ground in found:
        phrases[ground.phrase()] = None
        if len(phrases) == MAX_GROUNDS:
            break
    return f"{happened}: {', '.join(phrases)}." if phrases else f"{happened}."


def names_of(node: Logical) -> tuple[str, ...]:
    """Return the columns of a condition, and those of the audiences that it refers to, each once."""
    names = [column.name for column in columns_of(node)] + [member.name for member in members_of(node)]
    return tuple(dict.fromkeys(names))


def parts_of(node: Logical) -> tuple[str, tuple[Logical, ...]]:
    """Return how a condition is joined (`all`, `any`, `not`, `first`; empty without parts), and its parts."""
    match node:
        case And():
            return "all", node.operands
        case Or():
            return "any", node.operands
        case Not():
            return "not", (node.operand,)
        case FirstTruth():
            return "first", node.operands
        case _:
            return "", ()


def _decider(node: Logical, atoms: dict[Logical, _Atom]) -> Decide:
    """Return a condition as a function; equal conditions without parts become the same atom."""
    joined, operands = parts_of(node)
    if isinstance(node, Constant):
        nothing = node.value, ()
        return lambda _row: nothing
    if not joined:
        return _single(atoms.setdefault(node, _Atom(asker(node), sayer(node), names_of(node))))
    decides = [_decider(operand, atoms) for operand in operands]
    if joined == "not":
        return _negated(decides[0])
    return _first(decides) if joined == "first" else _many(decides, settles=joined == "any")


def _single(atom: _Atom) -> Decide:
    ask, alone = atom.ask, (atom,)
    return lambda row: (ask(row), alone)


def _negated(inner: Decide) -> Decide:
    def decide(row: Row) -> Decision:
        answer, decisive = inner(row)
        return None if answer is None else not answer, decisive

    return decide


def _first(operands: Sequence[Decide]) -> Decide:
    def decide(row: Row) -> Decision:
        passed: tuple[_Atom, ...] = ()
        for operand in operands:
            answer, decisive = operand(row)
            passed += decisive
            if answer is not None:
                return answer, passed
        return None, passed

    return decide


def _many(operands: Sequence[Decide], *, settles: bool) -> Decide:
    def decide(row: Row) -> Decision:
        found = [operand(row) for operand in operands]
        answers = [answer for answer, _ in found]
        whole = settles if settles in answers else None if None in answers else not settles
        decisive: tuple[_Atom, ...] = ()
        for answer, atoms in found:
            if answer is whole:
                decisive += atoms
        return whole, decisive

    return decide

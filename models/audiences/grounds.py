"""The conditions that decided a change of an audience, and the sentence that they make.

A side of a rule is made into functions once; every change record asks them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from models.audiences.answers import Ask, Table, asker_of_many, names_of
from models.audiences.expressions import And, Constant, FirstTruth, Logical, Not, Or
from models.audiences.single import Value
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
REMEMBERED = 512
"""Combinations of answers whose grounds are kept: rules have few conditions."""

Answers: TypeAlias = tuple[bool | None, ...]
"""Whether each condition without parts holds, None for unknown."""
Decision: TypeAlias = tuple[bool | None, tuple[int, ...]]
"""Whether a condition holds, and the places of the conditions without parts that make it so."""
Decide: TypeAlias = Callable[[Answers], Decision]


@dataclass(frozen=True, slots=True)
class _Atom:
    """A condition that has no parts, as functions."""

    ask: Ask
    say: Say
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grounds:
    """The conditions behind the changes of k customers for whom the same ones decided.

    Attributes:
        at: (k,) places of the customers.
        words: (k,) of each condition as it turned out, those that turned with the change first.
        values: name, values (k,) and values before (k,) of each of their columns.
    """

    at: Sequence[int]
    words: Sequence[Sequence[str]]
    values: Sequence[tuple[str, Sequence[Value], Sequence[Value]]]


class Teller:
    """Tells what decided one condition of a rule, its `enter` or its `leave`.

    Attributes:
        columns: the names that a table must have: columns, and `is_<id>` of audiences.
    """

    __slots__ = ("_atoms", "_decide", "_decisive", "columns")

    def __init__(self, node: Logical) -> None:
        self.columns = names_of(node)
        places: dict[Logical, int] = {}
        self._decide = _decider(node, places)
        self._atoms = [_Atom(asker_of_many(atom), sayer(atom), names_of(atom)) for atom in places]
        self._decisive = lru_cache(REMEMBERED)(self._decisive_of)

    def tell(self, now: Table, before: Table, fresh: Sequence[bool]) -> Iterator[Grounds]:
        """Yield the conditions that made it true, or what it is, for n customers, each once.

        Args:
            now: the customers at the change.
            before: the same at the previous decision.
            fresh: (n,) there was none.
        """
        for (answers, former), at in self._alike(now, before, fresh).items():
            atoms = [self._atoms[place] for place in self._decisive(answers, former)]
            words = [
                self._atoms[place].say(now, at, answers[place]) for place in self._decisive(answers, former)
            ]
            names = dict.fromkeys(name for atom in atoms for name in atom.names)
            unknown = [None] * len(at)
            values = [
                (
                    name,
                    [now[name][i] for i in at],
                    unknown if former is None else [before[name][i] for i in at],
                )
                for name in names
            ]
            yield Grounds(at, words, values)

    def _alike(
        self, now: Table, before: Table, fresh: Sequence[bool]
    ) -> dict[tuple[Answers, Answers | None], list[int]]:
        """Return the places of customers by the answers at the change and, if there are any, before."""
        found: dict[tuple[Answers, Answers | None], list[int]] = {}
        rows = zip(self._answers(now, len(fresh)), self._answers(before, len(fresh)), fresh, strict=True)
        for i, (answers, former, is_fresh) in enumerate(rows):
            found.setdefault((answers, None if is_fresh else former), []).append(i)
        return found

    def _answers(self, table: Table, n: int) -> Iterator[Answers] | list[Answers]:
        return zip(*[atom.ask(table, n) for atom in self._atoms], strict=True) if self._atoms else [()] * n

    def _decisive_of(self, answers: Answers, former: Answers | None) -> Sequence[int]:
        """Return the places of the conditions that decided, those that turned with the change first."""
        places = list(dict.fromkeys(self._decide(answers)[1]))
        if former is not None:
            places.sort(key=lambda place: former[place] is answers[place])
        return places


def opening(name: str, *, entered: bool, cause: str, first_time: bool = False) -> str:
    """Return the first half of a sentence.

    Args:
        name: of the audience.
        entered: entered, not left.
        cause: `event`, `time`, `model` or `definition`.
        first_time: no definitions were in force before.
    """
    circumstance = FIRST_TIME if first_time and cause == "definition" else CIRCUMSTANCES[cause]
    return f"{'Entered' if entered else 'Left'} {name}{circumstance}"


def sentence(beginning: str, words: Sequence[str]) -> str:
    """Return one sentence, from its `opening` and the conditions that decided, the most telling first.

    Example:
        `Entered Lapsed as time passed: days since last order 60.1 (above 60), orders 3 (at least 2).`
    """
    phrases = list(dict.fromkeys(words))[:MAX_GROUNDS]
    return f"{beginning}: {', '.join(phrases)}." if phrases else f"{beginning}."


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


def _decider(node: Logical, places: dict[Logical, int]) -> Decide:
    """Return a condition as a function; equal conditions without parts get the same place."""
    joined, operands = parts_of(node)
    if isinstance(node, Constant):
        nothing = node.value, ()
        return lambda _answers: nothing
    if not joined:
        return _single(places.setdefault(node, len(places)))
    decides = [_decider(operand, places) for operand in operands]
    if joined == "not":
        return _negated(decides[0])
    return _first(decides) if joined == "first" else _many(decides, settles=joined == "any")


def _single(place: int) -> Decide:
    alone = (place,)
    return lambda answers: (answers[place], alone)


def _negated(inner: Decide) -> Decide:
    def decide(answers: Answers) -> Decision:
        answer, decisive = inner(answers)
        return None if answer is None else not answer, decisive

    return decide


def _first(operands: Sequence[Decide]) -> Decide:
    def decide(answers: Answers) -> Decision:
        passed: tuple[int, ...] = ()
        for operand in operands:
            answer, decisive = operand(answers)
            passed += decisive
            if answer is not None:
                return answer, passed
        return None, passed

    return decide


def _many(operands: Sequence[Decide], *, settles: bool) -> Decide:
    def decide(answers: Answers) -> Decision:
        found = [operand(answers) for operand in operands]
        held = [answer for answer, _ in found]
        whole = settles if settles in held else None if None in held else not settles
        decisive: tuple[int, ...] = ()
        for answer, places in found:
            if answer is whole:
                decisive += places
        return whole, decisive

    return decide

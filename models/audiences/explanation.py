"""Why a customer is in an audience or not: its conditions as a tree, and those that decided a change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from models.audiences.expressions import (
    And,
    Constant,
    FirstTruth,
    Logical,
    Not,
    Or,
    columns_of,
    members_of,
    sql,
)
from models.audiences.rules import Rule
from models.audiences.single import Row, Value, known, truth


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as it stands for one customer.

    Attributes:
        text: SQL.
        holds: None for unknown.
        joined: how `parts` make it up: `all`, `any`, `not`, `first` (the first that is known); empty without.
        parts: the conditions that it is made of.
        values: (column, value) of each column of a condition that has no parts.
    """

    text: str
    holds: bool | None
    joined: str = ""
    parts: tuple[Condition, ...] = ()
    values: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """One audience and one customer.

    Attributes:
        audience_id: the audience.
        name: its name.
        member: the customer is in it.
        since_s: epoch seconds of entering (or, when not a member, of leaving); 0 for never.
        enter: the condition to enter.
        leave: the condition to leave.
        waits_until_s: no change before this time, by min_stay or cooldown; 0 when nothing stands in the way.
    """

    audience_id: str
    name: str
    member: bool
    since_s: int
    enter: Condition
    leave: Condition
    waits_until_s: int


@dataclass(frozen=True, slots=True)
class Ground:
    """A condition behind a change.

    Attributes:
        node: it has no parts.
        holds: as of the change; None for unknown.
        turned: it was otherwise before.
        values: (column, value, value before) of its columns.
    """

    node: Logical
    holds: bool | None
    turned: bool
    values: tuple[tuple[str, Value, Value], ...]


def condition(node: Logical, row: Row) -> Condition:
    """Return a condition as a tree, with what holds of it and the values of its columns."""
    joined, operands = _parts(node)
    if joined:
        parts = tuple(condition(operand, row) for operand in operands)
        return Condition(sql(node), truth(node, row), joined, parts)
    values = tuple((name, known(row[name])) for name in _names(node))
    return Condition(sql(node), truth(node, row), values=values)


def explain(rule: Rule, row: Row, *, member: bool, since_s: int, now_s: int) -> Explanation:
    """Return how one customer stands to one audience; times are epoch seconds."""
    wait = rule.definition.min_stay_s if member else rule.definition.cooldown_s
    until = since_s + wait if since_s else 0
    return Explanation(
        audience_id=rule.definition.id,
        name=rule.definition.name,
        member=member,
        since_s=since_s,
        enter=condition(rule.enter, row),
        leave=condition(rule.leave, row),
        waits_until_s=until if until > now_s else 0,
    )


def grounds(rule: Rule, row: Row, before: Row | None, *, entered: bool) -> list[Ground]:
    """Return the conditions that made a customer enter or leave, those that turned with the change first.

    Args:
        rule: of the audience.
        row: the customer at the change.
        before: the customer at the previous decision; None when that is not known.
        entered: entered, not left.
    """
    found = {}
    for node in _decisive(rule.enter if entered else rule.leave, row):
        then = None if before is None else truth(node, before)
        holds = truth(node, row)
        values = tuple(
            (name, known(row[name]), None if before is None else known(before[name])) for name in _names(node)
        )
        found[node] = Ground(node, holds, before is not None and then is not holds, values)
    return sorted(found.values(), key=lambda ground: not ground.turned)


def _names(node: Logical) -> list[str]:
    """Return the columns of a condition, and those of the audiences that it refers to."""
    names = [column.name for column in columns_of(node)] + [member.name for member in members_of(node)]
    return list(dict.fromkeys(names))


def _parts(node: Logical) -> tuple[str, tuple[Logical, ...]]:
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


def _decisive(node: Logical, row: Row) -> Iterator[Logical]:
    """Yield the conditions without parts that make a condition what it is."""
    joined, operands = _parts(node)
    if not joined:
        if not isinstance(node, Constant):
            yield node
        return
    answers = [truth(operand, row) for operand in operands]
    if joined == "first":
        settled = next((at for at, answer in enumerate(answers) if answer is not None), len(answers) - 1)
        chosen = list(operands[: settled + 1])
    else:
        whole = truth(node, row)
        chosen = [operands[at] for at, answer in enumerate(answers) if joined == "not" or answer is whole]
    for operand in chosen:
        yield from _decisive(operand, row)

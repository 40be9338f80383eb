"""Why a customer is in an audience or not: its conditions as a tree."""

from __future__ import annotations

from dataclasses import dataclass

from models.audiences.answers import names_of
from models.audiences.expressions import Logical, sql
from models.audiences.figures import FINEST
from models.audiences.grounds import parts_of
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
        values: (column, value) of each column of a condition that has no parts; figures are rounded so little
            that none looks as if it were on the other side of its limit.
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


def condition(node: Logical, row: Row) -> Condition:
    """Return a condition as a tree, with what holds of it and the values of its columns."""
    joined, operands = parts_of(node)
    if joined:
        parts = tuple(condition(operand, row) for operand in operands)
        return Condition(sql(node), truth(node, row), joined, parts)
    values = tuple((name, _rounded(known(row[name]))) for name in names_of(node))
    return Condition(sql(node), truth(node, row), values=values)


def _rounded(value: Value) -> Value:
    return round(value, FINEST) if isinstance(value, float) else value


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

"""Conditions without parts on many customers at once, in plain Python: records of changes tell of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from models.audiences.columns import Column
from models.audiences.expressions import Compare, Logical, Number, columns_of, members_of
from models.audiences.single import COMPARE, Value, asker

Table: TypeAlias = Mapping[str, Sequence[Value]]
"""Columns (n,) by name, None for NULL; memberships by `columns.reference` of the audience's id."""
Ask: TypeAlias = Callable[[Table, int], Sequence[bool | None]]
"""Returns whether a condition holds for each of n customers, None for unknown."""


def asker_of_many(node: Logical) -> Ask:
    """Return a condition without parts as a function of a table."""
    match node:
        case Compare(op, Column(name), Number(limit)):
            compare = COMPARE[op]
            return lambda table, _: [None if x is None else compare(x, limit) for x in table[name]]  # type: ignore[arg-type] # numbers are compared with columns of numbers only
        case _:
            ask, names = asker(node), names_of(node)
            return lambda table, n: [ask({name: table[name][i] for name in names}) for i in range(n)]


def names_of(node: Logical) -> tuple[str, ...]:
    """Return the columns of a condition, and those of the audiences that it refers to, each once."""
    names = [column.name for column in columns_of(node)] + [member.name for member in members_of(node)]
    return tuple(dict.fromkeys(names))

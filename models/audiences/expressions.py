"""Conditions as trees: small immutable nodes, equal when they say the same, and their SQL text.

NULL is unknown: a comparison with it is unknown, NOT keeps it, AND is false and OR is true as soon as one
side settles it (Kleene's strong logic, as SQL has it).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from models.audiences.columns import Column


@dataclass(frozen=True, slots=True)
class Number:
    """A number, at most 15 digits."""

    value: float


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left op right` for +, -, *, /; unknown when a side is."""

    op: str
    left: Numeric
    right: Numeric


@dataclass(frozen=True, slots=True)
class Negative:
    """`-operand`."""

    operand: Numeric


@dataclass(frozen=True, slots=True)
class Absolute:
    """`ABS(operand)`."""

    operand: Numeric


@dataclass(frozen=True, slots=True)
class NullIf:
    """`NULLIF(operand, value)`: unknown where the operand equals the value."""

    operand: Numeric
    value: float


@dataclass(frozen=True, slots=True)
class FirstNumber:
    """`COALESCE(first, second, ...)` of numbers: the first that is known."""

    operands: tuple[Numeric, ...]


@dataclass(frozen=True, slots=True)
class Flag:
    """A yes/no column."""

    column: Column


@dataclass(frozen=True, slots=True)
class Member:
    """Membership in another audience, as of the same decision; never unknown."""

    audience_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """`TRUE` or `FALSE`."""

    value: bool


@dataclass(frozen=True, slots=True)
class Compare:
    """`left op right` of numbers for =, <>, <, <=, >, >=."""

    op: str
    left: Numeric
    right: Numeric


@dataclass(frozen=True, slots=True)
class NumberIn:
    """`operand IN (values)`, two values or more."""

    operand: Numeric
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TextIn:
    """`column = 'text'` or `column IN ('text', ...)`."""

    column: Column
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    """`operand IS NULL`; never unknown."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Not:
    """`NOT operand`."""

    operand: Logical


@dataclass(frozen=True, slots=True)
class And:
    """`first AND second AND ...`."""

    operands: tuple[Logical, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """`first OR second OR ...`."""

    operands: tuple[Logical, ...]


@dataclass(frozen=True, slots=True)
class Same:
    """`left = right` of two yes/no expressions."""

    left: Logical
    right: Logical


@dataclass(frozen=True, slots=True)
class FirstTruth:
    """`COALESCE(first, second, ...)` of yes/no expressions."""

    operands: tuple[Logical, ...]


Numeric: TypeAlias = Column | Number | Arithmetic | Negative | Absolute | NullIf | FirstNumber
"""Expressions of kind NUMBER, and a column of kind TEXT where IS NULL asks for it."""
Logical: TypeAlias = (
    Flag | Member | Constant | Compare | NumberIn | TextIn | IsNull | Not | And | Or | Same | FirstTruth
)
"""Expressions of kind BOOLEAN."""
Expression: TypeAlias = Numeric | Logical


def children(node: Expression) -> tuple[Expression, ...]:
    """Return the expressions that a node is made of, left to right."""
    match node:
        case Arithmetic() | Compare() | Same():
            return (node.left, node.right)
        case Negative() | Absolute() | NullIf() | IsNull() | Not() | NumberIn():
            return (node.operand,)
        case FirstNumber() | And() | Or() | FirstTruth():
            return node.operands
        case _:
            return ()


def columns_of(node: Expression) -> Iterator[Column]:
    """Yield the columns that an expression reads, left to right, again where it names one again."""
    match node:
        case Column():
            yield node
        case Flag() | TextIn():
            yield node.column
        case _:
            for child in children(node):
                yield from columns_of(child)


def members_of(node: Expression) -> Iterator[Member]:
    """Yield the audiences that an expression refers to."""
    if isinstance(node, Member):
        yield node
    for child in children(node):
        yield from members_of(child)


def number_text(value: float) -> str:
    """Return a number as SQL writes it, without an exponent."""
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")


def sql(node: Expression) -> str:  # noqa: C901, PLR0911 - a case for each kind of node
    """Return the SQL of an expression, in brackets wherever they could matter."""
    match node:
        case Column() | Member():
            return node.name
        case Flag():
            return node.column.name
        case Number():
            return number_text(node.value)
        case Constant():
            return "TRUE" if node.value else "FALSE"
        case Negative():
            return f"-{_inner(node.operand)}"
        case And() | Or():
            word = " AND " if isinstance(node, And) else " OR "
            return word.join(_term(operand) for operand in node.operands)
        case Not():
            return _negated(node.operand)
        case TextIn():
            return _in(node.column.name, [_quoted(text) for text in node.texts])
        case NumberIn():
            return _in(_inner(node.operand), [number_text(value) for value in node.values])
        case IsNull():
            return f"{_inner(node.operand)} IS NULL"
        case _:
            return _operation(node)


def _operation(node: Arithmetic | Compare | Same | Absolute | NullIf | FirstNumber | FirstTruth) -> str:
    match node:
        case Arithmetic() | Compare():
            return f"{_inner(node.left)} {node.op} {_inner(node.right)}"
        case Same():
            return f"{_inner(node.left)} = {_inner(node.right)}"
        case Absolute():
            return f"ABS({sql(node.operand)})"
        case NullIf():
            return f"NULLIF({sql(node.operand)}, {number_text(node.value)})"
        case FirstNumber() | FirstTruth():
            return f"COALESCE({', '.join(sql(operand) for operand in node.operands)})"


def _negated(operand: Logical) -> str:
    match operand:
        case TextIn(column, (text,)):
            return f"{column.name} <> {_quoted(text)}"
        case TextIn(column, texts):
            return f"{column.name} NOT IN ({', '.join(_quoted(text) for text in texts)})"
        case NumberIn(inner, values):
            return f"{_inner(inner)} NOT IN ({', '.join(map(number_text, values))})"
        case IsNull(inner):
            return f"{_inner(inner)} IS NOT NULL"
        case _:
            return f"NOT {_inner(operand)}"


def _in(left: str, values: list[str]) -> str:
    return f"{left} = {values[0]}" if len(values) == 1 else f"{left} IN ({', '.join(values)})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _term(node: Logical) -> str:
    """Return the SQL of an operand of AND and OR: comparisons need no brackets."""
    return _inner(node) if isinstance(node, And | Or | Same) else sql(node)


_BARE = Column | Flag | Member | Number | Constant | Absolute | NullIf | FirstNumber | FirstTruth


def _inner(node: Expression) -> str:
    """Return the SQL of an operand, in brackets unless it is a name, a number or a call."""
    return sql(node) if isinstance(node, _BARE) else f"({sql(node)})"

"""What is asked of sqlglot's tree and of its errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp
from sqlglot.errors import SqlglotError

from models.audiences.problems import ConditionError


def syntax_error(error: SqlglotError) -> ConditionError:
    """Return what sqlglot could not parse, with its line."""
    details: Sequence[Mapping[str, object]] = getattr(error, "errors", ())
    if not details:
        return ConditionError("it is not a complete condition")
    first = details[0]
    line, highlight = first.get("line"), first.get("highlight")
    near = f" near {highlight!r}" if highlight else ""
    return ConditionError(f"it is not a complete condition{near}", line if isinstance(line, int) else 1)


def line_of(node: exp.Expression) -> int:
    """Return the line of the first name in a node, 1 when it has none."""
    return min((int(name.meta.get("line", 1)) for name in node.find_all(exp.Identifier)), default=1)


def operands_of(node: exp.Expression) -> list[exp.Expression]:
    """Return the sides of a chain of AND or of OR, left to right."""
    found, chain = [], type(node)
    while type(node) is chain:
        found.append(node.expression)
        node = node.this
    return [node, *reversed(found)]


def plain(node: exp.Expression) -> exp.Expression:
    """Return the node within brackets."""
    while isinstance(node, exp.Paren):
        node = node.this
    return node

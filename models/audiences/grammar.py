"""SQL conditions: what of SQL they may use, parsed by sqlglot into `expressions`.

    condition   = TRUE | FALSE | flag | is_<audience> | comparison | (condition)
                | NOT condition | condition AND condition | condition OR condition
                | COALESCE(condition, condition, ...)
    comparison  = number =|<>|<|<=|>|>= number | number [NOT] BETWEEN number AND number
                | number [NOT] IN (constant, ...) | text =|<> 'literal' | text [NOT] IN ('literal', ...)
                | simple =|<> simple | number IS [NOT] NULL | text IS [NOT] NULL | simple IS [NOT] NULL
    simple      = flag | is_<audience> | TRUE | FALSE | (condition) | COALESCE(condition, ...)
    number      = column | constant | -number | number +|-|* number | number / divisor
                | ABS(number) | COALESCE(number, ...) | NULLIF(number, constant) | (number)
    divisor     = NULLIF(number, 0)
    constant    = digits [. digits], at most 15 digits, and arithmetic of these

Everything else is refused. What is left means the same in SQL databases, here, and in polars' `sql_expr`, on
columns in which NaN is NULL; what is missing is so because they disagree:

- *Divisors* are `NULLIF(x, 0)`: x / 0 is an error in PostgreSQL, NULL in SQLite, infinity in polars; so it is
  NULL, and says so. A constant divisor is refused, since polars multiplies by its reciprocal (49 / 49 < 1).
- *`IS TRUE`, `IS FALSE`*: polars leaves NULL unknown. `COALESCE(flag, FALSE)` says the same.
- *`IS NULL`, `=` and `<>` on conditions* want brackets: parsers disagree about `a > 1 IS NULL`.
- *NULL* stands only after IS: compared with anything it is never true.
- *Texts* have no order (they are codes) and are compared with literals only.
- *Signs*: a + before a number is dropped by one parser and an addition to the other.
- *Numbers* beyond 15 digits, exponents and arithmetic of constants beyond 1e15 differ in their types.

Arithmetic is IEEE double precision; a result that is not a number (infinity - infinity) is NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.parser import Parser

from models.audiences.columns import Column, Kind
from models.audiences.expressions import (
    Absolute,
    And,
    Arithmetic,
    Compare,
    Constant,
    Expression,
    FirstNumber,
    FirstTruth,
    Flag,
    IsNull,
    Logical,
    Member,
    Negative,
    Not,
    NullIf,
    Number,
    NumberIn,
    Numeric,
    Or,
    Same,
    TextIn,
    children,
    columns_of,
)
from models.audiences.problems import ConditionError, nearest
from models.audiences.syntax import line_of, operands_of, plain, syntax_error
from models.audiences.tokens import tokens_of

MAX_DEPTH = 60
"""Deepest nesting of a condition."""
MAX_CONSTANT = 1e15
"""Largest constant, also as the result of arithmetic."""

_COMPARISONS: dict[type[exp.Expression], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_ARITHMETIC: dict[type[exp.Expression], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
_FOLD: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}
_LOGICAL: tuple[type[exp.Expression], ...] = (
    *_COMPARISONS,
    exp.And,
    exp.Or,
    exp.Not,
    exp.Boolean,
    exp.Between,
    exp.In,
    exp.Is,
)


def read(
    text: str, columns: Mapping[str, Column], audiences: Mapping[str, str]
) -> tuple[Logical | None, list[ConditionError]]:
    """Return the condition, None when it cannot be used, and everything that is wrong with it.

    Args:
        text: SQL.
        columns: those that it may name.
        audiences: id of each audience by the name of its yes/no column.
    """
    reader = _Reader(columns, audiences)
    try:
        tokens = tokens_of(text)
        parsed = Parser(error_level=ErrorLevel.IMMEDIATE).parse_into(exp.Condition, tokens, text)
        if len(parsed) != 1 or parsed[0] is None:
            return None, [ConditionError("there is no condition")]
        reader.check_names(parsed[0])
        if reader.errors:
            return None, reader.errors
        found = reader.logical(parsed[0])
        if _depth(found) > MAX_DEPTH:
            reader.errors.append(ConditionError(f"it is nested more than {MAX_DEPTH} deep"))
    except ConditionError as error:
        return None, [*reader.errors, error]
    except SqlglotError as error:
        return None, [syntax_error(error)]
    except RecursionError:
        return None, [ConditionError(f"it is nested more than {MAX_DEPTH} deep")]
    return (None, reader.errors) if reader.errors else (found, [])


def _depth(node: Expression) -> int:
    return 1 + max((_depth(child) for child in children(node)), default=0)


class _Reader:
    """Turns sqlglot's tree into ours; collects the errors of the sides of AND and OR."""

    def __init__(self, columns: Mapping[str, Column], audiences: Mapping[str, str]) -> None:
        self.columns = columns
        self.audiences = audiences
        self.errors: list[ConditionError] = []

    def check_names(self, node: exp.Expression) -> None:
        """Note each name that is not known."""
        unknown: dict[str, int] = {}
        for column in node.find_all(exp.Column):
            if column.name not in self.columns and column.name not in self.audiences:
                unknown.setdefault(column.name, line_of(column))
        for name, line in sorted(unknown.items(), key=lambda item: item[1]):
            known = [*self.columns, *self.audiences]
            self.errors.append(ConditionError(f"unknown column {name}", line, nearest(name, known)))

    # ---- yes/no ---------------------------------------------------------------------------------
    def logical(self, node: exp.Expression) -> Logical:  # noqa: C901, PLR0911 - a case for each kind of node
        """Return a yes/no expression.

        Raises:
            ConditionError: it is none.
        """
        match node:
            case exp.Paren():
                return self.logical(node.this)
            case exp.And() | exp.Or():
                return self._connected(node)
            case exp.Not():
                return Not(self.logical(node.this))
            case exp.Boolean():
                return Constant(bool(node.this))
            case exp.Column():
                return self._flag(node)
            case exp.Coalesce() if self._kind(node) is Kind.BOOLEAN:
                return FirstTruth(tuple(map(self.logical, (node.this, *node.expressions))))
            case exp.Between():
                return self._between(node)
            case exp.In():
                return self._in(node)
            case exp.Is():
                return self._is(node)
            case _ if type(node) in _COMPARISONS:
                return self._compare(node, _COMPARISONS[type(node)])
        if self._kind(node) is Kind.BOOLEAN:
            raise ConditionError(f"{node.sql()} is not allowed in conditions", line_of(node))
        raise ConditionError(f"{node.sql()} is no condition: compare it with something", line_of(node))

    def _connected(self, node: exp.And | exp.Or) -> Logical:
        found: list[Logical] = []
        for operand in operands_of(node):
            try:
                found.append(self.logical(operand))
            except ConditionError as error:
                self.errors.append(error)
        if not found:  # errors are noted, the result is not used
            return Constant(False)
        return And(tuple(found)) if isinstance(node, exp.And) else Or(tuple(found))

    def _flag(self, node: exp.Column) -> Logical:
        name = node.name
        if name in self.audiences:
            return Member(self.audiences[name], name)
        column = self.columns[name]
        if column.kind is Kind.BOOLEAN:
            return Flag(column)
        example = f"{name} > 0" if column.kind is Kind.NUMBER else f"{name} = 'some text'"
        raise ConditionError(f"{name} is a {column.kind.value}: compare it, such as {example}", line_of(node))

    def _compare(self, node: exp.Expression, op: str) -> Logical:
        left, right = node.this, node.expression
        kinds = self._kind(left), self._kind(right)
        if kinds[0] is not kinds[1]:
            raise ConditionError(
                f"{node.sql()} compares a {kinds[0].value} with a {kinds[1].value}", line_of(node)
            )
        if kinds[0] is Kind.NUMBER:
            return self._compare_numbers(node, op)
        if op not in {"=", "<>"}:
            raise ConditionError(
                f"{node.sql()}: a {kinds[0].value} has no order, only =, <> and IN", line_of(node)
            )
        found: Logical
        if kinds[0] is Kind.TEXT:
            found = self._text_is(left, [right])
        else:
            found = Same(self._simple(left), self._simple(right))
        return found if op == "=" else Not(found)

    def _compare_numbers(self, node: exp.Expression, op: str) -> Logical:
        left, right = self._number(node.this), self._number(node.expression)
        if not any(columns_of(left)) and not any(columns_of(right)):
            raise ConditionError(f"{node.sql()} is the same for every customer", line_of(node))
        return Compare(op, left, right)

    def _simple(self, node: exp.Expression) -> Logical:
        """Return a yes/no operand of = and IS NULL."""
        if not isinstance(node, exp.Column | exp.Boolean | exp.Paren | exp.Coalesce):
            raise ConditionError(f"put {node.sql()} in brackets", line_of(node))
        return self.logical(node)

    def _text_is(self, node: exp.Expression, texts: Sequence[exp.Expression]) -> TextIn:
        node, values = plain(node), [plain(text) for text in texts]
        if isinstance(node, exp.Literal) and len(values) == 1:  # 'DE' = country
            node, values = values[0], [node]
        if not isinstance(node, exp.Column) or self._kind(node) is not Kind.TEXT:
            raise ConditionError(f"{node.sql()}: texts are compared as in country = 'DE'", line_of(node))
        found = []
        for value in values:
            if not isinstance(value, exp.Literal) or not value.is_string:
                raise ConditionError(
                    f"{node.name} is compared with a text in quotes, not {value.sql()}", line_of(node)
                )
            found.append(value.name)
        column = self.columns[node.name]
        if unknown := [text for text in found if column.texts and text not in column.texts]:
            meant = nearest(unknown[0], column.texts) or column.texts
            raise ConditionError(f"{node.name} is never '{unknown[0]}'", line_of(node), meant)
        return TextIn(column, tuple(dict.fromkeys(found)))

    def _between(self, node: exp.Between) -> Logical:
        low, high = node.args["low"], node.args["high"]
        if node.args.get("symmetric") is not None:
            raise ConditionError("BETWEEN SYMMETRIC is not allowed", line_of(node))
        if {self._kind(node.this), self._kind(low), self._kind(high)} != {Kind.NUMBER}:
            raise ConditionError(f"{node.sql()}: BETWEEN compares numbers", line_of(node))
        operand = self._number(node.this)
        if not any(columns_of(operand)):
            raise ConditionError(f"{node.sql()}: BETWEEN wants a column on its left", line_of(node))
        return And((Compare(">=", operand, self._number(low)), Compare("<=", operand, self._number(high))))

    def _in(self, node: exp.In) -> Logical:
        if not node.expressions or any(node.args.get(key) for key in ("query", "unnest", "field")):
            raise ConditionError(f"{node.sql()}: IN wants a list in brackets", line_of(node))
        kind = self._kind(node.this)
        if kind is Kind.TEXT:
            return self._text_is(node.this, node.expressions)
        if kind is Kind.BOOLEAN:
            raise ConditionError(f"{node.sql()}: IN compares numbers and texts", line_of(node))
        operand = self._number(node.this)
        if not any(columns_of(operand)):
            raise ConditionError(f"{node.sql()}: IN wants a column on its left", line_of(node))
        values = []
        for item in node.expressions:
            value = self._number(item) if self._kind(item) is Kind.NUMBER else None
            if not isinstance(value, Number):
                raise ConditionError(f"{node.sql()}: the list holds constants of one kind", line_of(node))
            values.append(value.value)
        distinct = tuple(dict.fromkeys(values))
        return NumberIn(operand, distinct) if distinct[1:] else Compare("=", operand, Number(*distinct))

    def _is(self, node: exp.Is) -> Logical:
        if not isinstance(node.expression, exp.Null):
            raise ConditionError(
                f"{node.sql()}: write NULL after IS, and COALESCE(x, FALSE) for IS TRUE", line_of(node)
            )
        kind = self._kind(node.this)
        if kind is Kind.BOOLEAN:
            return IsNull(self._simple(node.this))
        bare = plain(node.this)
        if kind is Kind.TEXT and isinstance(bare, exp.Column):
            return IsNull(self.columns[bare.name])
        operand = self._number(node.this)
        if not any(columns_of(operand)):
            raise ConditionError(f"{node.sql()} is the same for every customer", line_of(node))
        return IsNull(operand)

    # ---- numbers --------------------------------------------------------------------------------
    def _number(self, node: exp.Expression) -> Numeric:  # noqa: PLR0911 - a case for each kind of node
        """Return a number.

        Raises:
            ConditionError: it is none.
        """
        if self._kind(node) is not Kind.NUMBER:
            raise ConditionError(
                f"{node.sql()} is a {self._kind(node).value}, a number is wanted", line_of(node)
            )
        match node:
            case exp.Paren():
                return self._number(node.this)
            case exp.Literal():
                return Number(float(node.name))
            case exp.Column():
                return self.columns[node.name]
            case exp.Neg():
                inner = self._number(node.this)
                return Number(-inner.value) if isinstance(inner, Number) else Negative(inner)
            case exp.Abs():
                inner = self._number(node.this)
                return Number(abs(inner.value)) if isinstance(inner, Number) else Absolute(inner)
            case exp.Coalesce():
                return FirstNumber(tuple(map(self._number, (node.this, *node.expressions))))
            case exp.Nullif():
                return self._null_if(node)
            case _ if type(node) in _ARITHMETIC:
                return self._arithmetic(node, _ARITHMETIC[type(node)])
        raise ConditionError(f"{node.sql()} is not allowed in conditions", line_of(node))

    def _null_if(self, node: exp.Nullif) -> Numeric:
        operand, value = self._number(node.this), self._number(node.expression)
        if not any(columns_of(operand)) or not isinstance(value, Number):
            raise ConditionError(f"{node.sql()}: NULLIF takes a column and a constant", line_of(node))
        return NullIf(operand, value.value)

    def _arithmetic(self, node: exp.Expression, op: str) -> Numeric:
        left, right = self._number(node.this), self._number(node.expression)
        if op == "/":
            self._check_divisor(node, right)
        elif isinstance(left, Number) and isinstance(right, Number):
            value = _FOLD[op](left.value, right.value)
            if abs(value) > MAX_CONSTANT:
                raise ConditionError(f"{node.sql()} is beyond 1e15", line_of(node))
            return Number(value)
        return Arithmetic(op, left, right)

    def _check_divisor(self, node: exp.Expression, right: Numeric) -> None:
        divisor = node.expression.sql()
        if isinstance(right, Number):
            raise ConditionError(
                f"{node.sql()} divides by a constant: multiply the other side by {divisor}", line_of(node)
            )
        if not isinstance(right, NullIf) or right.value != 0:
            raise ConditionError(f"{node.sql()} may divide by 0: write / NULLIF({divisor}, 0)", line_of(node))

    def _kind(self, node: exp.Expression) -> Kind:
        """Return the type of an expression by its outermost node."""
        match plain(node):
            case exp.Column() as column:
                return Kind.BOOLEAN if column.name in self.audiences else self.columns[column.name].kind
            case exp.Literal() as literal:
                return Kind.TEXT if literal.is_string else Kind.NUMBER
            case exp.Null():
                raise ConditionError("nothing equals NULL: write IS NULL", line_of(node.parent or node))
            case exp.Coalesce() as coalesce:
                return self._kind_of_coalesce(coalesce)
            case bare if isinstance(bare, _LOGICAL):
                return Kind.BOOLEAN
            case _:
                return Kind.NUMBER

    def _kind_of_coalesce(self, node: exp.Coalesce) -> Kind:
        kind = self._kind(node.this)
        if kind is Kind.TEXT:
            raise ConditionError(
                f"{node.sql()}: write {node.this.sql()} IS NULL OR {node.this.sql()} = 'text'", line_of(node)
            )
        if not node.expressions:
            raise ConditionError(f"{node.sql()}: COALESCE takes two values or more", line_of(node))
        return kind

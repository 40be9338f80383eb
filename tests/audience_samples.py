"""Conditions as Hypothesis draws them, and small tables to evaluate them on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from hypothesis import strategies as st

from models.audiences.columns import Column, Inputs, Kind, TextCodes
from models.events import F64

COLUMNS = {
    column.name: column
    for column in (
        *(Column(name, Kind.NUMBER, f"the {name}") for name in ("aa", "bb", "cc")),
        Column("tt", Kind.TEXT, "the tt", "name", "one"),
        Column("uu", Kind.TEXT, "the uu", "name", "two"),
        Column("ff", Kind.BOOLEAN, "the ff", "flag"),
        Column("gg", Kind.BOOLEAN, "the gg", "flag"),
    )
}
AUDIENCES = {"is_x_1": "x-1", "is_y": "y"}
SLOTS = {"x-1": 3, "y": 31}
NUMBERS = (-2.0, -1.0, -0.0, 0.0, 0.1, 0.30000000000000004, 0.5, 1.0, 2.0, 3.0, 49.0, 1e6, 123456.789)
TEXTS = ("DE", "AT", "O'Brien", "", "%", "NULL")
CONSTANTS = ("0", "1", "2", "0.5", "49", "0.1", "1000000", "999999999999999", "2 * 3", "1 - 0.5", "-1", "(2)")


@dataclass(frozen=True)
class Table:
    """The same rows for polars, for the program, and one by one."""

    rows: list[dict[str, Any]]

    @property
    def frame(self) -> pl.DataFrame:
        """Return the rows as polars has them."""
        types: dict[str, Any] = dict.fromkeys(("aa", "bb", "cc"), pl.Float64)
        types |= dict.fromkeys(("tt", "uu"), pl.String)
        types |= dict.fromkeys(("ff", "gg", *AUDIENCES), pl.Boolean)
        return pl.DataFrame(self.rows, schema=types)

    def inputs(self) -> Inputs:
        """Return the rows as the program takes them."""
        codes, columns = TextCodes(), {}
        for name, column in COLUMNS.items():
            values = [row[name] for row in self.rows]
            if column.kind is Kind.TEXT:
                columns[name] = codes.encode(column.namespace, values)
            else:
                columns[name] = np.array([np.nan if v is None else float(v) for v in values], np.float64)
        return Inputs(columns, len(self.rows), [codes])

    def members(self) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
        """Return the memberships as bits of their slots."""
        bits = [sum(int(row[name]) << SLOTS[of] for name, of in AUDIENCES.items()) for row in self.rows]
        return np.array(bits, np.uint32)


def _maybe(values: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    return st.sampled_from((None, *values))


ROW = st.fixed_dictionaries(
    {
        **dict.fromkeys(("aa", "bb", "cc"), _maybe(NUMBERS)),
        **dict.fromkeys(("tt", "uu"), _maybe(TEXTS)),
        **dict.fromkeys(("ff", "gg"), _maybe((True, False))),
        **dict.fromkeys(AUDIENCES, st.booleans()),
    }
)
TABLES = st.lists(ROW, min_size=1, max_size=12).map(Table)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _bracket(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return inner.map("({})".format)


_NUMBER_COLUMN = st.sampled_from(("aa", "bb", "cc", '"aa"'))
_CONSTANT = st.sampled_from(CONSTANTS)
_SPACE = st.sampled_from((" ", "\n", "  ", ""))
_JOINT = st.tuples(st.sampled_from(("+", "-", "*")), _SPACE).map(lambda t: f" {t[0]} {t[1]}")


def _numbers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return numbers made of numbers that stand in brackets or may be juxtaposed as they are."""
    either = st.one_of(_NUMBER_COLUMN, _CONSTANT, _bracket(inner))
    return st.one_of(
        st.tuples(_NUMBER_COLUMN, _JOINT, either).map("".join),
        st.tuples(either, _JOINT, _NUMBER_COLUMN, _JOINT, either).map("".join),
        st.tuples(either, _NUMBER_COLUMN).map(lambda t: f"{t[0]} / NULLIF({t[1]}, 0)"),
        st.tuples(_NUMBER_COLUMN, inner).map(lambda t: f"{t[0]} / NULLIF({t[0]} - {t[1]}, 0)"),
        st.tuples(_NUMBER_COLUMN, _CONSTANT).map(lambda t: f"nullif({t[0]}, {t[1]})"),
        st.tuples(inner, either).map(lambda t: f"COALESCE({t[0]}, {t[1]})"),
        inner.map("ABS({})".format),
        _bracket(inner).map("-{}".format),
        _NUMBER_COLUMN.map("- -{}".format),
    )


NUMERIC = st.recursive(_NUMBER_COLUMN, _numbers, max_leaves=5)
_OPERATOR = st.sampled_from((" = ", "<>", "!=", "<", " <=", "> ", ">=", " == "))
_NOT = st.sampled_from(("", " NOT", " not"))
_LIST = st.lists(_CONSTANT, min_size=1, max_size=4).map(", ".join)
_TEXT = st.sampled_from(TEXTS).map(_quoted)
_TEXT_COLUMN = st.sampled_from(("tt", "uu"))
_FLAG = st.sampled_from(("ff", "gg", *AUDIENCES))
_NULL = st.sampled_from((" IS NULL", " is not null"))
COMPARISONS = st.one_of(
    st.tuples(NUMERIC, _OPERATOR, st.one_of(_CONSTANT, NUMERIC)).map("".join),
    st.tuples(_CONSTANT, _OPERATOR, NUMERIC).map("".join),
    st.tuples(NUMERIC, _NOT, st.one_of(_CONSTANT, NUMERIC), _CONSTANT).map(
        lambda t: f"{t[0]}{t[1]} BETWEEN {t[2]} AND {t[3]}"
    ),
    st.tuples(NUMERIC, _NOT, _LIST).map(lambda t: f"{t[0]}{t[1]} IN ({t[2]})"),
    st.tuples(_TEXT_COLUMN, _NOT, st.lists(_TEXT, min_size=1, max_size=3)).map(
        lambda t: f"{t[0]}{t[1]} IN ({', '.join(t[2])})"
    ),
    st.tuples(_TEXT_COLUMN, st.sampled_from((" = ", "<>", "!=")), _TEXT).map("".join),
    st.tuples(_TEXT, st.sampled_from(("=", " <> ")), _TEXT_COLUMN).map("".join),
    st.tuples(st.one_of(_TEXT_COLUMN, _NUMBER_COLUMN, _FLAG, _bracket(NUMERIC)), _NULL).map("".join),
)


def _conditions(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    simple = st.one_of(_FLAG, st.sampled_from(("TRUE", "false")), _bracket(inner))
    return st.one_of(
        st.tuples(inner, st.sampled_from((" AND ", " or ")), inner).map("".join),
        st.tuples(inner, st.sampled_from((" and ", "\nOR ")), inner, st.just(" AND "), inner).map("".join),
        st.tuples(st.sampled_from(("NOT ", "not not ")), st.one_of(inner, simple)).map("".join),
        st.tuples(simple, st.sampled_from(("=", " <> ", "!=")), simple).map("".join),
        st.tuples(_bracket(inner), _NULL).map("".join),
        st.tuples(inner, inner).map(lambda t: f"COALESCE({t[0]}, {t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"COALESCE({t[0]}, {t[1]}, FALSE)"),
        inner.map("NOT COALESCE({}, FALSE)".format),
        inner.map("coalesce({}, TRUE)".format),
    )


CONDITIONS = st.recursive(
    st.one_of(COMPARISONS, _FLAG, st.sampled_from(("TRUE", "FALSE"))), _conditions, max_leaves=6
)
"""Texts that the grammar accepts."""

_SOUP = (
    *("aa", "bb", "tt", "ff", "gg", "is_y", "1", "2", "0", "0.5", "'DE'", "''", "(", ")", ","),
    *("AND", "OR", "NOT", "IN", "BETWEEN", "IS", "NULL", "TRUE", "COALESCE", "NULLIF", "ABS"),
    *("=", "<>", "<", ">=", "+", "-", "*", "/", "1.", ".5", "--", "/*", "*/", ";", "x", "||", "%", "SUM"),
)
_PIECES = st.sampled_from(
    ("aa > 1", "ff", "NOT ff", "tt = 'DE'", "aa IN (1, 2)", "bb BETWEEN 1 AND 2", "aa", "(ff)", "IS NOT NULL")
)
SOUP = st.lists(st.one_of(st.sampled_from(_SOUP), _PIECES), min_size=1, max_size=9).map(" ".join)
"""Texts that the grammar mostly refuses."""


def truths(values: F64) -> list[bool | None]:
    """Return 1, 0 and NaN as Python has them."""
    return [None if np.isnan(value) else bool(value) for value in values]

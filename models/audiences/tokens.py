"""The words and signs that conditions are made of; all others are refused before anything is parsed."""

from __future__ import annotations

import re
from itertools import pairwise

from sqlglot.tokens import Token, Tokenizer, TokenType

from models.audiences.problems import ConditionError

MAX_CHARS = 4000
"""Longest condition."""
MAX_DIGITS = 15
"""Digits of a constant: more are not exact in double precision."""

FUNCTIONS = frozenset(("COALESCE", "ABS", "NULLIF"))
_NUMBER = re.compile(r"\d+(\.\d+)?")
_WORDS = (
    *(TokenType.AND, TokenType.OR, TokenType.NOT, TokenType.IN, TokenType.BETWEEN, TokenType.IS),
    *(TokenType.NULL, TokenType.TRUE, TokenType.FALSE),
)
_SIGNS = (
    *(TokenType.EQ, TokenType.NEQ, TokenType.LT, TokenType.LTE, TokenType.GT, TokenType.GTE),
    *(TokenType.PLUS, TokenType.DASH, TokenType.STAR, TokenType.SLASH),
    *(TokenType.L_PAREN, TokenType.R_PAREN, TokenType.COMMA),
)
_VALUES = (TokenType.VAR, TokenType.IDENTIFIER, TokenType.NUMBER, TokenType.STRING)
_BEFORE_PLUS = frozenset((TokenType.VAR, TokenType.IDENTIFIER, TokenType.NUMBER, TokenType.R_PAREN))
"""A sign before a number is dropped by sqlglot, whatever follows; polars adds what follows to 0."""
_OPERAND_ENDS = _BEFORE_PLUS | {TokenType.STRING, TokenType.TRUE, TokenType.FALSE, TokenType.NULL}
_TOKENS = frozenset((*_WORDS, *_SIGNS, *_VALUES))


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of a condition.

    Raises:
        ConditionError: one is not part of the grammar.
    """
    if len(text) > MAX_CHARS:
        raise ConditionError(f"it has {len(text)} characters, at most {MAX_CHARS} are allowed")
    tokens = Tokenizer().tokenize(text)
    if not tokens:
        raise ConditionError("there is no condition")
    for token in tokens:
        if token.comments:
            raise ConditionError("comments stand outside the condition, after #", token.line)
        if token.token_type not in _TOKENS:
            raise ConditionError(f"{token.text} is not allowed in conditions", token.line)
        if token.token_type is TokenType.NUMBER and not _usable(token.text):
            raise ConditionError(
                f"{token.text} is not a number such as 12 or 0.5, of at most {MAX_DIGITS} digits", token.line
            )
    _check_neighbours(tokens)
    return tokens


def _check_neighbours(tokens: list[Token]) -> None:
    if tokens[0].token_type is TokenType.PLUS:
        raise ConditionError("+ stands between two numbers", tokens[0].line)
    for left, middle, right in zip(tokens, tokens[1:], tokens[2:], strict=False):
        after = left.token_type in _OPERAND_ENDS and middle.token_type is TokenType.NOT
        if after and right.token_type not in {TokenType.IN, TokenType.BETWEEN}:
            raise ConditionError(f"NOT {right.text} does not follow {left.text}", middle.line)
    for name, following in pairwise(tokens):
        if following.token_type is TokenType.PLUS and name.token_type not in _BEFORE_PLUS:
            raise ConditionError("+ stands between two numbers", following.line)
        named = name.token_type in {TokenType.VAR, TokenType.IDENTIFIER}
        if named and following.token_type is TokenType.L_PAREN and name.text.upper() not in FUNCTIONS:
            allowed = ", ".join(sorted(FUNCTIONS))
            raise ConditionError(f"function {name.text} is not allowed, only {allowed}", name.line)


def _usable(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and len(text.replace(".", "").lstrip("0")) <= MAX_DIGITS

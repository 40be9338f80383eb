"""Reads the ordinary JSON records of a chunk in one compiled call: see `streams.codec.ordinary`.

A record is *ordinary* when it is certain what the parser of `streams.codec.parse` would make of it, and that
this violates no schema: plain ASCII texts without escapes, numbers of at most 15 digits without sign and
exponent, each known field once, no objects or lists in unknown fields. Of any other record nothing is said
here but that it is none; so when in doubt, it is none.

A function that reads something returns the position after it, or UNUSUAL.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from models.compiled import compiled, kernel
from models.events import I64, U8

Record: TypeAlias = Any
Records: TypeAlias = Any

UNUSUAL = -1
OTHER, ORDINARY, EXTENDED = 0, 1, 2
"""What a record is; extended: ordinary, and with fields that no schema knows."""
TEXT, TIME, NUMBER, WHOLE, LINES = range(5)
"""What a field holds; a time is a text or an integer."""
_LINE = 3
"""Objects are numbered like the topics of `streams.records`; order lines come after purchases."""


FIELDS = 32
"""Room for so many fields; all schemas together have fewer."""
_WIDTH = 16
"""Room for a field's name."""
TERMS = np.dtype(
    [
        ("names", "u1", (FIELDS, _WIDTH)),
        ("lengths", "<i8", (FIELDS,)),
        ("kinds", "<i8", (FIELDS,)),
        ("least", "<f8", (FIELDS,)),
        ("most", "<f8", (FIELDS,)),
        ("known", "<i8", (4,)),
        ("required", "<i8", (4,)),
        ("span", "<i8", (4, FIELDS)),
        ("number", "<i8", (4, FIELDS)),
        ("fields", "<i8"),
        ("max_bytes", "<i8"),
        ("max_lines", "<i8"),
        ("after", "<i8", (4, FIELDS + 1)),
        ("seen", "<i8"),
        ("previous", "<i8"),
        ("unknown", "<i8"),
    ],
    align=True,
)
"""What the schemas say of the fields of clicks, views, purchases and lines.

names: in ASCII, zeros behind them; lengths: of the names; kinds: TEXT to LINES; least, most: bounds of the
number, or of the text's length; known, required: bit masks by object; span, number: by object, column of
`spans` and `numbers` that a text or number goes to, -1 for none; fields: how many there are. What follows is
the kernel's own. after: by object, the field that came last after each; seen, previous: mask of the fields
met in the object, and the last of them; unknown: a field of the record is unknown. It is all one record
because numba counts references to arrays, and not to records.
"""
RECORD = np.dtype(
    [
        ("spans", "<i4", (14, 2)),
        ("numbers", "<f8", (4,)),
        ("lines", "<i4"),
        ("status", "<i4"),
    ],
    align=True,
)
"""What is read of a record; of one that is not ordinary, nothing.

spans: where a text begins in the buffer, and how long it is, 0 when absent, null or empty; numbers: NaN when
absent or null; lines: number of order lines; status: OTHER, ORDINARY or EXTENDED.
"""
LINE = np.dtype([("spans", "<i4", (2, 2)), ("numbers", "<f8", (3,))], align=True)
"""An order line, in the same way."""


@kernel
def scan(buffer: U8, ends: I64, topics: I64, terms: Records, out: Records, lines: Records) -> int:
    """Read n values.

    Args:
        buffer: the values, one behind the other.
        ends: (n,) where each ends.
        topics: (n,) index of `streams.records.INPUT_TOPICS`.
        terms: (1,) dtype TERMS.
        out: (n,) dtype RECORD, receives what was read.
        lines: dtype LINE, receives the lines of ordinary orders, one behind the other; when it is full,
            further orders are not ordinary.

    Returns:
        The number of lines.
    """
    t = terms[0]
    start = used = 0
    for i in range(len(ends)):
        end, e = ends[i], out[i]
        _clear(e)
        e.lines = e.status = t.unknown = 0
        whole = topics[i] < _LINE and end - start <= t.max_bytes
        if whole and _event(buffer, start, end, topics[i], t, e, lines, used):
            e.status = EXTENDED if t.unknown else ORDINARY
            used += e.lines
        else:
            _clear(e)
            e.lines = 0
        start = end
    return used


@compiled
def _clear(e: Record) -> None:
    """Let all texts and numbers be absent."""
    for k in range(e.spans.shape[0]):
        e.spans[k, 1] = 0
    for k in range(len(e.numbers)):
        e.numbers[k] = np.nan


@compiled
def _event(b: U8, at: int, end: int, topic: int, t: Record, e: Record, lines: Records, used: int) -> bool:
    """Read the record in [at, end); return whether it is ordinary."""
    t.seen = 0
    t.previous = t.fields
    at = _open(b, at, end)
    while at >= 0:
        field, at = _key(b, at, end, topic, t)
        if at < 0:
            return False
        if field < t.fields and t.kinds[field] == LINES and b[at] == ord("["):
            seen = t.seen
            at = _lines(b, at + 1, end, t, e, lines, used)
            t.seen, t.previous = seen, field
        else:
            at = _value(b, at, end, topic, field, t, e)
        at, closed = _next(b, at, end)
        if closed:
            return t.seen & t.required[topic] == t.required[topic] and _blank(b, at, end) == end
    return False


@compiled
def _lines(b: U8, at: int, end: int, t: Record, e: Record, lines: Records, used: int) -> int:
    """Read the lines of an order, at least one."""
    at = _blank(b, at, end)
    while at < end and used + e.lines < len(lines) and e.lines < t.max_lines:
        at = _line(b, at, end, t, lines[used + e.lines])
        if at < 0:
            break
        e.lines += 1
        at = _blank(b, at, end)
        if at < end and b[at] == ord("]"):
            return at + 1
        if at >= end or b[at] != ord(","):
            break
        at = _blank(b, at + 1, end)
    return UNUSUAL


@compiled
def _line(b: U8, at: int, end: int, t: Record, line: Record) -> int:
    """Read an order line."""
    _clear(line)
    t.seen = 0
    t.previous = t.fields
    at = _open(b, at, end)
    while at >= 0:
        field, at = _key(b, at, end, _LINE, t)
        if at < 0:
            break
        at = _value(b, at, end, _LINE, field, t, line)
        at, closed = _next(b, at, end)
        if closed:
            return at
    return UNUSUAL


@compiled
def _key(b: U8, at: int, end: int, kind: int, t: Record) -> tuple[int, int]:
    """Read a key whose quote is read, and the colon.

    Returns:
        The field, or the number of fields if the object's schema does not know it; and the position of the
        value, UNUSUAL if the field is met again.
    """
    start, at = at, _text(b, at, end)
    if at < 0:
        return 0, UNUSUAL
    field = _field(b, start, at - 1, t, t.after[kind, t.previous])
    at = _blank(b, at, end)
    if at >= end or b[at] != ord(":"):
        return 0, UNUSUAL
    at = _blank(b, at + 1, end)
    if at >= end:
        return 0, UNUSUAL
    if field == t.fields or not t.known[kind] >> field & 1:
        t.unknown = 1
        return t.fields, at
    if t.seen >> field & 1:
        return 0, UNUSUAL
    t.seen |= 1 << field
    t.after[kind, t.previous] = field
    t.previous = field
    return field, at


@compiled
def _field(b: U8, start: int, stop: int, t: Record, guess: int) -> int:
    """Return the number of a name, looking first at what came at this place before."""
    if guess < t.fields and _is_name(b, start, stop, t, guess):
        return guess
    for field in range(t.fields):
        if _is_name(b, start, stop, t, field):
            return field
    return t.fields


@compiled
def _is_name(b: U8, start: int, stop: int, t: Record, field: int) -> bool:
    """Return whether a text is the name of a field."""
    if stop - start != t.lengths[field]:
        return False
    for k in range(stop - start):  # noqa: SIM110 - compiled: `all` of a generator is not
        if b[start + k] != t.names[field, k]:
            return False
    return True


@compiled
def _value(b: U8, at: int, end: int, kind: int, field: int, t: Record, e: Record) -> int:
    """Read the value of a field, which is no list."""
    if field == t.fields:
        return _skip(b, at, end)
    if b[at] == ord("n"):
        return UNUSUAL if t.required[kind] >> field & 1 else _literal(b, at, end)
    if b[at] == ord('"') and t.kinds[field] <= TIME:
        return _text_value(b, at + 1, end, field, t.span[kind, field], t, e)
    if b[at] != ord('"') and TIME <= t.kinds[field] <= WHOLE:
        return _number_value(b, at, end, field, t.number[kind, field], t, e)
    return UNUSUAL


@compiled
def _text_value(b: U8, at: int, end: int, field: int, column: int, t: Record, e: Record) -> int:
    """Read a text behind its quote."""
    start, at = at, _text(b, at, end)
    length = at - 1 - start
    if at < 0 or length > t.most[field] or length < t.least[field]:
        return UNUSUAL
    if column >= 0:
        e.spans[column, 0] = start
        e.spans[column, 1] = length
    return at


@compiled
def _number_value(b: U8, at: int, end: int, field: int, column: int, t: Record, e: Record) -> int:
    """Read a number, or a time that is an integer."""
    value, at, decimals = _number(b, at, end)
    if t.kinds[field] == TIME:
        if decimals:
            return UNUSUAL
    elif value > t.most[field] or value < t.least[field]:
        return UNUSUAL
    if t.kinds[field] == WHOLE and value != np.floor(value):
        return UNUSUAL
    if column >= 0:
        e.numbers[column] = value
    return at


@compiled
def _blank(b: U8, at: int, end: int) -> int:
    """Return the position after white space."""
    while at < end and (b[at] == 32 or b[at] == 10 or b[at] == 13 or b[at] == 9):
        at += 1
    return at


@compiled
def _open(b: U8, at: int, end: int) -> int:
    """Return the position in an object's first key."""
    at = _blank(b, at, end)
    if at >= end or b[at] != ord("{"):
        return UNUSUAL
    at = _blank(b, at + 1, end)
    return at + 1 if at < end and b[at] == ord('"') else UNUSUAL


@compiled
def _next(b: U8, at: int, end: int) -> tuple[int, bool]:
    """Return the position in an object's next key, or that after the object and True."""
    if at < 0:
        return UNUSUAL, False
    at = _blank(b, at, end)
    if at < end and b[at] == ord("}"):
        return at + 1, True
    if at < end and b[at] == ord(","):
        at = _blank(b, at + 1, end)
        if at < end and b[at] == ord('"'):
            return at + 1, False
    return UNUSUAL, False


@compiled
def _text(b: U8, at: int, end: int) -> int:
    """Return the position after the closing quote of a plain text that begins here."""
    while at < end:
        byte = b[at]
        if byte == ord('"'):
            return at + 1
        if byte < 32 or byte > 126 or byte == ord("\\"):
            return UNUSUAL
        at += 1
    return UNUSUAL


@compiled
def _literal(b: U8, at: int, end: int) -> int:
    """Return the position after null, true or false."""
    if at + 4 <= end:
        if b[at] == ord("n") and b[at + 1] == ord("u") and b[at + 2] == ord("l") and b[at + 3] == ord("l"):
            return at + 4
        if b[at] == ord("t") and b[at + 1] == ord("r") and b[at + 2] == ord("u") and b[at + 3] == ord("e"):
            return at + 4
        if (
            at + 5 <= end
            and (b[at] == ord("f") and b[at + 1] == ord("a") and b[at + 2] == ord("l"))
            and (b[at + 3] == ord("s") and b[at + 4] == ord("e"))
        ):
            return at + 5
    return UNUSUAL


@compiled
def _digits(b: U8, at: int, end: int, value: int) -> tuple[int, int]:
    """Append digits to a number; return it, and the position after them, of at most 16."""
    stop = min(end, at + 16)
    while at < stop and ord("0") <= b[at] <= ord("9"):
        value = value * 10 + b[at] - ord("0")
        at += 1
    return value, at


@compiled
def _number(b: U8, at: int, end: int) -> tuple[float, int, bool]:
    """Read a number, exactly as a parser that rounds correctly: both parts of the quotient are exact.

    Returns:
        The number, the position after it, and whether it has a decimal point.
    """
    start = at
    value, at = _digits(b, at, end, 0)
    whole = at - start
    if whole == 0 or whole > 15 or (whole > 1 and b[start] == ord("0")):
        return 0.0, UNUSUAL, False
    scale, decimals = 1.0, False
    if at < end and b[at] == ord("."):
        decimals = True
        start = at + 1
        value, at = _digits(b, start, end, value)
        if at == start or whole + at - start > 15:
            return 0.0, UNUSUAL, False
        for _ in range(at - start):
            scale *= 10.0
    return value / scale, at, decimals


@compiled
def _skip(b: U8, at: int, end: int) -> int:
    """Return the position after the value of an unknown field."""
    if b[at] == ord('"'):
        return _text(b, at + 1, end)
    if ord("0") <= b[at] <= ord("9"):
        return _number(b, at, end)[1]
    return _literal(b, at, end)

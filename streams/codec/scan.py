"""Reads the ordinary JSON records of a chunk in one compiled call: see `streams.codec.ordinary`.

A record is *ordinary* when it is certain what the parser of `streams.codec.parse` would make of it, and that
this violates no schema: plain ASCII texts without escapes, numbers of at most 15 digits without sign and
exponent, each known field once, no objects or lists in unknown fields. Of any other record nothing is said
here but that it is none; so when in doubt, it is none.

A function that reads something returns the position after it, or UNUSUAL.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.compiled import compiled, kernel
from models.events import I64
from streams.codec.scan_types import Record, Records

UNUSUAL = -1
OTHER, ORDINARY, EXTENDED = 0, 1, 2
"""What a record is; extended: ordinary, and with fields that no schema knows."""
TEXT, TIME, NUMBER, WHOLE, LINES = range(5)
"""What a field holds; a time is a text or an integer."""
_LINE = 3
"""Objects are numbered like the topics of `streams.records`; order lines come after purchases."""

_ONES, _HIGH = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_BLANKS = _ONES * np.uint64(ord(" "))
_QUOTES, _ESCAPES = _ONES * np.uint64(ord('"')), _ONES * np.uint64(ord("\\"))
_ONE, _SEVEN, _BYTE, _TOP = np.uint64(1), np.uint64(7), np.uint64(8), np.uint64(56)
_NULL, _TRUE, _FALSE = (np.uint64(int.from_bytes(text, "little")) for text in (b"null", b"true", b"false"))
_FOUR, _FIVE = np.uint64(0xFFFFFFFF), np.uint64(0xFFFFFFFFFF)
_PLACES = np.uint64(0x0001020304050607)
"""Times 256 to the k, its highest byte is k."""


@kernel
def scan(buffer: Records, ends: I64, topics: I64, terms: Records, out: Records, lines: Records) -> int:
    """Read n values.

    Args:
        buffer: the values, one behind the other, and MARGIN more bytes; (1,) dtype LETTERS.
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
    b = buffer[0]
    start = used = 0
    for i in range(len(ends)):
        end, e = ends[i], out[i]
        _clear(e)
        e.lines = e.status = t.unknown = 0
        whole = topics[i] < _LINE and end - start <= t.max_bytes
        if whole and _event(b, start, end, topics[i], t, e, lines, used):
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
def _event(b: Record, at: int, end: int, topic: int, t: Record, e: Record, lines: Records, used: int) -> bool:
    """Read the record in [at, end); return whether it is ordinary."""
    at = _open(b, at, end, t)
    while at >= 0:
        field, at = _key(b, at, end, topic, t)
        if at < 0:
            return False
        if field < t.fields and t.kinds[field] == LINES and _byte(b, at) == ord("["):
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
def _lines(b: Record, at: int, end: int, t: Record, e: Record, lines: Records, used: int) -> int:
    """Read the lines of an order, at least one."""
    at = _blank(b, at, end)
    while at < end and used + e.lines < len(lines) and e.lines < t.max_lines:
        at = _line(b, at, end, t, lines[used + e.lines])
        if at < 0:
            break
        e.lines += 1
        at = _blank(b, at, end)
        if at < end and _byte(b, at) == ord("]"):
            return at + 1
        if at >= end or _byte(b, at) != ord(","):
            break
        at = _blank(b, at + 1, end)
    return UNUSUAL


@compiled
def _line(b: Record, at: int, end: int, t: Record, line: Record) -> int:
    """Read an order line."""
    _clear(line)
    at = _open(b, at, end, t)
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
def _key(b: Record, at: int, end: int, kind: int, t: Record) -> tuple[int, int]:
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
    if at >= end or _byte(b, at) != ord(":"):
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
def _field(b: Record, start: int, stop: int, t: Record, guess: int) -> int:
    """Return the number of a name, looking first at what came at this place before."""
    if guess < t.fields and _is_name(b, start, stop, t, guess):
        return guess
    for field in range(t.fields):
        if _is_name(b, start, stop, t, field):
            return field
    return t.fields


@compiled
def _is_name(b: Record, start: int, stop: int, t: Record, field: int) -> bool:
    """Return whether a text is the name of a field."""
    if stop - start != t.lengths[field] or _word(b, start) & t.masks[field, 0] != t.names[field, 0]:
        return False
    return bool(_word(b, start + 8) & t.masks[field, 1] == t.names[field, 1])


@compiled
def _value(b: Record, at: int, end: int, kind: int, field: int, t: Record, e: Record) -> int:
    """Read the value of a field, which is no list."""
    if field == t.fields:
        return _skip(b, at, end)
    if _byte(b, at) == ord("n"):
        return UNUSUAL if t.required[kind] >> field & 1 else _literal(b, at, end)
    if _byte(b, at) == ord('"') and t.kinds[field] <= TIME:
        return _text_value(b, at + 1, end, field, t.span[kind, field], t, e)
    if _byte(b, at) != ord('"') and TIME <= t.kinds[field] <= WHOLE:
        return _number_value(b, at, end, field, t.number[kind, field], t, e)
    return UNUSUAL


@compiled
def _text_value(b: Record, at: int, end: int, field: int, column: int, t: Record, e: Record) -> int:
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
def _number_value(b: Record, at: int, end: int, field: int, column: int, t: Record, e: Record) -> int:
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
def _blank(b: Record, at: int, end: int) -> int:
    """Return the position after white space."""
    while at < end and (_byte(b, at) == 32 or _byte(b, at) == 10 or _byte(b, at) == 13 or _byte(b, at) == 9):
        at += 1
    return at


@compiled
def _open(b: Record, at: int, end: int, t: Record) -> int:
    """Begin an object; return the position in its first key."""
    t.seen = 0
    t.previous = t.fields
    at = _blank(b, at, end)
    if at >= end or _byte(b, at) != ord("{"):
        return UNUSUAL
    at = _blank(b, at + 1, end)
    return at + 1 if at < end and _byte(b, at) == ord('"') else UNUSUAL


@compiled
def _next(b: Record, at: int, end: int) -> tuple[int, bool]:
    """Return the position in an object's next key, or that after the object and True."""
    if at < 0:
        return UNUSUAL, False
    at = _blank(b, at, end)
    if at < end and _byte(b, at) == ord("}"):
        return at + 1, True
    if at < end and _byte(b, at) == ord(","):
        at = _blank(b, at + 1, end)
        if at < end and _byte(b, at) == ord('"'):
            return at + 1, False
    return UNUSUAL, False


@compiled
def _text(b: Record, at: int, end: int) -> int:
    """Return the position after the closing quote of a plain text that begins here."""
    while at < end:
        unlike = _unlike(_word(b, at))
        if unlike:
            at += int(((unlike & (~unlike + _ONE)) >> _SEVEN) * _PLACES >> _TOP)
            return at + 1 if at < end and _byte(b, at) == ord('"') else UNUSUAL
        at += 8
    return UNUSUAL


@compiled
def _byte(b: Record, at: int) -> Any:
    """Return a byte; an index without sign need not be looked at for being negative."""
    return b.letters[np.uint64(at)]


@compiled
def _word(b: Record, at: int) -> Any:
    """Return eight bytes, the first one lowest: one load, once compiled."""
    word = np.uint64(0)
    for k in range(8):
        word |= np.uint64(_byte(b, at + k)) << _BYTE * np.uint64(k)
    return word


@compiled
def _unlike(word: Any) -> Any:
    """Return a word whose lowest bit is in the first byte that ends a plain text; 0 if there is none.

    Source: "Bit Twiddling Hacks" (S. E. Anderson): a word that has a byte less than n.
    """
    quotes, escapes = word ^ _QUOTES, word ^ _ESCAPES
    found = (quotes - _ONES) & ~quotes | (escapes - _ONES) & ~escapes
    return (found | (word - _BLANKS) & ~word | word | (word + _ONES)) & _HIGH


@compiled
def _literal(b: Record, at: int, end: int) -> int:
    """Return the position after null, true or false."""
    word = _word(b, at)
    if at + 4 <= end and (word & _FOUR == _NULL or word & _FOUR == _TRUE):
        return at + 4
    return at + 5 if at + 5 <= end and word & _FIVE == _FALSE else UNUSUAL


@compiled
def _digits(b: Record, at: int, end: int, value: int) -> tuple[int, int]:
    """Append digits to a number; return it, and the position after them, of at most 16."""
    stop = min(end, at + 16)
    while at < stop and ord("0") <= _byte(b, at) <= ord("9"):
        value = value * 10 + _byte(b, at) - ord("0")
        at += 1
    return value, at


@compiled
def _number(b: Record, at: int, end: int) -> tuple[float, int, bool]:
    """Read a number, exactly as a parser that rounds correctly: both parts of the quotient are exact.

    Returns:
        The number, the position after it, and whether it has a decimal point.
    """
    start = at
    value, at = _digits(b, at, end, 0)
    whole = at - start
    if whole == 0 or whole > 15 or (whole > 1 and _byte(b, start) == ord("0")):
        return 0.0, UNUSUAL, False
    scale, decimals = 1.0, False
    if at < end and _byte(b, at) == ord("."):
        decimals = True
        start = at + 1
        value, at = _digits(b, start, end, value)
        if at == start or whole + at - start > 15:
            return 0.0, UNUSUAL, False
        for _ in range(at - start):
            scale *= 10.0
    return value / scale, at, decimals


@compiled
def _skip(b: Record, at: int, end: int) -> int:
    """Return the position after the value of an unknown field."""
    if _byte(b, at) == ord('"'):
        return _text(b, at + 1, end)
    if ord("0") <= _byte(b, at) <= ord("9"):
        return _number(b, at, end)[1]
    return _literal(b, at, end)

"""The schemas as tables for `streams.codec.scan`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np
from msgspec import Struct
from msgspec.inspect import (
    Field,
    FloatType,
    IntType,
    LiteralType,
    NoneType,
    StrType,
    StructType,
    Type,
    UnionType,
    type_info,
)
from numpy.typing import NDArray

from models.packed import MARGIN
from streams.codec import scan
from streams.codec.parse import MAX_VALUE_BYTES
from streams.codec.scan_types import TERMS
from streams.codec.schemas import MAX_LINES, MAX_TEXT, SCHEMAS, Line
from streams.records import CLICKS, PURCHASES, VIEWS

TEXTS = (
    "channel", "device", "country", "action", "kind", "currency", "category", "brand",
    "event_id", "session_id", "customer_id", "occurred_at", "campaign_id", "offer_id",
)  # fmt: skip
"""Columns of a record's spans."""
NAMES = 8
"""So many of them recur."""
NUMBERS = ("occurred_at", "rating", "dwell_seconds", "total")
"""Columns of its numbers."""
LINE_TEXTS = ("category", "brand")
LINE_NUMBERS = ("quantity", "unit_price", "discount")
_OBJECTS = (SCHEMAS[CLICKS], SCHEMAS[VIEWS], SCHEMAS[PURCHASES], Line)


def schema_terms() -> NDArray[np.void]:
    """Return what the schemas of clicks, product views, purchases and order lines say, (1,) dtype TERMS."""
    objects = [{field.encode_name: field for field in _fields(schema)} for schema in _OBJECTS]
    names = list(dict.fromkeys(name for known in objects for name in known))
    types = {name: field.type for known in objects for name, field in known.items()}
    told = [_told(types[name]) for name in names]
    columns = [(TEXTS, NUMBERS)] * 3 + [(LINE_TEXTS, LINE_NUMBERS)]
    found = np.zeros(1, TERMS)
    terms, n = found[0], len(names)
    for i, (name, (kind, least, most)) in enumerate(zip(names, told, strict=True)):
        terms["names"][i] = _words(name.encode("ascii"))
        terms["masks"][i] = _words(b"\xff" * len(name))
        terms["lengths"][i], terms["kinds"][i] = len(name), kind
        terms["least"][i], terms["most"][i] = least, most
    terms["known"] = [_mask(names, known) for known in objects]
    terms["required"] = [_mask(names, [n for n, f in known.items() if f.required]) for known in objects]
    terms["span"][:, :n] = [_places(names, texts) for texts, _ in columns]
    terms["number"][:, :n] = [_places(names, numbers) for _, numbers in columns]
    terms["after"] = terms["fields"] = n
    terms["max_bytes"], terms["max_lines"] = MAX_VALUE_BYTES, MAX_LINES
    return found


def _fields(schema: type[Struct]) -> Sequence[Field]:
    return cast("StructType", type_info(schema)).fields


def _words(text: bytes) -> NDArray[np.uint64]:
    return np.frombuffer(text.ljust(MARGIN, b"\0"), "<u8")


def _mask(names: list[str], some: Iterable[str]) -> int:
    return sum(1 << names.index(name) for name in some)


def _places(names: list[str], columns: tuple[str, ...]) -> list[int]:
    return [columns.index(name) if name in columns else -1 for name in names]


def _told(of: Type) -> tuple[int, float, float]:
    """Return what a field holds, and its bounds: of the number, or of the text's length."""
    types = [one for one in of.types if not isinstance(one, NoneType)] if isinstance(of, UnionType) else [of]
    match types:
        case [StrType() as text]:
            return scan.TEXT, text.min_length or 0, text.max_length or 0
        case [FloatType() as number]:
            kind = scan.NUMBER if number.multiple_of is None else scan.WHOLE
            return kind, number.ge or 0, number.le or 0
        case [LiteralType()]:  # which ones is asked later
            return scan.TEXT, 1, MAX_TEXT
        case [IntType(), StrType() as text]:
            return scan.TIME, 1, text.max_length or 0
        case _:
            return scan.LINES, 0, 0

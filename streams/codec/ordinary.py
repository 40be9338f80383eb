"""The short way from raw records to columns, for chunks of which most records are ordinary.

What is ordinary is told by `streams.codec.scan`. The records that are not, and all that would be refused, are
left to the parser, so that there is one place that says what is wrong with a record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np

from models.events import F64, I32, I64, U8, Bool, Events, Kind, Lines, Texts
from models.packed import as_letters
from streams.codec import scan
from streams.codec.columns import action_of, in_thousandths
from streams.codec.hash_kernels import are_keys, hash64_spans, murmur2_each
from streams.codec.hashing import MURMUR2, partition_for, partitions_for
from streams.codec.orders import Amounts, add_up
from streams.codec.scan_terms import NAMES, NUMBERS, TEXTS, schema_terms
from streams.codec.scan_types import LINE, RECORD, Records
from streams.codec.time_kernel import time_spans
from streams.codec.vocabulary import FULL, Vocabulary
from streams.records import PURCHASES, VIEWS, RawBatch, RawList

LINES_A_RECORD = 2
"""Chunks whose orders have more lines, taken over all records, leave further orders to the parser."""
LEAST_LINES = 1_000
_MOST_BYTES = 2**31 - 1
"""Spans are 32 bits wide."""
_ACTION_BITS, _PURCHASE, _REFUND, _REPORTING = 7, 8, 16, 32
"""Marks of names: the action, and whether they are kinds of an order and the reporting currency."""
_KINDS = np.array([Kind.CLICK, Kind.VIEW, Kind.PURCHASE], np.uint8)
"""By topic."""
Column = TypeVar("Column", bound=np.ndarray[Any, Any])
_TEXT = {name: column for column, name in enumerate(TEXTS)}
_NUMBER = {name: column for column, name in enumerate(NUMBERS)}


class Read(NamedTuple):
    """What was read of n records."""

    ordinary: Bool
    """(n,) which of them are in the events."""
    extended: Bool
    """(n,) which of the ordinary ones have fields that no schema knows."""
    events: Events


class _Scanned(NamedTuple):
    """The values of n records as the kernel found them."""

    buffer: U8
    records: Records
    """(n,) dtype RECORD."""
    lines: Records
    """(m,) dtype LINE."""
    names: I32
    """(n, 8) by the vocabulary."""
    line_names: I32
    """(m, 2)"""

    def spans(self, name: str) -> I32:
        """Return where the texts of a field are."""
        found: I32 = self.records["spans"][:, _TEXT[name]]
        return found

    def number(self, name: str) -> F64:
        """Return the numbers of a field, NaN where there is none."""
        found: F64 = self.records["numbers"][:, _NUMBER[name]]
        return found


class Reader:
    """Reads the ordinary records of a chunk.

    Args:
        partitions: number of partitions of each input topic.
        partitioner: one of `streams.codec.hashing.PARTITIONERS`.
        currency: the reporting currency.
    """

    def __init__(self, partitions: int, partitioner: str, currency: str) -> None:
        self._partitions = partitions
        self._partitioner = partitioner
        self._currency = currency
        self._terms = schema_terms()
        self._vocabulary = Vocabulary(self._mark)
        for n in range(3):  # compiles or loads the kernels, for columns of each layout: no event shall wait
            self.read(self._sample(n), 0, 2**62)

    def _sample(self, n: int) -> RawBatch:
        """Return n ordinary records."""
        raw, place = RawList(), partition_for(b"a", self._partitions, self._partitioner)
        for i in range(n):
            value = b'{"event_id":"a","customer_id":"a","occurred_at":"2026-01-01T00:00:00Z"}'
            raw.append(place, VIEWS, i, 0, b"a", value)
        return raw.batch()

    def _mark(self, name: str | None) -> int:
        """Return what a name means as an action, as the kind of an order, as its currency."""
        is_purchase, is_reporting = name in {None, "purchase"}, name in {None, self._currency}
        return (
            action_of(name)
            | (_PURCHASE if is_purchase else 0)
            | (_REFUND if name == "refund" else 0)
            | (_REPORTING if is_reporting else 0)
        )

    def read(self, raw: RawBatch, earliest_ms: int, latest_ms: int) -> Read | None:
        """Return the ordinary records whose time lies in [earliest_ms, latest_ms], in the order of raw.

        None: the records are too large to be read in one go.
        """
        found = self._scan(raw)
        if found is None:
            return None
        marks = self._vocabulary.marks[found.names]
        ordinary: Bool = found.records["status"] != scan.OTHER
        ordinary &= (found.names != FULL).all(axis=1)
        ordinary &= marks[:, _TEXT["kind"]] & (_PURCHASE | _REFUND) != 0
        ordinary &= marks[:, _TEXT["currency"]] & _REPORTING != 0
        ordinary &= self._right_keys(raw, found)
        time = _times(found)
        ordinary &= (time >= earliest_ms) & (time <= latest_ms)
        orders = _orders(found, raw.topic)
        ordinary[orders.at[orders.refused]] = False
        at = np.flatnonzero(ordinary)
        extended: Bool = found.records["status"] == scan.EXTENDED
        return Read(ordinary, extended, self._events(raw, found, at, time, orders))

    def _scan(self, raw: RawBatch) -> _Scanned | None:
        """Have the kernels read the values."""
        n = len(raw)
        buffer, ends = raw.value.letters, raw.value.ends
        if len(buffer) > _MOST_BYTES:
            return None
        records = np.empty(n, RECORD)
        lines = np.empty(LINES_A_RECORD * n + LEAST_LINES, LINE)
        used = scan.scan(as_letters(buffer), ends, raw.topic, self._terms, records, lines)
        self._vocabulary.make_room()
        names = self._vocabulary.numbers(buffer, records["spans"][:, :NAMES])
        line_names = self._vocabulary.numbers(buffer, lines[:used]["spans"])
        return _Scanned(buffer, records, lines[:used], names, line_names)

    def _right_keys(self, raw: RawBatch, found: _Scanned) -> Bool:
        """Return whose key is the customer and belongs to the partition that the record is in."""
        keys, ends = raw.key.letters, raw.key.ends
        if self._partitioner == MURMUR2:
            partition = (murmur2_each(keys, ends) & 0x7FFFFFFF) % self._partitions
        else:
            partition = partitions_for(raw.key.filled(), self._partitions, self._partitioner)
        right: Bool = partition == raw.partition
        return right & are_keys(found.buffer, found.spans("customer_id"), keys, ends)

    def _events(self, raw: RawBatch, found: _Scanned, at: I64, time: I64, orders: _Orders) -> Events:
        """Return the columns of the records at some places."""
        n = len(at)
        everything = n == len(raw)
        rows = _Rows(None if everything else at)
        names, texts, marks = rows(found.names), self._vocabulary.texts, self._vocabulary.marks

        def named(field: str) -> Texts:
            return Texts(names[:, _TEXT[field]].copy(), texts)

        def given(field: str) -> Bool:
            return rows(found.spans(field))[:, 1] > 0

        kind = _KINDS[rows(raw.topic)]
        kind[marks[names[:, _TEXT["kind"]]] & _REFUND != 0] = Kind.REFUND
        money, discount, items = np.zeros((3, len(raw)), np.int64)
        money[orders.at], discount[orders.at], items[orders.at] = orders.amounts[:3]
        return Events(
            source=at,
            partition=rows(raw.partition).astype(np.int32),
            key=raw.key if everything else raw.key.take(at),
            kind=kind,
            time=rows(time),
            event_hash=hash64_spans(found.buffer, rows(found.spans("event_id"))),
            session=hash64_spans(found.buffer, rows(found.spans("session_id"))),
            action=(marks[names[:, _TEXT["action"]]] & _ACTION_BITS).astype(np.uint8),
            campaign=given("campaign_id"),
            offer=given("offer_id"),
            rating=in_thousandths(rows(found.number("rating"))).astype(np.int32),
            dwell=in_thousandths(rows(found.number("dwell_seconds"))),
            money=rows(money),
            discount=rows(discount),
            items=rows(items),
            channel=named("channel"),
            device=named("device"),
            country=named("country"),
            category=named("category"),
            brand=named("brand"),
            lines=_lines(found, at, orders.line_record, texts),
        )


class _Orders(NamedTuple):
    """The orders among the records, k, and their m lines."""

    at: I64
    """(k,) their records."""
    line_record: I64
    """(m,) the record that the line belongs to, ascending."""
    amounts: Amounts
    refused: Bool
    """(k,) which of them cannot be used."""


@dataclass(frozen=True)
class _Rows:
    """Takes the rows of the ordinary records."""

    at: I64 | None
    """None for all."""

    def __call__(self, column: Column) -> Column:
        """Return the rows of a column."""
        return column if self.at is None else column[self.at]  # type: ignore[return-value] # so it is


def _times(found: _Scanned) -> I64:
    """Return the records' times."""
    number = found.number("occurred_at")
    is_text = np.isnan(number)
    if not is_text.any():
        return number.astype(np.int64)
    return np.where(
        is_text, time_spans(found.buffer, found.spans("occurred_at")), np.nan_to_num(number).astype(np.int64)
    )


def _orders(found: _Scanned, topics: I64) -> _Orders:
    """Return what the orders amount to."""
    at = np.flatnonzero((topics == PURCHASES) & (found.records["status"] != scan.OTHER))
    counts = found.records["lines"][at].astype(np.int64)
    quantity, price, discount = found.lines["numbers"].T
    amounts = add_up(
        counts,
        np.where(np.isnan(quantity), 1, quantity).astype(np.int64),
        price,
        np.nan_to_num(discount),
        found.number("total")[at],
    )
    line_order = np.repeat(np.arange(len(at)), counts)
    refused = amounts.refused(line_order)
    refused[line_order[(found.line_names == FULL).any(axis=1)]] = True
    return _Orders(at, at[line_order], amounts, refused)


def _lines(found: _Scanned, at: I64, line_record: I64, texts: list[str | None]) -> Lines:
    """Return the order lines of the records at some places."""
    place = np.full(len(found.records), -1, np.int64)
    place[at] = np.arange(len(at))
    event = place[line_record]
    kept = event >= 0
    category, brand = (Texts(column.copy(), texts) for column in found.line_names[kept].T)
    return Lines(event[kept], category, brand)

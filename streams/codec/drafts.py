"""Change records as columns: whole but for when they are sent, and as what, which their commit adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from models.events import F64, I64, U8
from models.packed import MARGIN, Packed
from streams.codec.json_columns import json_of
from streams.codec.output_records import SCHEMA_VERSION, Cause, SegmentSet
from streams.codec.pieces import Pieces, joined_with_cuts, json_strings
from streams.codec.rfc3339 import rfc3339_table
from streams.codec.ulid import ulid_table

RECALCULATED = frozenset({"model", "definition"})
"""Causes that decide customers who may have been silent for long."""
NOBODY = -1
"""In place of a customer's row: nothing is told of what they are in."""


class Side(NamedTuple):
    """What changes have in common that enter, or leave, the same segment for the same cause."""

    segment_set: SegmentSet
    segment_id: str
    segment_name: str
    entered: bool
    previous_segment: str | None
    next_segment: str | None
    model_version: int
    definitions_version: int
    cause: Cause


@dataclass(slots=True, eq=False)
class Columns:
    """r changes."""

    sides: Sequence[Side]
    called: frozenset[str]
    """Names of the main features."""
    side: NDArray[np.intp]
    """(r,) place in `sides`."""
    customers: Packed
    """(r,) ids."""
    move: Pieces
    """(r,) the id of the move as JSON, or null."""
    since_ms: I64
    timestamp_ms: I64
    sequence: I64
    reason: Pieces
    """(r,) the sentence, as JSON without its quotes."""
    confidence: Pieces
    """(r,) of the assignment, as JSON."""
    trigger: Pieces
    """(r,) as `triggers_of` returns it, empty where there is none."""
    reasons: Pieces
    """(r,) as the functions of `streams.codec.reasons` return them."""
    features: Pieces
    """(r,) the main features, as JSON without the braces around them."""
    seen_ms: I64
    """(r,) time of the customer's newest event."""
    rows: NDArray[np.intp]
    """(r,) row of the customer, or NOBODY."""
    sure: F64
    """(r,) confidence of what the customer is in from then on, NaN for none."""

    def __len__(self) -> int:
        """Return the number of changes."""
        return len(self.side)

    def counts(self) -> NDArray[np.intp]:
        """Return the number of changes of each side."""
        return np.bincount(self.side, minlength=len(self.sides))

    @classmethod
    def joined(cls, parts: Sequence[Columns], order: NDArray[np.intp]) -> Columns:
        """Return the changes of all parts in an order."""
        sides = [side for part in parts for side in part.sides]
        first = np.cumsum([0, *[len(part.sides) for part in parts[:-1]]]).tolist()
        side = np.concatenate([part.side + begin for part, begin in zip(parts, first, strict=True)])

        def pieces(name: str) -> Pieces:
            return Pieces.joined([getattr(part, name) for part in parts]).at(order)

        def numbers(name: str) -> NDArray[np.generic]:
            whole: NDArray[np.generic] = np.concatenate([getattr(part, name) for part in parts])[order]
            return whole

        found = {one.name: (pieces if one.type == "Pieces" else numbers)(one.name) for one in fields(cls)[4:]}
        customers = Packed.joined([part.customers for part in parts]).take(order)
        called = frozenset().union(*[part.called for part in parts])
        return cls(sides, called, side[order], customers, **found)  # type: ignore[arg-type] # by name


@dataclass(slots=True, eq=False)
class Drafts:
    """r change records of a partition, in order."""

    records: Packed
    """(3 r,) each in three pieces: up to when it was received, from there to its origin, the rest."""
    idents: U8
    """(r, 26) message ids."""
    times: U8
    """(r, 24) the times of the changes."""
    customers: Packed
    """(r,) ids."""
    features: Packed
    """(r,) as of `Columns`."""
    timestamp_ms: I64
    newest_ms: I64
    """(r,) what says how old the cause is: time of the change, or of the customer's newest event."""
    sequence: I64
    rows: NDArray[np.intp]
    """(r,) as of `Columns`."""
    sure: F64
    """(r,) as of `Columns`."""

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.sequence)

    def cut(self, begin: int, end: int) -> Drafts:
        """Return the records from one place up to another; the texts are not copied."""
        some = slice(begin, end)
        return Drafts(
            _cut(self.records, 3 * begin, 3 * end),
            self.idents[some],
            self.times[some],
            _cut(self.customers, begin, end),
            _cut(self.features, begin, end),
            self.timestamp_ms[some],
            self.newest_ms[some],
            self.sequence[some],
            self.rows[some],
            self.sure[some],
        )

    @classmethod
    def joined(cls, parts: Sequence[Drafts]) -> Drafts:
        """Return the records of all parts, at least one, one behind the other."""
        if len(parts) == 1:
            return parts[0]

        def texts(name: str) -> Packed:
            return Packed.joined([getattr(part, name) for part in parts])

        def numbers(name: str) -> NDArray[Any]:
            return np.concatenate([getattr(part, name) for part in parts])

        return cls(
            texts("records"),
            numbers("idents"),
            numbers("times"),
            texts("customers"),
            texts("features"),
            *[numbers(name) for name in ("timestamp_ms", "newest_ms", "sequence", "rows", "sure")],
        )

    def last_of_each(self) -> NDArray[np.intp]:
        """Return the place of the last record of each customer who has a row, in the order of their first."""
        there = np.flatnonzero(self.rows != NOBODY)
        rows = self.rows[there]
        _, first = np.unique(rows, return_index=True)
        _, behind = np.unique(rows[::-1], return_index=True)
        return there[len(rows) - 1 - behind[np.argsort(first)]]

    def forget(self, rows: NDArray[np.intp], before: NDArray[np.intp]) -> None:
        """Let nothing be told any more of what some customers are in.

        Args:
            rows: (e,) theirs, ascending, each once; at least one.
            before: (e,) the first record after that of each: the row is somebody else's, perhaps.
        """
        place = np.minimum(np.searchsorted(rows, self.rows), len(rows) - 1)
        gone = (rows[place] == self.rows) & (np.arange(len(self)) < before[place])
        self.rows[gone] = NOBODY

    def text(self, place: int) -> bytes:
        """Return a record without when it was received and its origin; not for many of them."""
        return b"".join([self.records[3 * place + piece] or b"" for piece in range(3)])


def _cut(texts: Packed, begin: int, end: int) -> Packed:
    """Return some texts in the buffer of all: the bytes behind them are those of the next."""
    first = int(texts.ends[begin - 1]) if begin else 0
    last = int(texts.ends[end - 1]) if end else 0
    return Packed(texts.letters[first : last + MARGIN], texts.ends[begin:end] - first, texts.nulls[begin:end])


def draft(changes: Columns, run_id: str, space_id: str) -> Drafts:
    """Return changes as records.

    Raises:
        ValueError: a time is out of range.
    """
    n, frames = len(changes), [_frame(side, run_id, space_id) for side in changes.sides]

    def of_side(texts: Sequence[str]) -> Pieces:
        return Pieces.one_of(texts, changes.side)

    customers, sequence = json_strings(changes.customers), Pieces.numbers(changes.sequence)
    times = rfc3339_table(changes.timestamp_ms)
    segments = of_side([f"{len(side.segment_id)}:{side.segment_id}" for side in changes.sides])
    idents = ulid_table(changes.customers, segments, sequence, run_id, changes.timestamp_ms)
    features = _shown(changes)
    pieces: list[Pieces | str] = [
        of_side([frame.opening for frame in frames]),
        customers,
        '","messageId":"',
        Pieces.rows(idents),
        '","timestamp":"',
        Pieces.rows(times),
        '","receivedAt":"',
        of_side([frame.segment for frame in frames]),
        changes.move,
        ',"since":"',
        Pieces.rows(rfc3339_table(changes.since_ms)),
        '","sequence":',
        sequence,
        of_side([frame.cause for frame in frames]),
        changes.reason,
        '","confidence":',
        changes.confidence,
        of_side([frame.versions for frame in frames]),
        of_side([frame.run for frame in frames]),
        Pieces.one_of(["", ","], (features.size > 0).astype(np.intp)),
        features,
        '},"context":{"reasons":',
        changes.reasons,
        of_side([frame.personas for frame in frames]),
        Pieces.one_of(["", ',"trigger":'], (changes.trigger.size > 0).astype(np.intp)),
        changes.trigger,
        "}}",
    ]
    received, origin = 7, 18
    whole, cuts = joined_with_cuts(n, pieces, (received, origin))
    ends = np.column_stack([cuts, whole.ends]).reshape(-1)
    return Drafts(
        Packed(whole.letters, ends, np.zeros(3 * n, np.bool_)),
        idents,
        times,
        changes.customers,
        changes.features.packed_up(),
        changes.timestamp_ms,
        _newest_ms(changes),
        changes.sequence,
        changes.rows,
        changes.sure,
    )


def _newest_ms(changes: Columns) -> I64:
    """Return (r,) what says how old the cause is, as of `Drafts`."""
    silent = np.array([side.cause in RECALCULATED for side in changes.sides], np.bool_)[changes.side]
    return np.where(silent, changes.seen_ms, changes.timestamp_ms)


def _shown(changes: Columns) -> Pieces:
    """Return the main features as records show them: a namesake of the segment gives way to its flag."""
    features = changes.features
    for i, side in enumerate(changes.sides):
        if side.segment_id in changes.called:
            at = np.flatnonzero(changes.side == i)
            held = [orjson.loads(f"{{{text}}}") for text in features.at(at).tolist()]
            for one in held:
                one.pop(side.segment_id, None)
            features = features.replaced(at, [json_of(one)[1:-1] for one in held])
    return features


class _Frame(NamedTuple):
    """What all records of one side share, in the order of the record."""

    opening: str
    """Up to the customer."""
    segment: str
    """From the time it was received to the id of the move."""
    cause: str
    """Up to the sentence."""
    versions: str
    """Up to the origin."""
    run: str
    """The last of the fixed properties."""
    personas: str
    """What Segment's audience mappings read."""


@lru_cache(maxsize=1024)
def _frame(side: Side, run_id: str, space_id: str) -> _Frame:
    flag, entered = json_of(side.segment_id), side.entered
    personas = {
        "computation_class": "audience",
        "computation_id": side.segment_id,
        "computation_key": side.segment_id,
        "namespace": space_id,
        "space_id": space_id,
    }
    return _Frame(
        f'{{"type":"track","event":"Audience {"Entered" if entered else "Exited"}","userId":"',
        f'","properties":{{"audience_key":{flag},{flag}:{json_of(entered)},"segment_set":"{side.segment_set}",'
        f'"segment_name":{json_of(side.segment_name)},"change":"{"entered" if entered else "left"}",'
        f'"previous_segment":{json_of(side.previous_segment)},"next_segment":{json_of(side.next_segment)},'
        '"move_id":',
        f',"cause":"{side.cause}","reason":"',
        f',"model_version":{side.model_version},"definitions_version":{side.definitions_version},"origin":"',
        f'","run_id":{json_of(run_id)},"schema_version":{SCHEMA_VERSION}',
        f',"personas":{json_of(personas)}',
    )

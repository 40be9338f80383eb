"""Moves between behaviour segments as change events, with their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.events import F64, I64, U8, Bool
from models.features import BY_NAME, CLUSTERED, Feature, View
from models.names import Names
from models.packed import Packed
from streams.codec.drafts import Columns, Side
from streams.codec.json_columns import strings
from streams.codec.output_records import Cause, Scalar
from streams.codec.pieces import Pieces
from streams.codec.reasons import MAX_REASONS, reasons_table
from streams.codec.sentence_columns import Reasons, sentences
from streams.codec.sentences import sentence_opening
from streams.codec.ulid import ulid_table
from streams.deciding.distinct import distinct
from streams.deciding.moves import BehaviourMoves
from streams.deciding.plain import DECIMALS, main_features

_NAMES = tuple(feature.name for feature in CLUSTERED)
_FLAGS = frozenset({"flag"})
_COUNTS = frozenset({"count"})


@lru_cache(maxsize=512)
def label(feature: str) -> tuple[str, str]:
    """Return label and unit of a feature for a sentence."""
    return BY_NAME[feature].label, BY_NAME[feature].unit


def scalar(feature: Feature, value: float, names: Names) -> Scalar:
    """Return a feature's value as records and tables show it; None for unknown."""
    if value != value:  # noqa: PLR0124 - NaN is not itself
        return None
    if feature.namespace is not None:
        return names.name(feature.namespace, value)
    if feature.unit in _FLAGS:
        return bool(value)
    if feature.unit in _COUNTS and value == int(value):
        return int(value)
    return round(value, 6)


def changes_of(
    moves: BehaviourMoves,
    keys: Packed,
    sequence: I64,
    cause: Cause,
    main: Sequence[Feature],
    calendar: Calendar,
    run_id: str,
) -> Columns:
    """Return the changes of m moves, one behind the other: what was left, if anything, then what was entered.

    Args:
        moves: that are written.
        keys: the m customer ids.
        sequence: (m,) each customer's last sequence number before the move.
        cause: why they were decided.
        main: the features that each record carries.
        calendar: local days.
        run_id: part of the ids of moves.
    """
    who, model = moves.who, moves.model
    after = View(who.after, who.at, calendar, model.value)
    after.read([*main, *CLUSTERED])
    previous = View(who.before, who.before_at, calendar)
    reasons = _reasons(model.contributions(moves.seen, moves.old, moves.new), after, previous, moves.old == 0)
    both, way = distinct(moves.old << 32 | moves.new)
    ways = [(one >> 32, one & 0xFFFFFFFF) for one in both]
    named = [(model.name_of(old) if old else None, model.name_of(new)) for old, new in ways]
    openings = [
        sentence_opening(cause=cause, entered=True, segment_name=new, previous_name=old, next_name=new)
        for old, new in named
    ]
    sentence = sentences(Pieces.one_of(strings(openings), way), reasons, label)
    of = np.repeat(np.arange(len(moves)), moves.records())
    entered = np.append(of[1:] != of[:-1], True)[: len(of)]
    sides, side = _sides(moves, ways, way, cause)
    since = np.where(entered, who.at[of], moves.since[of])
    return Columns(
        sides=sides,
        called=frozenset(feature.name for feature in main),
        side=side[of] + entered,
        customers=keys.take(of),
        move=_move_ids(moves, keys, sequence, run_id).at(of),
        since_ms=since,
        timestamp_ms=who.at[of],
        sequence=sequence[of] + 1 + (entered & (moves.old[of] > 0)),
        reason=sentence.at(of),
        confidence=Pieces.numbers(moves.sure).at(of),
        trigger=who.triggers().at(of),
        reasons=reasons_table(reasons).at(of),
        features=main_features(after, main, who.owner, who.books()).at(of),
        seen_ms=who.after["last_seen"][of].astype(np.int64),
        rows=who.rows[of],
        sure=moves.sure[of],
    )


def _sides(
    moves: BehaviourMoves, ways: Sequence[tuple[int, int]], way: NDArray[np.intp], cause: Cause
) -> tuple[list[Side], NDArray[np.intp]]:
    """Return the two sides of each way, by version of the definitions, and where those of each move begin."""
    who, model = moves.who, moves.model
    versions = np.array([0 if part.rules is None else part.rules.version for part in who.parts], np.int64)
    known, which = distinct(versions[who.owner])
    sides = [
        Side(
            segment_set="behaviour",
            segment_id=f"b-{number}",
            segment_name=model.name_of(number) if number else "",
            entered=number == new,
            previous_segment=f"b-{old}" if old else None,
            next_segment=f"b-{new}",
            model_version=model.version,
            definitions_version=version,
            cause=cause,
        )
        for old, new in ways
        for version in known
        for number in (old, new)
    ]
    return sides, 2 * (way * len(known) + which)


def _move_ids(moves: BehaviourMoves, keys: Packed, sequence: I64, run_id: str) -> Pieces:
    """Return the ids of the moves as JSON; who comes from nowhere has none."""
    n = len(moves)
    segment = Pieces.one_of(["4:move"], np.zeros(n, np.intp))
    quoted: U8 = np.full((n, 28), ord('"'), np.uint8)
    quoted[:, 1:-1] = ulid_table(keys, segment, Pieces.numbers(sequence), run_id, moves.who.at)
    return Pieces.rows(quoted).but(moves.old == 0, b"null")


def _reasons(parts: F64, after: View, previous: View, fresh: Bool) -> Reasons:
    """Return the features that count most in each change of distance, with their exact shares.

    Args:
        parts: (m, d) parts of the change, one per clustered feature.
        after: the customers as they are decided.
        previous: the customers as they were decided before.
        fresh: (m,) held no segment before.
    """
    totals = parts.sum(axis=1)[:, None]
    order = np.argsort(-parts, axis=1, kind="stable")[:, :MAX_REASONS]
    heaviest = np.take_along_axis(parts, order, axis=1)
    weights = np.where(totals > 0, heaviest / np.where(totals > 0, totals, 1.0), np.nan)
    values = np.take_along_axis(_values(after), order, axis=1)
    before = np.full(order.shape, np.nan)
    held = np.flatnonzero(~fresh)
    before[held] = np.take_along_axis(_values(previous.at(held)), order[held], axis=1)
    return Reasons(
        features=_NAMES,
        feature=order,
        value=np.round(values, DECIMALS),
        previous=np.round(before, DECIMALS),
        weight=weights,
        count=(heaviest > 0).sum(axis=1),
    )


def _values(view: View) -> F64:
    """Return (m, d) the clustered features in their units, NaN for unknown."""
    view.read(CLUSTERED)
    return np.stack([view.column(feature) for feature in CLUSTERED], axis=1)

"""Moves between behaviour segments as change events, with their reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any

import numpy as np
from msgspec.structs import replace

from models.calendar import Calendar
from models.clusterer import Model
from models.events import F64, I64, Bool
from models.features import BY_NAME, CLUSTERED, Feature, View
from models.names import Names
from streams.codec.changes import Change, Reason
from streams.codec.main_features import Json
from streams.codec.output_records import Cause, Scalar
from streams.codec.reasons import MAX_REASONS, reasons_of
from streams.codec.sentences import reason_sentence
from streams.codec.ulid import message_ids
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
    keys: Sequence[bytes],
    sequence: I64,
    cause: Cause,
    main: Sequence[Feature],
    calendar: Calendar,
    run_id: str,
) -> list[list[Change]]:
    """Return the change events of each move: what was left, if anything, then what was entered.

    Args:
        moves: m moves that are written.
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
    ways: dict[tuple[int, int], tuple[Change, str | None]] = {}
    found = []
    columns = _columns(moves, keys, sequence, reasons, main_features(after, main, who.books()), run_id)
    for (
        customer, move, old, new, since, last, at, confidence, trigger, why, json, shown, seen, rules,
    ) in columns:  # fmt: skip
        if (old, new) not in ways:
            ways[old, new] = _way(model, old, new, cause), model.name_of(old) if old else None
        way, old_name = ways[old, new]
        entered = replace(
            way,
            customer_id=customer,
            move_id=move if old else None,
            since_ms=at,
            timestamp_ms=at,
            sequence=last + 1 + (old > 0),
            reason=_sentence(cause, way.segment_name, why, old_name),
            confidence=confidence,
            definitions_version=rules,
            trigger=trigger,
            reasons=json,
            features=shown,
            seen_ms=seen,
        )
        found.append([entered] if old_name is None else [_left(entered, old_name, since), entered])
    return found


def _way(model: Model, old: int, new: int, cause: Cause) -> Change:
    """Return what all who move from one segment, or none, to another have in common, as they enter it."""
    segment = next(info for info in model.segments if info.number == new)
    return Change(
        customer_id="",
        segment_set="behaviour",
        segment_id=segment.id,
        segment_name=segment.name,
        entered=True,
        previous_segment=f"b-{old}" if old else None,
        next_segment=segment.id,
        since_ms=0,
        timestamp_ms=0,
        sequence=0,
        cause=cause,
        reason="",
        model_version=model.version,
        definitions_version=0,
    )


def _columns(
    moves: BehaviourMoves,
    keys: Sequence[bytes],
    sequence: I64,
    reasons: Sequence[tuple[Reason, ...]],
    shown: Sequence[Json],
    run_id: str,
) -> Iterator[tuple[Any, ...]]:
    """Return what each move's records are made of, as plain Python values."""
    who = moves.who
    customers = [key.decode() for key in keys]
    about = zip(customers, repeat("move"), sequence.tolist(), strict=False)
    return zip(
        customers,
        message_ids(about, run_id, who.at.tolist()),
        moves.old.tolist(),
        moves.new.tolist(),
        moves.since.tolist(),
        sequence.tolist(),
        who.at.tolist(),
        moves.sure.tolist(),
        who.trigger,
        reasons,
        reasons_of(reasons),
        shown,
        who.after["last_seen"].tolist(),
        [part.rules.version if part.rules is not None else 0 for part in who.parts],
        strict=True,
    )


def _sentence(cause: Cause, name: str, reasons: Sequence[Reason], old_name: str | None) -> str:
    return reason_sentence(
        cause=cause,
        entered=True,
        segment_name=name,
        reasons=reasons,
        labels=label,
        previous_name=old_name,
        next_name=name,
    )


def _left(entered: Change, old_name: str, since_ms: int) -> Change:
    """Return the first half of a move, from its second."""
    return replace(
        entered,
        segment_id=entered.previous_segment,
        segment_name=old_name,
        entered=False,
        since_ms=since_ms,
        sequence=entered.sequence - 1,
    )


def _reasons(parts: F64, after: View, previous: View, fresh: Bool) -> list[tuple[Reason, ...]]:
    """Return the features that count most in each change of distance, with their exact shares.

    Args:
        parts: (m, d) parts of the change, one per clustered feature.
        after: the customers as they are decided.
        previous: the customers as they were decided before.
        fresh: (m,) held no segment before.
    """
    totals = parts.sum(axis=1)
    order = np.argsort(-parts, axis=1, kind="stable")[:, :MAX_REASONS]
    heaviest = np.take_along_axis(parts, order, axis=1)
    weights = (heaviest / np.where(totals > 0, totals, 1.0)[:, None]).astype(np.object_)
    weights[~(totals > 0)] = None
    values = np.take_along_axis(_values(after), order, axis=1)
    before = np.full(order.shape, np.nan)
    held = np.flatnonzero(~fresh)
    before[held] = np.take_along_axis(_values(previous.at(held)), order[held], axis=1)
    columns = zip(
        (heaviest > 0).sum(axis=1).tolist(),
        order.tolist(),
        np.round(values, DECIMALS).tolist(),
        np.round(before, DECIMALS).tolist(),
        weights.tolist(),
        strict=True,
    )
    names = _NAMES
    return [
        tuple([Reason(names[at[i]], now[i], then[i], shares[i]) for i in range(n)])
        for n, at, now, then, shares in columns
    ]


def _values(view: View) -> F64:
    """Return (m, d) the clustered features in their units, NaN for unknown."""
    view.read(CLUSTERED)
    return np.stack([view.column(feature) for feature in CLUSTERED], axis=1)

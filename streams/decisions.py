"""Moves between behaviour segments as change events, with their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.clusterer import Model
from models.events import F64, I64
from models.features import BY_NAME, CLUSTERED, Feature, View, evaluate
from models.names import Names
from streams.codec.changes import Change, Reason, Trigger
from streams.codec.output_records import Cause, Scalar
from streams.codec.sentences import reason_sentence
from streams.codec.ulid import message_id

MAX_REASONS = 5
_FLAGS = frozenset({"flag"})
_COUNTS = frozenset({"count"})


@dataclass(slots=True)
class Decided:
    """m customers that moved at one decision each, in the order of the records."""

    key: list[bytes]
    names: list[Names]
    """Dictionary of each customer's partition."""
    old: I64
    new: I64
    since: I64
    """(m,) when the membership that ends began."""
    sequence: I64
    """(m,) the customer's last sequence number before the move."""
    at: I64
    """(m,) event time of the decision."""
    after: NDArray[np.void]
    before: NDArray[np.void]
    before_at: I64
    """(m,) time of the customer's previous decision."""
    vectors: F64
    """(m, d) what the model saw."""
    confidence: F64
    trigger: Sequence[Trigger | None]


@lru_cache(maxsize=512)
def label(feature: str) -> tuple[str, str]:
    """Return label and unit of a feature for a sentence."""
    return BY_NAME[feature].label, BY_NAME[feature].unit


def scalar(feature: Feature, value: float, names: Names) -> Scalar:
    """Return a feature's value as records and tables show it; None for unknown."""
    if np.isnan(value):
        return None
    if feature.namespace is not None:
        return names.name(feature.namespace, value)
    if feature.unit in _FLAGS:
        return bool(value)
    if feature.unit in _COUNTS and value == int(value):
        return int(value)
    return round(float(value), 6)


def changes_of(
    moves: Decided, model: Model, cause: Cause, main: Sequence[Feature], calendar: Calendar, run_id: str
) -> list[list[Change]]:
    """Return the change events of each move: what was left, if anything, then what was entered.

    Args:
        moves: who moved.
        model: the model that decided.
        cause: why they were decided.
        main: the features that each record carries.
        calendar: local days.
        run_id: part of the ids of moves.
    """
    after = View(moves.after, moves.at, calendar)
    values = evaluate(after, CLUSTERED)
    previous = evaluate(View(moves.before, moves.before_at, calendar), CLUSTERED)
    features = evaluate(after, main)
    parts = model.contributions(moves.vectors, moves.old, moves.new)
    known = {info.number: info for info in model.segments}
    found = []
    for i, key in enumerate(moves.key):
        new = known[int(moves.new[i])]
        old = known.get(int(moves.old[i]))
        old_id = f"b-{moves.old[i]}" if moves.old[i] else None
        old_name = old.name if old else old_id
        reasons = _reasons(parts[i], values, previous, i, fresh=moves.old[i] == 0)
        customer = key.decode()
        at, sequence = int(moves.at[i]), int(moves.sequence[i])
        shown = {f.name: scalar(f, float(features[f.name][i]), moves.names[i]) for f in main}
        move_id = None if old_id is None else message_id(customer, "move", sequence, run_id, at)
        reason = reason_sentence(
            cause=cause,
            entered=True,
            segment_name=new.name,
            reasons=reasons,
            labels=label,
            previous_name=old_name,
            next_name=new.name,
        )
        records = []
        for entered in (False, True):
            if not entered and old_id is None:
                continue
            sequence += 1
            name = new.name if entered else str(old_name)
            records.append(
                Change(
                    customer_id=customer,
                    segment_set="behaviour",
                    segment_id=new.id if entered else str(old_id),
                    segment_name=name,
                    entered=entered,
                    previous_segment=old_id,
                    next_segment=new.id,
                    move_id=move_id,
                    since_ms=at if entered else int(moves.since[i]),
                    timestamp_ms=at,
                    sequence=sequence,
                    cause=cause,
                    reason=reason,
                    confidence=float(moves.confidence[i]),
                    model_version=model.version,
                    definitions_version=0,
                    trigger=moves.trigger[i],
                    reasons=reasons,
                    features=shown,
                )
            )
        found.append(records)
    return found


def _reasons(
    parts: F64, values: dict[str, F64], previous: dict[str, F64], i: int, *, fresh: bool
) -> tuple[Reason, ...]:
    """Return the features that count most in the change of distance, with their exact shares."""
    total = float(parts.sum())
    order = np.argsort(-parts, kind="stable")[:MAX_REASONS]
    reasons = []
    for j in order.tolist():
        if parts[j] <= 0:
            break
        name = CLUSTERED[j].name
        value, before = float(values[name][i]), float(previous[name][i])
        reasons.append(
            Reason(
                feature=name,
                value=None if np.isnan(value) else round(value, 6),
                previous=None if fresh or np.isnan(before) else round(before, 6),
                weight=float(parts[j]) / total if total > 0 else None,
            )
        )
    return tuple(reasons)

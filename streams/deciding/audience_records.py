"""Changes of audiences as change events, with the conditions that decided."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.audiences import (
    BEHAVIOUR_SEGMENT,
    BEHAVIOUR_SEGMENT_NAME,
    Definition,
    Ground,
    Row,
    Rule,
    Value,
    grounds,
    reference,
    sentence,
)
from models.calendar import Calendar
from models.events import I64
from models.features import BY_NAME, Feature, View, evaluate
from models.names import Names
from streams.codec.changes import Change, Reason
from streams.codec.output_records import Cause
from streams.deciding.moves import AudienceMoves
from streams.deciding.records import main_features, scalar

MAX_REASONS = 5


def audience_changes_of(
    moves: AudienceMoves,
    keys: Sequence[bytes],
    sequence: I64,
    cause: Cause,
    main: Sequence[Feature],
    calendar: Calendar,
) -> list[list[Change]]:
    """Return the change event of each move.

    Args:
        moves: m moves that are written.
        keys: the m customer ids.
        sequence: (m,) each customer's last sequence number before the move.
        cause: why they were decided.
        main: the features that each record carries.
        calendar: local days.
    """
    who = moves.who
    now, then = View(who.after, who.at, calendar), View(who.before, who.before_at, calendar)
    books = [part.names for part in who.parts]
    shown = main_features(evaluate(now, main), main, books)
    after, before = _rows(moves, now, books), _rows(moves, then, books)
    fresh = (who.before["events"] == 0).tolist()
    found = []
    for i, key in enumerate(keys):
        entered = bool(moves.entered[i])
        rule, definition = _rule(moves, i)
        ends = []
        if rule is not None:
            ends = grounds(rule, after[i], None if fresh[i] else before[i], entered=entered)
        change = Change(
            customer_id=key.decode(),
            segment_set="audience",
            segment_id=definition.id,
            segment_name=definition.name,
            entered=entered,
            since_ms=int(moves.since_ms[i]),
            timestamp_ms=int(who.at[i]),
            sequence=int(sequence[i]) + 1,
            cause=cause,
            reason=sentence(definition.name, ends, entered=entered, cause=cause),
            model_version=0 if moves.model is None else moves.model.version,
            definitions_version=moves.rules.version,
            trigger=who.trigger[i],
            reasons=_reasons(ends),
            features=shown[i],
            seen_ms=int(who.after["last_seen"][i]),
        )
        found.append([change])
    return found


def _rule(moves: AudienceMoves, i: int) -> tuple[Rule | None, Definition]:
    """Return the rule behind a move, None when the audience is no more, and what the audience is called."""
    slot = int(moves.slot[i])
    definition = moves.rules.definitions.by_slot.get(slot)
    if definition is not None:
        return moves.rules.rules[definition.id], definition
    sweep = moves.who.parts[i].sweep
    former = {} if sweep is None or sweep.rules is None else sweep.rules.definitions.by_slot
    if slot in former:
        return None, former[slot]
    retired = {place: audience for audience, place in moves.rules.definitions.retired.items()}
    audience = retired.get(slot, f"audience-{slot}")
    return None, Definition(audience, audience, enter="FALSE")


def _reasons(ends: Sequence[Ground]) -> tuple[Reason, ...]:
    """Return the columns of the conditions that decided, each once."""
    found = {name: Reason(name, value, was, None) for ground in ends for name, value, was in ground.values}
    return tuple(found.values())[:MAX_REASONS]


def _rows(moves: AudienceMoves, view: View, books: Sequence[Names]) -> list[Row]:
    """Return all that conditions may ask of each customer, as plain values."""
    size = len(moves)
    columns: dict[str, list[Value]] = {}
    for name in moves.rules.columns:
        if name in BY_NAME:
            feature = BY_NAME[name]
            columns[name] = [
                scalar(feature, value, book)
                for value, book in zip(feature.value(view).tolist(), books, strict=True)
            ]
    names = {} if moves.model is None else {info.number: info.name for info in moves.model.segments}
    numbers = moves.numbers.tolist()
    columns[BEHAVIOUR_SEGMENT] = [f"b-{number}" if number else None for number in numbers]
    columns[BEHAVIOUR_SEGMENT_NAME] = [names.get(number) for number in numbers]
    for slot, definition in moves.rules.definitions.by_slot.items():
        held = (moves.bits >> np.int64(slot)) & 1
        columns[reference(definition.id)] = [bool(bit) for bit in held.tolist()]
    return [{name: column[i] for name, column in columns.items()} for i in range(size)]

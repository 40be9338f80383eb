"""Changes of audiences as change events, with the conditions that decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from models.audiences import (
    BEHAVIOUR_SEGMENT,
    BEHAVIOUR_SEGMENT_NAME,
    Definition,
    Ground,
    Rule,
    Value,
    reference,
    sentence,
)
from models.calendar import Calendar
from models.clusterer import Model
from models.events import I64
from models.features import BY_NAME, Feature, View
from models.names import Names
from streams.codec.changes import Change, Reason
from streams.codec.main_features import Json
from streams.codec.output_records import Cause
from streams.deciding.columns import value_of
from streams.deciding.moves import AudienceMoves
from streams.deciding.plain import main_features, plain

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
    books = [part.names for part in who.parts]
    now = View(who.after, who.at, calendar, value_of(moves.model))
    then = View(who.before, who.before_at, calendar, value_of(_model_before(moves, cause)))
    shown = main_features(now, main, books)
    after, before = _Facts(moves, now, books), _Facts(moves, then, books)
    common = list(_columns(moves, keys, sequence, shown))
    found: list[list[Change]] = [[] for _ in keys]
    for at, rule, definition, entered in _kinds(moves):
        grounds = _grounds(rule, after, before, at, entered=entered)
        for i, ends in zip(at, grounds, strict=True):
            customer, since, timestamp, last, trigger, features, seen = common[i]
            change = Change(
                customer_id=customer,
                segment_set="audience",
                segment_id=definition.id,
                segment_name=definition.name,
                entered=entered,
                since_ms=since,
                timestamp_ms=timestamp,
                sequence=last + 1,
                cause=cause,
                reason=sentence(
                    definition.name, ends, entered=entered, cause=cause, first_time=moves.rules.version == 1
                ),
                model_version=0 if moves.model is None else moves.model.version,
                definitions_version=moves.rules.version,
                trigger=trigger,
                reasons=_reasons(ends),
                features=features,
                seen_ms=seen,
            )
            found[i].append(change)
    return found


def _columns(
    moves: AudienceMoves, keys: Sequence[bytes], sequence: I64, shown: Sequence[Json]
) -> Iterator[tuple[Any, ...]]:
    """Return what each move's record is made of besides its audience, as plain Python values."""
    who = moves.who
    return zip(
        [key.decode() for key in keys],
        moves.since_ms.tolist(),
        who.at.tolist(),
        sequence.tolist(),
        who.trigger,
        shown,
        who.after["last_seen"].tolist(),
        strict=True,
    )


def _kinds(moves: AudienceMoves) -> Iterator[tuple[list[int], Rule | None, Definition, bool]]:
    """Yield the moves into and out of each audience: their places, the rule, if it is still there."""
    kind = moves.slot * 2 + moves.entered
    order = np.argsort(kind, kind="stable")
    first = np.flatnonzero(np.append(True, np.diff(kind[order]) != 0))
    for at in np.split(order, first[1:]):
        places: list[int] = at.tolist()
        rule, definition = _rule(moves, places[0])
        yield places, rule, definition, bool(moves.entered[places[0]])


def _model_before(moves: AudienceMoves, cause: Cause) -> Model | None:
    """Return the model in force at the decision before."""
    sweep = moves.who.parts[0].sweep if len(moves) else None
    return moves.model if cause != "model" or sweep is None else sweep.model


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


def _grounds(
    rule: Rule | None, after: _Facts, before: _Facts, at: Sequence[int], *, entered: bool
) -> list[list[Ground]]:
    """Return what decided the moves at these places."""
    if rule is None:
        return [[] for _ in at]
    teller = rule.on_entering if entered else rule.on_leaving
    rows, earlier = after.rows(teller.columns, at), before.rows(teller.columns, at)
    return [
        teller.grounds(row, None if fresh else was)
        for row, was, fresh in zip(rows, earlier, [before.fresh[i] for i in at], strict=True)
    ]


def _reasons(ends: Sequence[Ground]) -> tuple[Reason, ...]:
    """Return the columns of the conditions that decided, each once."""
    found = {name: Reason(name, value, was, None) for ground in ends for name, value, was in ground.values}
    return tuple(found.values())[:MAX_REASONS]


class _Facts:
    """What conditions may ask of each customer, as plain values; a column is made when it is asked for."""

    def __init__(self, moves: AudienceMoves, view: View, books: Sequence[Names]) -> None:
        self._moves, self._view, self._books = moves, view, books
        self._columns: dict[str, list[Value]] = {}
        self._slots = {
            reference(definition.id): slot for slot, definition in moves.rules.definitions.by_slot.items()
        }
        self.fresh = (view.r["events"] == 0).tolist()

    def rows(self, names: Sequence[str], at: Sequence[int]) -> list[dict[str, Value]]:
        """Return the columns of these names at these places."""
        columns = [self._column(name) for name in names]
        return [{name: column[i] for name, column in zip(names, columns, strict=True)} for i in at]

    def _column(self, name: str) -> list[Value]:
        if name not in self._columns:
            self._columns[name] = self._made(name)
        return self._columns[name]

    def _made(self, name: str) -> list[Value]:
        moves = self._moves
        if name in BY_NAME:
            feature = BY_NAME[name]
            return list(plain(feature, feature.value(self._view), self._books))
        numbers = moves.numbers.tolist()
        if name == BEHAVIOUR_SEGMENT:
            return [f"b-{number}" if number else None for number in numbers]
        if name == BEHAVIOUR_SEGMENT_NAME:
            names = {} if moves.model is None else {info.number: info.name for info in moves.model.segments}
            return [names.get(number) for number in numbers]
        held: list[Value] = ((moves.bits >> np.int64(self._slots[name])) & 1 > 0).tolist()
        return held

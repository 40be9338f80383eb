"""Changes of audiences as change events, with the conditions that decided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from models.audiences import (
    BEHAVIOUR_SEGMENT,
    BEHAVIOUR_SEGMENT_NAME,
    Definition,
    Rule,
    Table,
    Teller,
    Value,
    opening,
    reference,
    sentence,
)
from models.calendar import Calendar
from models.clusterer import Model
from models.events import I64
from models.features import BY_NAME, Feature, View
from models.packed import Packed
from streams.codec.drafts import Columns, Side
from streams.codec.json_columns import strings
from streams.codec.main_features import Json
from streams.codec.output_records import Cause
from streams.codec.pieces import Pieces
from streams.codec.reasons import MAX_REASONS, NO_REASONS, reasons_by_column
from streams.deciding.columns import value_of
from streams.deciding.moves import AudienceMoves
from streams.deciding.plain import DECIMALS, main_features, plain


def audience_changes_of(
    moves: AudienceMoves,
    keys: Packed,
    sequence: I64,
    cause: Cause,
    main: Sequence[Feature],
    calendar: Calendar,
) -> Columns:
    """Return the change of each move.

    Args:
        moves: m moves that are written.
        keys: the m customer ids.
        sequence: (m,) each customer's last sequence number before the move.
        cause: why they were decided.
        main: the features that each record carries.
        calendar: local days.
    """
    who = moves.who
    model, model_before = moves.model, _model_before(moves, cause)
    now = View(who.after, who.at, calendar, value_of(model))
    then = View(who.before, who.before_at, calendar, value_of(model_before))
    kinds = list(_kinds(moves))
    wanted = [BY_NAME[name] for name in moves.rules.columns if name in BY_NAME]
    now.read([*main, *wanted])
    then.read(wanted)
    tables = zip(
        _tables(kinds, moves, _Seen(now, model, moves.numbers, moves.bits)),
        _tables(kinds, moves, _Seen(then, model_before, moves.former_numbers, moves.former_bits)),
        strict=True,
    )
    side = np.zeros(len(moves), np.intp)
    told: list[str] = [""] * len(moves)
    reasons: list[str] = [NO_REASONS] * len(moves)
    for place, (kind, (table, former)) in enumerate(zip(kinds, tables, strict=True)):
        first_time = moves.rules.version == 1
        beginning = opening(kind.definition.name, entered=kind.entered, cause=cause, first_time=first_time)
        fresh = who.before["events"][kind.at] == 0
        side[kind.at] = place
        for i, words, why in _grounds(kind, table, former, fresh.tolist()):
            told[i] = sentence(beginning, words)
            reasons[i] = why
    return Columns(
        sides=[_side(kind, moves, cause) for kind in kinds],
        called=frozenset(feature.name for feature in main),
        side=side,
        customers=keys,
        move=Pieces.one_of(["null"], np.zeros(len(moves), np.intp)),
        since_ms=moves.since_ms,
        timestamp_ms=who.at,
        sequence=sequence + 1,
        reason=Pieces.of(strings(told)),
        confidence=Pieces.one_of(["null"], np.zeros(len(moves), np.intp)),
        trigger=who.triggers(),
        reasons=Pieces.of(reasons),
        features=main_features(now, main, who.owner, who.books()),
        seen_ms=who.after["last_seen"].astype(np.int64),
        rows=who.rows,
        sure=moves.sure,
    )


@dataclass(frozen=True, slots=True)
class _Kind:
    """Moves into, or out of, one audience.

    Attributes:
        at: their places.
        rule: None when the audience is no more.
        definition: what it is called.
        entered: entered, not left.
    """

    at: NDArray[np.intp]
    rule: Rule | None
    definition: Definition
    entered: bool

    @property
    def teller(self) -> Teller | None:
        """Tells what decided."""
        if self.rule is None:
            return None
        return self.rule.on_entering if self.entered else self.rule.on_leaving

    def names(self) -> Sequence[str]:
        """Return what the teller asks for."""
        return () if self.teller is None else self.teller.columns


def _side(kind: _Kind, moves: AudienceMoves, cause: Cause) -> Side:
    """Return what the changes of a kind share."""
    return Side(
        segment_set="audience",
        segment_id=kind.definition.id,
        segment_name=kind.definition.name,
        entered=kind.entered,
        previous_segment=None,
        next_segment=None,
        model_version=0 if moves.model is None else moves.model.version,
        definitions_version=moves.rules.version,
        cause=cause,
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """The customers of all moves, as they are decided or as they were decided before."""

    view: View
    model: Model | None
    """In force then."""
    numbers: I64
    """(m,) of the behaviour segments."""
    bits: I64
    """(m,) of the audiences that they are in."""


def _kinds(moves: AudienceMoves) -> Iterator[_Kind]:
    """Yield the moves by kind."""
    kind = moves.slot * 2 + moves.entered
    order = np.argsort(kind, kind="stable")
    first = np.flatnonzero(np.append(True, np.diff(kind[order]) != 0))
    for at in np.split(order, first[1:]):
        rule, definition = _rule(moves, int(at[0]))
        yield _Kind(at, rule, definition, bool(moves.entered[at[0]]))


def _model_before(moves: AudienceMoves, cause: Cause) -> Model | None:
    """Return the model in force at the decision before."""
    sweep = moves.who.part(0).sweep if len(moves) else None
    return moves.model if cause != "model" or sweep is None else sweep.model


def _rule(moves: AudienceMoves, i: int) -> tuple[Rule | None, Definition]:
    """Return the rule behind a move, None when the audience is no more, and what the audience is called."""
    slot = int(moves.slot[i])
    definition = moves.rules.definitions.by_slot.get(slot)
    if definition is not None:
        return moves.rules.rules[definition.id], definition
    sweep = moves.who.part(i).sweep
    former = {} if sweep is None or sweep.rules is None else sweep.rules.definitions.by_slot
    if slot in former:
        return None, former[slot]
    retired = {place: audience for audience, place in moves.rules.definitions.retired.items()}
    audience = retired.get(slot, f"audience-{slot}")
    return None, Definition(audience, audience, enter="FALSE")


def _grounds(
    kind: _Kind, now: Table, then: Table, fresh: Sequence[bool]
) -> Iterator[tuple[int, Sequence[str], Json]]:
    """Yield place, conditions in words and reasons of each move of a kind.

    Args:
        kind: k moves.
        now: the customers as they are decided.
        then: the customers as they were decided before.
        fresh: (k,) they were not.
    """
    places: list[int] = kind.at.tolist()
    if kind.teller is None:
        yield from ((place, (), NO_REASONS) for place in places)
        return
    for grounds in kind.teller.tell(now, then, fresh):
        words = zip(*grounds.words, strict=True) if grounds.words else repeat(())
        values = [
            (name, _rounded(values), _rounded(before))
            for name, values, before in grounds.values[:MAX_REASONS]
        ]
        reasons = reasons_by_column(values) if values else repeat(NO_REASONS)
        yield from zip([places[i] for i in grounds.at], words, reasons, strict=False)


def _rounded(values: Sequence[Value]) -> Sequence[Value]:
    return [round(value, DECIMALS) if isinstance(value, float) else value for value in values]


def _tables(kinds: Sequence[_Kind], moves: AudienceMoves, seen: _Seen) -> list[Table]:
    """Return what the tellers of each kind ask for; a column is made once for all kinds."""
    users: dict[str, list[int]] = {}
    for i, kind in enumerate(kinds):
        for name in kind.names():
            users.setdefault(name, []).append(i)
    tables: list[dict[str, Sequence[Value]]] = [{} for _ in kinds]
    for name, places in users.items():
        values = _column(name, moves, seen, np.concatenate([kinds[i].at for i in places]))
        for i in places:
            size = len(kinds[i].at)
            tables[i][name], values = values[:size], values[size:]
    return list(tables)


def _column(name: str, moves: AudienceMoves, seen: _Seen, at: NDArray[np.intp]) -> Sequence[Value]:
    if name in BY_NAME:
        feature = BY_NAME[name]
        named = feature.namespace is not None
        books = [moves.who.part(i).names for i in at.tolist()] if named else ()
        return plain(feature, seen.view.column(feature)[at], books, exact=True)
    numbers = seen.numbers[at].tolist()
    if name == BEHAVIOUR_SEGMENT:
        return [f"b-{number}" if number else None for number in numbers]
    if name == BEHAVIOUR_SEGMENT_NAME:
        names = {} if seen.model is None else {info.number: info.name for info in seen.model.segments}
        return [names.get(number) for number in numbers]
    slots = {reference(one.id): slot for slot, one in moves.rules.definitions.by_slot.items()}
    held: list[Value] = ((seen.bits[at] >> np.int64(slots[name])) & 1 > 0).tolist()
    return held

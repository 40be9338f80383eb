"""Why a customer is where they are: their profile from the changelog, beside the newest model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.audiences import BEHAVIOUR_SEGMENT, BEHAVIOUR_SEGMENT_NAME, Value, reference
from models.audiences import Explanation as Standing
from models.audiences import explain as explain_audience
from models.clusterer import Model
from models.events import F64
from models.features import BY_NAME, FEATURES, View, evaluate, vectors
from models.outlook import outlook
from models.profiles import gather
from streams.clock import Clock
from streams.codec.hashing import partition_for
from streams.codec.profile_rows import COLD_PREFIX, HOT_PREFIX, META_KEY, NAME_PREFIX
from streams.deciding.columns import value_of
from streams.deciding.judge import Rows, eligible
from streams.deciding.plain import plain
from streams.deciding.records import scalar
from streams.engine import Engine
from streams.outbox import CHANGELOG
from streams.partition import Partition
from streams.reader import Reader
from streams.settings import Settings
from streams.snapshot import engine_of

MAX_REASONS = 5


@dataclass(frozen=True, slots=True)
class Near:
    """A behaviour segment as seen by one customer."""

    id: str
    name: str
    distance: float
    current: bool


@dataclass(frozen=True, slots=True)
class WouldMove:
    """One feature that, changed alone, would move the customer."""

    feature: str
    value: float
    """What would be enough, in the feature's unit."""
    segment_id: str
    """Where the customer would move to."""
    segment_name: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a customer is where they are; times are epoch ms."""

    customer_id: str
    partition: int
    as_of_ms: int
    sequence: int
    features: dict[str, Any]
    """Every feature by name, None for unknown."""
    segment_id: str | None
    segment_name: str | None
    since_ms: int | None
    model_version: int
    """The model in force for the customer's partition; 0 for none."""
    eligible: bool
    """Whether there are enough events for a behaviour segment."""
    margin: float
    """Share by which another segment must be nearer before the customer moves."""
    stays_until_ms: int | None
    """When the minimum stay in the segment ends; None when it has, or there is none."""
    distances: tuple[Near, ...]
    """Nearest first."""
    for_runner_up: tuple[tuple[str, float], ...]
    """(feature, part): what speaks most for the nearest other segment; parts of d(current)² - d(other)²."""
    against: tuple[tuple[str, float], ...]
    """(feature, part): what speaks most for the current one."""
    would_move: tuple[WouldMove, ...]
    """Single features that would move the customer with all else equal, the least change first."""
    audiences: tuple[Standing, ...]
    """How the customer stands to each audience in force, those that they are in first."""


def explain(settings: Settings, reader: Reader, clock: Clock, customer: str) -> Explanation | None:
    """Return why a customer is where they are, as of now; None if there is no such customer.

    Raises:
        LiveSegmentsError: the topics cannot be read, or were written in another format.
    """
    key = customer.encode()
    number = partition_for(key, settings.partitions, settings.partitioner)
    engine = engine_of(settings, reader, clock)
    wanted = {HOT_PREFIX + key, COLD_PREFIX + key, META_KEY}
    rows = [
        (row.key, row.value)
        for row in reader.all_of(CHANGELOG, [number])
        if row.key in wanted or row.key.startswith(NAME_PREFIX)
    ]
    engine.open(number)
    engine.restore(number, [key for key, _ in rows], [value for _, value in rows])
    engine.restored(number)
    return explanation_of(engine, engine.parts[number], key, settings)


def explanation_of(engine: Engine, part: Partition, key: bytes, settings: Settings) -> Explanation | None:
    """Return why a customer of a partition is where they are; None if there is no such customer."""
    if key not in part.index:
        return None
    r = gather(engine.slab.rows, np.array([part.index[key]]))
    now_ms = max(int(r["last_seen"][0]), part.stream_ms)
    view = View(r, np.array([now_ms]), engine.calendar, value_of(part.model))
    values = evaluate(view)
    own = int(r["behaviour"][0])
    model = part.model
    seen = vectors(view)
    near = _near(model, seen, own) if model is not None else ()
    pros, cons = _contributions(model, seen, own, near) if model is not None else ((), ())
    known = model is not None and own in model.numbers
    return Explanation(
        customer_id=key.decode(),
        partition=part.number,
        as_of_ms=now_ms,
        sequence=int(r["sequence"][0]),
        features={f.name: scalar(f, float(values[f.name][0]), part.names) for f in FEATURES},
        segment_id=f"b-{own}" if own else None,
        segment_name=model.name_of(own) if model is not None and own else None,
        since_ms=int(r["behaviour_since"][0]) if own else None,
        model_version=model.version if model is not None else 0,
        eligible=bool(eligible(r, settings.min_events)[0]),
        margin=settings.margin,
        stays_until_ms=_stays_until(r, now_ms, settings) if known else None,
        distances=near,
        for_runner_up=pros,
        against=cons,
        would_move=_would_move(model, seen, own, settings.margin) if model is not None else (),
        audiences=_audiences(part, r, view, model, now_ms),
    )


def _stays_until(r: Rows, now_ms: int, settings: Settings) -> int | None:
    until = int(r["behaviour_since"][0]) + settings.min_stay_s * 1000
    return until if until > now_ms else None


def _audiences(
    part: Partition, r: Rows, view: View, model: Model | None, now_ms: int
) -> tuple[Standing, ...]:
    if part.rules is None:
        return ()
    own = int(r["behaviour"][0])
    names = {} if model is None else {info.number: info.name for info in model.segments}
    row: dict[str, Value] = {
        name: plain(BY_NAME[name], BY_NAME[name].value(view), [part.names], exact=True)[0]
        for name in part.rules.columns
        if name in BY_NAME
    }
    row[BEHAVIOUR_SEGMENT] = f"b-{own}" if own else None
    row[BEHAVIOUR_SEGMENT_NAME] = names.get(own)
    bits, since_s = int(r["audience_bits"][0]), r["audience_since_s"][0]
    rules = part.rules.rules.values()
    row |= {reference(rule.definition.id): bool(bits >> rule.slot & 1) for rule in rules}
    found = [
        explain_audience(
            rule,
            row,
            member=bool(bits >> rule.slot & 1),
            since_s=int(since_s[rule.slot]),
            now_s=now_ms // 1000,
        )
        for rule in rules
    ]
    return tuple(sorted(found, key=lambda standing: not standing.member))


def _near(model: Model, seen: F64, own: int) -> tuple[Near, ...]:
    distances = model.distances(seen)[0].tolist()
    segments = [
        Near(info.id, info.name, distance, info.number == own)
        for info, distance in zip(model.segments, distances, strict=True)
    ]
    return tuple(sorted(segments, key=lambda near: near.distance))


Parts = tuple[tuple[str, float], ...]


def _contributions(model: Model, seen: F64, own: int, near: tuple[Near, ...]) -> tuple[Parts, Parts]:
    """Return the features that speak for the nearest other segment, and those for the current one."""
    other = next((segment for segment in near if not segment.current), None)
    if other is None or own not in model.numbers:
        return (), ()
    rival = int(other.id.removeprefix("b-"))
    parts = model.contributions(seen, np.array([own]), np.array([rival]))[0]
    ranked = sorted(zip(model.features, parts.tolist(), strict=True), key=lambda pair: -pair[1])
    pros = tuple(pair for pair in ranked if pair[1] > 0)[:MAX_REASONS]
    cons = tuple(pair for pair in reversed(ranked) if pair[1] < 0)[:MAX_REASONS]
    return pros, cons


def _would_move(model: Model, seen: F64, own: int, margin: float) -> tuple[WouldMove, ...]:
    """Return the single features that would move the customer, those of the least change."""
    return tuple(
        WouldMove(one.feature, one.value, model.segment(one.number).id, model.segment(one.number).name)
        for one in outlook(model, seen[0], own, margin)[:MAX_REASONS]
    )

"""Between two midnights features go as they say they do, and whom a model leaves in a segment stays there."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.audiences.bounds import STRAY
from models.calendar import DAY_MS, Calendar
from models.clusterer import Model
from models.events import I64
from models.features import CLUSTERED, FEATURES, Feature, View, vectors, vectors_later
from models.hysteresis import settle
from models.profiles import gather
from models.steadiness import stays
from models.value import ValueModel, ValueSample, fit
from streams.calendars import calendar_of
from streams.engine import Engine
from tests.engine_runs import driven, trained_model
from tests.oracle.synthetic import stream
from tests.strategies import streams
from tests.value_samples import shop

CALENDAR = calendar_of("Europe/Berlin")
SILENCES_MS = st.one_of(
    st.integers(0, DAY_MS),
    st.integers(0, 400 * DAY_MS),
    st.sampled_from([0, 1, 3_600_000, 14 * DAY_MS, 60 * DAY_MS, 90 * DAY_MS]),
)
ZONES = ("Europe/Berlin", "America/Havana", "Asia/Kolkata", "UTC")
SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=6)


@cache
def worth() -> ValueModel:
    """Return a model of value."""
    value = fit(ValueSample.of(*shop(400, 1)))
    assert value is not None
    assert value.orders is not None
    return value


def rows_of(engine: Engine) -> NDArray[np.void]:
    """Return the rows of all customers."""
    return gather(engine.slab.rows, np.concatenate([part.rows() for part in engine.parts.values()]))


@cache
def many() -> NDArray[np.void]:
    """Return customers of all kinds."""
    return rows_of(driven([stream(5, customers=24, days=100)]).engine)


def looks(r: NDArray[np.void], silence_ms: int, shares: list[float]) -> list[I64]:
    """Return times of rows between two midnights: the first, the last, and others."""
    first = r["last_seen"] + silence_ms
    last = CALENDAR.until(first) - 1
    return [first, last, *(first + ((last - first) * share).astype(np.int64) for share in shares)]


def check(feature: Feature, r: NDArray[np.void], times: list[I64]) -> None:
    """Compare a feature at all times with its values at the first and at the last."""
    first, last, *others = [feature.value(View(r, now, CALENDAR, worth())) for now in times]
    if feature.course == "any":
        return
    for value in [last, *others]:
        assert np.array_equal(np.isnan(value), np.isnan(first))
        if feature.course == "still":
            assert np.array_equal(value, first, equal_nan=True)
    low, high = np.fmin(first, last), np.fmax(first, last)
    stray = np.where(low < high, STRAY / 100 * np.maximum(np.abs(low), np.abs(high)), 0.0)
    for value in others:
        known = ~np.isnan(value)
        assert (value >= low - stray)[known].all()
        assert (value <= high + stray)[known].all()


@pytest.mark.parametrize("feature", FEATURES, ids=lambda f: f.name)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(silence_ms=SILENCES_MS, shares=SHARES)
def test_features_of_silent_customers_go_one_way_or_stand_still(
    feature: Feature, silence_ms: int, shares: list[float]
) -> None:
    """What is unknown stays unknown; a hundredth of what bounds allow for is enough."""
    check(feature, many(), looks(many(), silence_ms, shares))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(streams(), SILENCES_MS, SHARES)
def test_features_of_any_silent_customer_go_one_way_or_stand_still(
    records: list[object], silence_ms: int, shares: list[float]
) -> None:
    engine = driven([records]).engine  # type: ignore[list-item] # what the strategy draws
    if any(part.index for part in engine.parts.values()):
        r = rows_of(engine)
        for feature in FEATURES:
            check(feature, r, looks(r, silence_ms, shares))


def test_each_feature_that_is_said_to_move_does() -> None:
    """Else customers would be looked at twice for nothing."""
    first, last = looks(many(), DAY_MS // 2, [])
    for feature in FEATURES:
        before, after = (feature.value(View(many(), now, CALENDAR, worth())) for now in (first, last))
        if feature.course != "still" and not feature.name.startswith("rfm_"):
            assert not np.array_equal(before, after, equal_nan=True), feature.name


@settings(max_examples=25, deadline=None, derandomize=True)
@given(SILENCES_MS)
def test_vectors_of_later_that_day_are_vectors(silence_ms: int) -> None:
    first, last = looks(many(), silence_ms, [])
    seen = vectors(View(many(), first, CALENDAR))

    later = vectors_later(View(many(), last, CALENDAR), seen)
    assert np.array_equal(later, vectors(View(many(), last, CALENDAR)), equal_nan=True)


ROWS = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(ROWS, st.sampled_from([0.0, 0.02, 0.35, 0.9]), st.sampled_from([1e-4, 0.01, 0.1, 0.5]))
def test_who_stays_is_moved_by_no_decision_between(
    rng: np.random.Generator, margin: float, step: float
) -> None:
    """Features go one way each, at a pace of their own; some are unknown, some segments no more."""
    model = Model.from_bytes(trained_model())
    first = model.scale.to_units(rng.normal(0, 1.5, (200, len(CLUSTERED))))
    moved = first + rng.normal(0, step, first.shape) / model.scale.inverse
    last = np.where(rng.random(first.shape) < 0.5, first, moved)
    first[rng.random(first.shape) < 0.05] = np.nan
    last[np.isnan(first)] = np.nan
    nearest = model.assign(first)
    current = np.where(rng.random(200) < 0.3, rng.integers(0, 9, 200), nearest)
    staying = stays(model, first, last, current, margin)

    for share in rng.random((8, len(CLUSTERED))):
        between = first + (last - first) * share
        new, _ = settle(model, model.distances(between), margin, current)
        assert np.array_equal(new[staying], current[staying])
    if step < 0.01:
        new, _ = settle(model, model.distances(last), margin, current)
        assert (new == current)[~staying].mean() < 0.3


def test_who_is_in_no_segment_or_in_one_that_is_no_more_does_not_stay() -> None:
    model = Model.from_bytes(trained_model())
    still = model.scale.to_units(model.centres)

    assert stays(model, still, still, model.numbers, 0.1).all()
    assert not stays(model, still, still, np.zeros(len(still), np.int64), 0.1).any()
    assert not stays(model, still, still, model.numbers + 100, 0.1).any()


def test_a_feature_that_becomes_unknown_is_no_reason_to_stay() -> None:
    model = Model.from_bytes(trained_model())
    first = model.scale.to_units(model.centres)
    last = first.copy()
    last[0, 0] = np.nan

    assert stays(model, first, last, model.numbers, 0.1).tolist() == [False, *[True] * (len(first) - 1)]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.sampled_from(ZONES), st.integers(0, 2**41), st.floats(0, 1))
def test_until_its_end_the_local_day_is_the_same_and_then_another_or_the_clock_is_changed(
    zone: str, now_ms: int, share: float
) -> None:
    calendar = calendar_of_(zone)
    now = np.array([now_ms])
    end = calendar.until(now)
    assert (end > now).all()
    assert (end <= now + DAY_MS).all()

    between = now + ((end - 1 - now) * share).astype(np.int64)
    assert np.array_equal(calendar.day(between), calendar.day(now))
    changed = np.isin(end, calendar.transitions)
    assert (changed | (calendar.day(end) == calendar.day(now) + 1)).all()


@cache
def calendar_of_(zone: str) -> Calendar:
    """Return a zone's calendar."""
    return calendar_of(zone)

"""What would be enough for a move is enough, and a bit less is not."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.clusterer import crossings
from models.clusterer.grid import CLIP, GRID
from models.events import F64, Bool
from models.features import BY_NAME, CLUSTERED
from models.hysteresis import settle
from models.outlook import outlook
from tests.clusterer_samples import first_model

NAMES = tuple(feature.name for feature in CLUSTERED)
ROWS = np.random.default_rng(5).gamma(1.5, 0.6, (600, len(NAMES)))
"""No groups: borders run through the middle of the customers."""
MODEL = first_model(ROWS, NAMES, n_clusters=5, n_micro=32)

strange = st.lists(
    st.one_of(st.floats(0, 4, width=32), st.just(float("nan"))), min_size=len(NAMES), max_size=len(NAMES)
).map(lambda values: np.array(values, dtype=float))
rows = st.one_of(strange, st.integers(0, len(ROWS) - 1).map(lambda place: ROWS[place]))
margins = st.sampled_from([0.0, 0.02, 0.2, 0.35, 0.9])
held = st.sampled_from(MODEL.numbers.tolist())


def moved(row: F64, feature: int, values: F64, current: int, margin: float) -> Bool:
    """Return which of the values, put in the place of a feature's, move a row."""
    tried = np.repeat(row[None], len(values), axis=0)
    tried[:, feature] = values
    new, _ = settle(MODEL, MODEL.distances(tried), margin, np.full(len(values), current))
    return new != current


@settings(max_examples=80, deadline=None)
@given(row=rows, current=held, margin=margins)
def test_a_crossing_is_the_first_value_that_moves_a_row(row: F64, current: int, margin: float) -> None:
    """At the value the row moves; a step of the grid less, and anywhere before it, it stays."""
    standard = MODEL.scale.to_grid(row[None])[0]
    found = crossings(MODEL, row, current, margin)
    if MODEL.decide(row[None], np.array([current]), margin)[0] != current:
        assert np.isnan(found).all()
        return
    for side, step in ((0, -1), (1, 1)):
        for j, value in enumerate(found[side].tolist()):
            at = CLIP * step if value != value else (value - MODEL.scale.mean[j]) * MODEL.scale.inverse[j]  # noqa: PLR0124 - NaN is not itself
            last = at if value != value else at - step / GRID  # noqa: PLR0124 - NaN is not itself
            before = np.append(np.linspace(standard[j], last, 40), last)
            stays = MODEL.scale.mean[j] + before / MODEL.scale.inverse[j]

            assert not moved(row, j, stays, current, margin).any()
            if value == value:  # noqa: PLR0124 - NaN is not itself
                assert moved(row, j, np.array([value]), current, margin).all()


@settings(max_examples=80, deadline=None)
@given(row=rows, current=held, margin=margins)
def test_what_is_said_to_be_enough_moves_the_customer_there(row: F64, current: int, margin: float) -> None:
    """In the feature's unit, rounded as it is printed; nothing that cannot be is said."""
    found = outlook(MODEL, row, current, margin)

    assert [one.away for one in found] == sorted(one.away for one in found)
    for one in found:
        feature, j = BY_NAME[one.feature], NAMES.index(one.feature)
        tried = row.copy()
        tried[j] = np.log1p(one.value) if feature.transform == "log1p" else one.value
        assert MODEL.decide(tried[None], np.array([current]), margin).tolist() == [one.number]
        assert one.number != current
        assert one.value >= 0
        assert not (feature.unit == "share" and one.value > 1)
        assert not (one.feature.endswith("_total") and tried[j] < row[j])


def test_without_a_margin_every_customer_is_told_something() -> None:
    """A border is within reach of one feature; the wider the margin, the fewer can move by one alone."""
    rows, numbers = ROWS[:100], MODEL.assign(ROWS[:100]).tolist()
    told = [
        sum(bool(outlook(MODEL, row, number, margin)) for row, number in zip(rows, numbers, strict=True))
        for margin in (0.0, 0.2)
    ]

    assert told[0] == 100
    assert 20 < told[1] < 100

"""What holds for value models whatever the customers: bounds, directions, and no influence of order."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from models.events import I64, U64
from models.value import (
    BgNbd,
    GammaGamma,
    OrderHistory,
    Valuation,
    ValueModel,
    ValueSample,
    cut_points,
    scores,
)
from models.value.rfm import RfmCuts
from tests.value_samples import rows

SHAPE = st.floats(0.02, 50)
MODELS = st.builds(BgNbd, SHAPE, st.floats(0.5, 2000), SHAPE, SHAPE)
SPENDINGS = st.builds(GammaGamma, SHAPE, st.floats(1.1, 50), st.floats(0.01, 1e4))
COUNTS = st.integers(0, 5000).map(float)
DAYS = st.floats(0, 5000)
VALUES = st.lists(st.sampled_from([0.0, 1.0, 2.0, 2.5, 7.0, 1e9, -3.0]) | st.floats(-1e6, 1e6), min_size=1)
ROWS = st.lists(
    st.tuples(
        st.integers(0, 6),  # few hashes, so that customers meet themselves
        st.tuples(*[st.integers(0, 3)] * 3, st.integers(-2, 2), st.integers(0, 3)),
    ),
    max_size=30,
)


def of(drawn: list[tuple[int, tuple[int, ...]]]) -> tuple[U64, OrderHistory]:
    """Return hashes and histories."""
    hashes = np.array([one for one, _ in drawn], np.uint64)
    columns: I64 = np.array([row for _, row in drawn], np.int64).reshape(-1, 5)
    return hashes, OrderHistory(*columns.T)


@given(MODELS, COUNTS, DAYS, DAYS, st.floats(0.1, 400))
def test_probability_alive_falls_with_silence(
    model: BgNbd, x: float, t_x: float, silence: float, more: float
) -> None:
    """It is in [0, 1], 1 for a single order, and never rises while nothing is ordered."""
    count, last = np.array([x]), np.array([t_x if x else 0.0])
    now, later = (model.p_alive(count, last, last + days)[0] for days in (silence, silence + more))

    assert 0 <= later <= now <= 1
    assert x > 0 or now == 1


@given(MODELS, COUNTS.filter(bool), DAYS, st.floats(0, 1), st.floats(0, 1))
def test_probability_alive_rises_with_a_later_last_order(
    model: BgNbd, x: float, age: float, early: float, late: float
) -> None:
    """Of two customers with as many orders over as long, the one who ordered last is the likelier alive."""
    early, late = sorted((early, late))
    p = model.p_alive(np.array([x, x]), age * np.array([early, late]), np.array([age, age]))

    assert p[0] <= p[1]


@given(MODELS, COUNTS, DAYS, DAYS, st.floats(0.5, 300), st.floats(0, 300))
@example(BgNbd(1.0, 1.0, 2.0, 1.0), 99.0, 0.0, 0.0, 2.0, 8.0)
def test_expected_orders_grow_with_time_and_stay_below_the_rate(
    model: BgNbd, x: float, t_x: float, silence: float, days: float, more: float
) -> None:
    """They are at least 0, no more than the rate times the days, and never fewer for a longer time."""
    count, last = np.array([x]), np.array([t_x if x else 0.0])
    age = last + silence
    short, long = (model.expected_orders(count, last, age, d)[0] for d in (days, days + more))

    assert 0 <= short <= long * (1 + 1e-9) + 1e-12
    assert long <= (model.r + x) / (model.alpha + age[0]) * (days + more) * (1 + 1e-9)


@given(MODELS, DAYS, DAYS, st.floats(0.1, 400))
def test_expected_orders_of_a_single_order_fall_with_silence(
    model: BgNbd, age: float, more: float, days: float
) -> None:
    """One order, ever longer ago: though said to be alive, less and less is expected."""
    ages = np.array([age, age + more])
    now, later = model.expected_orders(np.zeros(2), np.zeros(2), ages, days)

    assert later <= now * (1 + 1e-9) + 1e-12


@given(SPENDINGS, st.integers(1, 5000), st.floats(0, 1e6), st.floats(0, 1e6))
def test_expected_order_lies_between_own_average_and_the_mean(
    model: GammaGamma, orders: int, low: float, high: float
) -> None:
    """It is drawn from the customer's average to the population's mean, and keeps the order of averages."""
    low, high = sorted((low, high))
    one, other = model.expected_order(np.array([orders, orders]), np.array([low, high]))

    assert one <= other * (1 + 1e-12)
    assert min(low, model.mean) * (1 - 1e-9) <= one <= max(low, model.mean) * (1 + 1e-9)


@given(VALUES, st.randoms())
def test_scores_follow_values_and_not_rows(values: list[float], random: object) -> None:
    """Equal values score equal, greater ones no less, and the order of the rows has no influence."""
    column = np.array(values)
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis' st.randoms() has no narrower type
    cuts = cut_points(column)
    found = scores(np.sort(column), cuts)

    assert cuts.tolist() == cut_points(np.array(shuffled)).tolist()
    assert (np.diff(found) >= 0).all()
    assert ((found >= 1) & (found <= 5)).all()
    assert len(set(zip(column.tolist(), scores(column, cuts).tolist(), strict=True))) == len(
        set(column.tolist())
    )


@given(VALUES, st.floats(0.01, 100), st.floats(-100, 100))
def test_scores_do_not_depend_on_the_unit(values: list[float], factor: float, offset: float) -> None:
    """Cents instead of euros, or another zero: the same scores, as long as equal values stay so."""
    column = np.round(np.array(values), 3)
    other = column * factor + offset
    if len(np.unique(other)) == len(np.unique(column)):
        assert scores(column, cut_points(column)).tolist() == scores(other, cut_points(other)).tolist()


@given(ROWS, st.lists(st.integers(0, 3), max_size=30), st.integers(1, 8), st.permutations(range(4)))
def test_samples_merge_in_any_order_to_the_same_bytes(
    drawn: list[tuple[int, tuple[int, ...]]], parts: list[int], limit: int, order: list[int]
) -> None:
    """However rows are dealt to four workers, however often and in whatever order those are merged."""
    hashes, history = of(drawn)
    dealt = np.resize(np.array([*parts, 0]), len(hashes))
    samples = [
        ValueSample.of(hashes[dealt == part], rows(history, np.flatnonzero(dealt == part)), limit)
        for part in range(4)
    ]
    whole = ValueSample.of(hashes, history, limit)
    first, *others = (samples[part] for part in order)
    pairwise = first
    for other in others:
        pairwise = pairwise.merged([other])

    assert first.merged(others).to_bytes() == whole.to_bytes()
    assert pairwise.merged([first, whole]).to_bytes() == whole.to_bytes()
    assert ValueSample.from_bytes(whole.to_bytes()).to_bytes() == whole.to_bytes()


@given(MODELS, SPENDINGS, ROWS, st.randoms())
def test_features_depend_on_the_customer_alone(
    orders: BgNbd, money: GammaGamma, drawn: list[tuple[int, tuple[int, ...]]], random: object
) -> None:
    """Any order of the rows, and one at a time, gives the same bits; unknown for those without orders."""
    _, history = of(drawn)
    cuts = np.arange(1.0, 5.0)
    model = ValueModel(RfmCuts(cuts, cuts, cuts), orders, money, 200)
    index = list(range(len(history)))
    random.shuffle(index)  # type: ignore[attr-defined] # as above
    together = Valuation(history, model)
    shuffled = Valuation(rows(history, np.array(index, np.int64)), model)
    for name in (
        "rfm_r",
        "rfm_f",
        "rfm_m",
        "rfm_segment",
        "p_alive",
        "expected_orders_90d",
        "expected_value_90d",
    ):
        values = getattr(together, name)

        assert getattr(shuffled, name).tobytes() == values[index].tobytes()
        assert (np.isfinite(values) == history.known).all()
        for i in index[:2]:
            alone = getattr(Valuation(rows(history, np.array([i])), model), name)
            assert np.array_equal(alone, values[i : i + 1], equal_nan=True)

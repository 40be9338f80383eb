"""A value model: fitted when there is enough, finite for everybody, intact or refused; the seven features."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from models.events import F64
from models.value import (
    MIN_CUSTOMERS,
    MIN_REPEATERS,
    SEGMENTS,
    OrderHistory,
    Valuation,
    ValueFormatError,
    ValueModel,
    ValueSample,
    fit,
)
from models.value.layout import seal
from models.value.model import HEADER, MAGIC
from tests.value_samples import DAYS, NOW_MS, SPENDING, histories, rows, shop, shop_sample

FEATURES = (
    "rfm_r",
    "rfm_f",
    "rfm_m",
    "rfm_segment",
    "p_alive",
    "expected_orders_90d",
    "expected_value_90d",
)


def fitted(sample: ValueSample) -> ValueModel:
    """Return the model of a sample that is large enough."""
    model = fit(sample)
    assert model is not None
    return model


SHOP = shop_sample(1500, seed=1)
MODEL = fitted(SHOP)


def features(history: OrderHistory, model: ValueModel | None) -> F64:
    """Return all features (7, n)."""
    valuation = Valuation(history, model)
    return np.stack([getattr(valuation, name) for name in FEATURES])


def sample_of(x: F64, t_x: F64, age: F64, average: F64 | float = 35.0) -> ValueSample:
    """Return the sample of customers with these figures."""
    return ValueSample.of(np.arange(len(x), dtype=np.uint64), histories(x, t_x, age, average))


def test_features_are_the_formulas() -> None:
    """A customer's features are scores by the cut points, and the two models multiplied."""
    model = replace(MODEL, orders=DAYS, money=SPENDING)
    x, t_x, age = np.array([2.0]), np.array([30.0]), np.array([60.0])
    valuation = Valuation(histories(x, t_x, age, 50.0), model)
    orders = DAYS.expected_orders(x, t_x, age, 90)

    assert valuation.p_alive.tolist() == DAYS.p_alive(x, t_x, age).tolist()
    assert valuation.expected_orders_90d.tolist() == orders.tolist()
    assert valuation.expected_value_90d[0] == orders[0] * SPENDING.expected_order(
        np.array([3.0]), np.array([50.0])
    )


def test_scores_split_the_population() -> None:
    """Each score of recency and money has a fifth of the sample; frequency is split where ties allow."""
    valuation = Valuation(SHOP.history, MODEL)
    for scores in (valuation.rfm_r, valuation.rfm_m):
        assert np.bincount(scores.astype(int))[1:].tolist() == pytest.approx([len(SHOP) / 5] * 5, abs=2)
    assert valuation.rfm_r[valuation.history.recency.argmin()] == 5
    assert (
        valuation.rfm_m[valuation.history.spent.argmax()]
        == valuation.rfm_f[valuation.history.x.argmax()]
        == 5
    )
    assert {SEGMENTS[int(code) - 1] for code in valuation.rfm_segment} <= set(SEGMENTS)


def test_without_a_model_everything_is_unknown() -> None:
    """No model, no value."""
    assert np.isnan(features(SHOP.history, None)).all()


def test_customers_without_orders_are_unknown() -> None:
    """A browser has no value yet, and does not disturb those beside them."""
    h = rows(SHOP.history, np.arange(3))
    mixed = OrderHistory(
        *(np.append(c, [0]) for c in (h.orders, h.first_order, h.last_order, h.money, h.as_of))
    )

    assert np.isnan(features(mixed, MODEL)[:, 3]).all()
    assert features(mixed, MODEL)[:, :3].tolist() == features(h, MODEL).tolist()


def test_too_few_customers_have_no_model() -> None:
    """One below the minimum is too few; customers who never ordered do not count."""
    enough, _ = shop(MIN_CUSTOMERS, seed=2)
    history = shop(MIN_CUSTOMERS, seed=2)[1]
    one_less = np.arange(MIN_CUSTOMERS - 1)

    assert fit(ValueSample.of(enough, history)) is not None
    assert fit(ValueSample.of(enough[one_less], rows(history, one_less))) is None
    assert fit(ValueSample.empty()) is None
    erased = ValueSample.of(enough, history).merged([ValueSample.forgotten(enough[:1], NOW_MS + 1)])
    assert fit(erased) is None


@pytest.mark.parametrize(("repeaters", "predicts"), [(MIN_REPEATERS - 1, False), (MIN_REPEATERS, True)])
def test_predictions_need_customers_who_came_back(repeaters: int, predicts: bool) -> None:
    """Below the minimum there are scores only, and the predictions are unknown."""
    age = np.linspace(10, 300, 400)
    x = np.where(np.arange(400) < repeaters, 2.0, 0.0)
    sample = sample_of(x, np.where(x > 0, age / 2, 0.0), age, np.linspace(5, 80, 400))
    found = features(sample.history, fitted(sample))

    assert np.isnan(found[:4]).sum() == 0
    assert np.isfinite(found[4:]).all() == predicts
    assert np.isnan(found[4:]).all() == (not predicts)


def test_same_sample_gives_the_same_bytes() -> None:
    """Whatever the order in which its customers came."""
    hashes, history = shop(1500, seed=1)
    shuffled = np.random.default_rng(3).permutation(1500)
    again = ValueSample.of(hashes[shuffled], rows(history, shuffled))

    assert fitted(again).to_bytes() == MODEL.to_bytes()


def test_fit_of_the_sample_is_near_the_truth() -> None:
    """From 1,500 customers: orders and money of the population within 12 %."""
    assert MODEL.orders is not None
    assert MODEL.money is not None
    assert MODEL.orders.expected_orders_of_new(180) == pytest.approx(
        DAYS.expected_orders_of_new(180), rel=0.12
    )
    assert MODEL.money.mean == pytest.approx(SPENDING.mean, rel=0.12)


@pytest.mark.parametrize(
    "kind", ["single", "equal", "same day", "free", "refunded", "huge", "future", "giant"]
)
def test_degenerate_populations_give_no_nan(kind: str) -> None:
    """Each fits without an exception or a warning, and what it predicts is finite."""
    n = 300
    x, t_x, age, average = np.full(n, 2.0), np.linspace(0, 50, n), np.linspace(60, 300, n), np.full(n, 20.0)
    if kind == "single":
        x, t_x = np.zeros(n), np.zeros(n)
    elif kind == "equal":
        t_x, age = np.full(n, 30.0), np.full(n, 60.0)
    elif kind == "same day":
        t_x, age = np.zeros(n), np.zeros(n)
    elif kind == "free":
        average = np.zeros(n)
    elif kind == "refunded":
        average = -average
    elif kind == "huge":
        x, average = np.geomspace(1, 4e9, n), np.geomspace(1e-4, 1e4, n)
    elif kind == "future":
        age = np.linspace(-100, -1, n)
    elif kind == "giant":
        x[0], average[0] = 1e6, 9e7
    sample = sample_of(np.floor(x), t_x, age, average)
    model = fitted(sample)
    found = features(sample.history, model)
    other = features(SHOP.history, model)

    known = (
        [True] * 4 + [model.orders is not None] * 2 + [model.orders is not None and model.money is not None]
    )
    for values in (found, other):
        assert np.isfinite(values).all(axis=1).tolist() == known
        assert (np.nan_to_num(values) >= 0).all()


def test_round_trip_keeps_everything() -> None:
    """Bytes back and forth are the same model, with and without predictions."""
    for model in (MODEL, replace(MODEL, orders=None), replace(MODEL, money=None, orders=None)):
        back = ValueModel.from_bytes(model.to_bytes())

        assert back.to_bytes() == model.to_bytes()
        assert (back.orders, back.money, back.customers) == (model.orders, model.money, 1500)
        assert features(SHOP.history, back).tobytes() == features(SHOP.history, model).tobytes()


def test_any_changed_byte_is_refused() -> None:
    """A model with one byte changed, cut off or added is not read."""
    data = MODEL.to_bytes()
    for place in range(len(data)):
        with pytest.raises(ValueFormatError):
            ValueModel.from_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    for other in (b"", data[:20], data[:-1], data + b"\0", SHOP.to_bytes()):
        with pytest.raises(ValueFormatError):
            ValueModel.from_bytes(other)


@pytest.mark.parametrize(
    ("header", "numbers"),
    [
        ((0, 0, 0), [0.0] * 12),
        ((5, 3, 0), [0.0] * 15),
        ((5, 0, 0), [0.0] * 11),
        ((5, 0, 0), [np.nan] * 12),
        ((5, 0, 0), [2.0, 1.0] * 6),
        ((5, 4, 0), [0.0] * 12 + [1.0, 1.0, np.inf, 1.0]),
        ((5, 0, 3), [0.0] * 12 + [1.0, 0.5, 1.0]),
    ],
)
def test_sealed_nonsense_is_refused(header: tuple[int, int, int], numbers: list[float]) -> None:
    """No customers, a wrong count, cut points that do not ascend, parameters out of bounds."""
    data = seal(MAGIC, HEADER.pack(*header) + np.array(numbers, "<f8").tobytes())
    with pytest.raises(ValueFormatError, match="not a value model"):
        ValueModel.from_bytes(data)


def test_a_million_customers_take_moments() -> None:
    """CPU time for 1 M customers: p_alive at most 0.3 s; expected orders and money at most 1 s."""
    n = 1_000_000
    history = rows(SHOP.history, np.random.default_rng(4).integers(0, len(SHOP), n))
    valuation = Valuation(history, MODEL)
    _ = history.x, history.t_x, history.age, history.known, history.average, valuation.p_alive
    del valuation.__dict__["p_alive"]
    start = time.process_time()
    _ = valuation.p_alive
    alive = time.process_time()
    _ = valuation.expected_value_90d
    end = time.process_time()

    assert alive - start <= 0.3
    assert end - start <= 1.0

"""BG/NBD gives the published figures, agrees with integrals and simulations, and its fit finds the truth."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import betaln
from scipy.stats import beta, gamma

from models.events import F64
from models.value import BgNbd, fit_bgnbd
from models.value.bgnbd import SHAPES, SINGULAR, TIMES_DAYS
from tests.value_samples import DAYS, simulate

CDNOW = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
"""Fader, Hardie and Lee (2005), table 2; in weeks."""
UNROUNDED = BgNbd(r=0.242593, alpha=4.41353, a=0.792886, b=2.42575)
"""What table 2 rounds: the curve of E[X(t)] was published from it."""


def one(x: float, t_x: float, age: float) -> tuple[F64, F64, F64]:
    """Return a customer as columns of one."""
    return np.array([x]), np.array([t_x]), np.array([age])


def living(x: float, age: float) -> tuple[F64, F64]:
    """Return a customer who is known to be alive as columns of one."""
    return np.array([x]), np.array([age])


def integral(model: BgNbd, x: float, age: float, days: float) -> float:
    """Return the expected orders of a living customer as the mean of (1 - e^(-rate p days)) / p.

    The rate is integrated by hand (gamma posterior), p numerically over its beta posterior, on a logit scale.
    """
    k, s = model.r + x, days / (model.alpha + age)
    a, b = model.a, model.b + x
    norm = betaln(a, b)

    def density(logit: float) -> float:
        p, q = 1 / (1 + np.exp(-logit)), 1 / (1 + np.exp(logit))
        inner: float = -np.expm1(-k * np.log1p(p * s)) / p * np.exp(a * np.log(p) + b * np.log(q) - norm)
        return inner

    middle, width = np.log(a / b), np.sqrt(1 / a + 1 / b)
    low, high = (
        max(middle - 40 * max(1 / a, 1) - 4 * width, -700),
        min(middle + 40 / min(b, 1) + 4 * width, 700),
    )
    points = [middle - 3 * width, middle, middle + 3 * width]
    return float(quad(density, low, high, points=points, limit=500, epsabs=0, epsrel=1e-11)[0])


@pytest.mark.parametrize(
    ("weeks", "orders"), [(0.1429, 0.0078), (1, 0.0532), (3, 0.1506), (31.8571, 1.0405), (32, 1.0437)]
)
def test_orders_of_a_new_customer_are_as_published(weeks: float, orders: float) -> None:
    """E[X(t)] is the published one to its four decimals; the rounded parameters shift it by up to 0.2 %."""
    assert UNROUNDED.expected_orders_of_new(weeks) == pytest.approx(orders, abs=5.1e-5)
    assert CDNOW.expected_orders_of_new(weeks) == pytest.approx(orders, rel=2e-3, abs=5.1e-5)


def test_orders_of_78_weeks_are_as_published_when_the_series_is_cut_off() -> None:
    """The published 1.8576 is the series after 150 terms; all of it is 1.8580, which is what is computed."""
    r, alpha, a, b = astuple(UNROUNDED)
    z, c = 78 / (alpha + 78), a + b - 1
    j = np.arange(1, 2001)
    terms = np.cumprod((r + j - 1) * (b + j - 1) / ((c + j - 1) * j) * z)
    after = [c / (a - 1) * (1 - (1 - z) ** r * (1 + terms[:many].sum())) for many in (150, 2000)]

    assert after[0] == pytest.approx(1.8576, abs=5.1e-5)
    assert UNROUNDED.expected_orders_of_new(78) == pytest.approx(after[1], rel=1e-12)
    assert round(after[1], 4) == 1.8580


def test_orders_of_a_known_customer_are_as_published() -> None:
    """E[Y(39) | x = 2, t_x = 30.43, T = 38.86] = 1.226."""
    assert CDNOW.expected_orders(*one(2, 30.43, 38.86), days=39)[0] == pytest.approx(1.226, abs=5e-4)


def test_probability_of_no_order_is_as_published() -> None:
    """P(X(39) = 0) = 0.5737864, the likelihood of a customer who was seen 39 weeks and bought nothing."""
    assert CDNOW.probability_of_orders(np.zeros(1), 39)[0] == pytest.approx(0.5737864, abs=5e-8)
    assert np.exp(CDNOW.log_likelihood(*one(0, 0, 39)))[0] == pytest.approx(0.5737864, abs=5e-8)


def test_probabilities_of_all_counts_add_up() -> None:
    """They sum to 1 and their mean is the expectation, which is another formula."""
    counts = np.arange(4000.0)
    probability = DAYS.probability_of_orders(counts, 200)

    assert probability.sum() == pytest.approx(1, abs=1e-12)
    assert counts @ probability == pytest.approx(DAYS.expected_orders_of_new(200), rel=1e-10)


def test_likelihood_is_the_integral_over_all_customers() -> None:
    """Eq. 6 equals the likelihood given rate and p (eq. 3) integrated over gamma and beta."""
    x, t_x, age = 3.0, 100.0, 140.0
    model = BgNbd(r=2.0, alpha=60.0, a=1.5, b=3.0)

    def over_rates(time: float) -> float:
        of_rate = gamma(model.r, scale=1 / model.alpha).pdf
        return float(quad(lambda rate: rate**x * np.exp(-rate * time) * of_rate(rate), 0, 1, epsrel=1e-10)[0])

    def over_leaves(left: int) -> float:
        of_leave = beta(model.a, model.b).pdf
        return float(quad(lambda p: p**left * (1 - p) ** (x - left) * of_leave(p), 0, 1, epsrel=1e-10)[0])

    whole = over_leaves(0) * over_rates(age) + over_leaves(1) * over_rates(t_x)
    assert np.exp(model.log_likelihood(*one(x, t_x, age)))[0] == pytest.approx(whole, rel=1e-8)


def test_expectation_is_the_integral_for_all_parameters() -> None:
    """Euler's form agrees with numerical integration to 1e-8, up to 100,000 orders."""
    rng = np.random.default_rng(2)
    for _ in range(150):
        r, a, b = 10 ** rng.uniform(-1.3, 1.7, 3)
        model = BgNbd(r, 10 ** rng.uniform(0, 4), a, b)
        x, age = float(rng.choice([0, 1, 2, 10, 1000, 100_000])), float(rng.choice([0, 1, 30, 3000]))
        found = model.expected_if_alive(*living(x, age), days=90)[0]

        assert found == pytest.approx(integral(model, x, age, 90), rel=1e-8), (model, x, age)


@pytest.mark.parametrize("offset", [0.0, 1e-12, 1e-7, SINGULAR / 2, -SINGULAR / 2, SINGULAR, -SINGULAR])
def test_expectation_is_smooth_where_the_closed_form_is_not(offset: float) -> None:
    """At a = 1 the closed form is 0/0; the value is still the integral's."""
    model = replace(DAYS, a=1 + offset)
    for x, age in ((0.0, 0.0), (2.0, 100.0), (500.0, 300.0)):
        assert model.expected_if_alive(*living(x, age), days=90)[0] == pytest.approx(
            integral(model, x, age, 90), rel=1e-8
        )


@pytest.mark.parametrize(("r", "a", "b"), [(1, 2, 1), (3, 43, 3), (1, 30, 33), (1, 3, 2), (6, 2, 13)])
@pytest.mark.parametrize("x", [80.0, 99.0, 420.0])
def test_expectation_of_many_orders_with_whole_parameters_is_the_integral(
    r: float, a: float, b: float, x: float
) -> None:
    """SciPy's series is infinite or no number there, when the days ahead are many more than the age."""
    model = BgNbd(r, 1.0, a, b)
    for days in (10, 100, 1000):
        assert model.expected_if_alive(*living(x, 0), days)[0] == pytest.approx(
            integral(model, x, 0, days), rel=1e-7
        )


def test_expectation_passes_the_pole_of_the_series() -> None:
    """At a + b = 1 and no repeat order the series has a pole, the expectation has not."""
    for b in (0.3, 0.3 + 1e-12, 0.3 - 1e-10, 0.25):
        model = BgNbd(r=0.4, alpha=20, a=0.7, b=b)

        assert model.expected_if_alive(*living(0, 40), days=90)[0] == pytest.approx(
            integral(model, 0, 40, 90), rel=1e-7
        )


def test_formulas_describe_simulated_customers() -> None:
    """Of 40,000 simulated customers each group orders as often as is said of it beforehand."""
    x, t_x, later = simulate(DAYS, np.full(40_000, 200.0), seed=3, ahead=90)
    age = np.full(len(x), 200.0)
    expected = DAYS.expected_orders(x, t_x, age, 90)
    groups = [x == 0, x == 1, (x > 1) & (t_x < 100), (x > 1) & (t_x >= 100), expected > 2]

    for group in groups:
        error = later[group].std() / np.sqrt(group.sum())
        assert abs(later[group].mean() - expected[group].mean()) < 3 * error
    assert x.mean() == pytest.approx(DAYS.expected_orders_of_new(200), abs=3 * x.std() / 200)


def test_probability_alive_counts_simulated_customers() -> None:
    """Looked at for very long, those said to be alive with probability p come back in the share p."""
    model = BgNbd(r=3.0, alpha=30.0, a=1.0, b=3.0)
    age = np.full(8000, 100.0)
    x, t_x, later = simulate(model, age, seed=4, ahead=20_000)
    p = model.p_alive(x, t_x, age)
    for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.99)):
        group = (p >= low) & (p < high) & (x > 0)
        error = np.sqrt(0.25 / group.sum())
        assert abs((later[group] > 0).mean() - p[group].mean()) < 3 * error


@pytest.mark.parametrize("true", [DAYS, BgNbd(r=1.5, alpha=40.0, a=0.4, b=1.2)])
def test_fit_finds_the_parameters_of_simulated_customers(true: BgNbd) -> None:
    """From 15,000 customers: means within 6 %, parameters within 25 %, the truth within the 99.9 % region.

    Twice the gain in log-likelihood over the truth is chi-squared with 4 degrees of freedom.
    """
    age = np.random.default_rng(5).uniform(100, 700, 15_000)
    x, t_x, _ = simulate(true, age, seed=6)
    found = fit_bgnbd(x, t_x, age)
    gain = found.log_likelihood(x, t_x, age).sum() - true.log_likelihood(x, t_x, age).sum()

    assert 0 <= 2 * gain < 18.5
    assert found.r / found.alpha == pytest.approx(true.r / true.alpha, rel=0.06)
    assert found.a / (found.a + found.b) == pytest.approx(true.a / (true.a + true.b), rel=0.06)
    assert astuple(found) == pytest.approx(astuple(true), rel=0.25)


def test_fit_does_not_depend_on_the_unit_of_time() -> None:
    """Weeks instead of days divide alpha by seven and change nothing else."""
    age = np.random.default_rng(7).uniform(100, 700, 3000)
    x, t_x, _ = simulate(DAYS, age, seed=8)
    days, weeks = fit_bgnbd(x, t_x, age), fit_bgnbd(x, t_x / 7, age / 7)

    assert astuple(weeks) == pytest.approx((days.r, days.alpha / 7, days.a, days.b), rel=1e-4)


@pytest.mark.parametrize("kind", ["one each", "all the same day", "one customer", "a million orders", "new"])
def test_fit_of_a_degenerate_population_is_finite(kind: str) -> None:
    """Whatever the population, parameters are within bounds and predictions finite."""
    x, t_x, age = np.zeros(300), np.zeros(300), np.linspace(1, 300, 300)
    if kind == "all the same day":
        x[:] = 3.0
    elif kind == "one customer":
        x, t_x, age = one(5, 20, 30)
    elif kind == "a million orders":
        x[7], t_x[7] = 1e6, 8.0
    elif kind == "new":
        age[:] = 1e-8
    found = fit_bgnbd(x, t_x, age)

    assert np.isfinite(found.expected_orders(x, t_x, age, 90)).all()
    assert np.isfinite(found.p_alive(x, t_x, age)).all()


def test_values_are_finite_at_every_corner() -> None:
    """At all bounds of the parameters, for the largest numbers a row holds, no value is NaN or infinite."""
    x = np.array([0, 0, 1, 30, 1e3, 2.0**32])
    age = np.array([0, 1e-8, 1.0, 700, 40_000, 1e8])
    every_x, every_age = (grid.ravel() for grid in np.meshgrid(x, age))
    for corner in np.ndindex(2, 2, 2, 2):
        bounds = (SHAPES, TIMES_DAYS, SHAPES, SHAPES)
        model = BgNbd(*(bound[end] for bound, end in zip(bounds, corner, strict=True)))
        p = model.p_alive(every_x, every_age / 2, every_age)
        orders = model.expected_orders(every_x, every_age / 2, every_age, 90)

        assert np.isfinite(orders).all()
        assert (orders >= 0).all()
        assert ((p >= 0) & (p <= 1)).all()


def test_no_time_ahead_means_no_orders() -> None:
    """The next 0 days hold no order."""
    assert DAYS.expected_orders(*one(2, 30, 40), days=0).tolist() == [0.0]


@pytest.mark.parametrize("wrong", [{"r": 0.0}, {"alpha": np.nan}, {"a": 1e9}, {"b": -1.0}])
def test_parameters_out_of_bounds_are_refused(wrong: dict[str, float]) -> None:
    """A parameter that is no number or out of bounds is named."""
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is"):
        replace(DAYS, **wrong)


def test_a_customer_of_whom_the_series_is_unknown_changes_nothing_for_others() -> None:
    """SciPy has no answer for hundreds of orders in a day: those of others are the same to the last bit."""
    model = BgNbd(r=1.0, alpha=0.1, a=2.0, b=3.0)
    x, age = np.arange(400.0), np.full(400, 0.01)
    alone = [model.expected_if_alive(x[i : i + 1], age[i : i + 1], 90.0)[0] for i in range(len(x))]

    assert np.array_equal(model.expected_if_alive(x, age, 90.0), np.array(alone))

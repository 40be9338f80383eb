"""Gamma-Gamma gives the published figures, agrees with integrals, and its fit finds the truth again."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import gamma

from models.value import GammaGamma, fit_gamma_gamma
from tests.value_samples import SPENDING, spend

UNROUNDED = GammaGamma(p=6.2488, q=3.74459, v=15.4477)
"""What CDNOW's 946 repeat customers give; 6.25, 3.74, 15.44 (or .45) in print."""


@pytest.mark.parametrize(
    ("orders", "average", "expected"), [(2, 22.35, 24.658619), (1, 11.77, 18.911489), (7, 73.74, 71.462843)]
)
def test_order_value_is_as_published(orders: float, average: float, expected: float) -> None:
    """CDNOW's customers 1, 2 and 6 get the order values that the Lifetimes documentation prints."""
    found = UNROUNDED.expected_order(np.array([orders]), np.array([average]))[0]
    rounded = SPENDING.expected_order(np.array([orders]), np.array([average]))[0]

    assert found == pytest.approx(expected, abs=2e-4)
    assert rounded == pytest.approx(expected, rel=1e-3)


def test_mean_order_value_is_as_published() -> None:
    """Customers of whom nothing is known: 35.170981."""
    assert UNROUNDED.mean == pytest.approx(35.170981, abs=2e-4)
    assert pytest.approx(6.25 * 15.44 / 2.74) == SPENDING.mean


@pytest.mark.parametrize("orders", [1.0, 3.0, 12.0])
def test_density_is_one_in_all_and_has_the_mean(orders: float) -> None:
    """The density of the average integrates to 1, and its mean is that of the population."""

    def density(log: float, power: int) -> float:
        average = np.exp(log)
        value = SPENDING.log_likelihood(np.array([orders]), np.array([average]))[0]
        return float(np.exp(value) * average ** (1 + power))

    assert quad(density, -10, 15, args=(0,), limit=200)[0] == pytest.approx(1, abs=1e-8)
    assert quad(density, -10, 25, args=(1,), limit=200)[0] == pytest.approx(SPENDING.mean, rel=1e-6)


def test_expected_order_is_the_posterior_mean() -> None:
    """Bayes by numerical integration over the customer's own rate gives the closed form."""
    orders, average = 3.0, 50.0

    def weight(rate: float) -> float:
        seen = gamma(SPENDING.p * orders, scale=1 / (rate * orders)).pdf(average)
        return float(seen * gamma(SPENDING.q, scale=1 / SPENDING.v).pdf(rate))

    whole = quad(weight, 0, 2, epsrel=1e-10)[0]
    mean = quad(lambda rate: weight(rate) * SPENDING.p / rate, 1e-9, 2, epsrel=1e-10)[0] / whole

    assert SPENDING.expected_order(np.array([orders]), np.array([average]))[0] == pytest.approx(
        mean, rel=1e-7
    )


@pytest.mark.parametrize("true", [SPENDING, GammaGamma(p=1.4, q=2.2, v=300.0)])
def test_fit_finds_the_parameters_of_simulated_customers(true: GammaGamma) -> None:
    """From 8,000 customers: parameters within 15 %, the mean within 5 %, the truth in the 99.9 % region."""
    orders = np.random.default_rng(1).geometric(0.4, 8000).astype(np.float64)
    average = spend(true, orders, seed=2)
    found = fit_gamma_gamma(orders, average)
    gain = found.log_likelihood(orders, average).sum() - true.log_likelihood(orders, average).sum()

    assert 0 <= 2 * gain < 16.3
    assert astuple(found) == pytest.approx(astuple(true), rel=0.15)
    assert found.mean == pytest.approx(true.mean, rel=0.05)


def test_fit_does_not_depend_on_the_currency() -> None:
    """Cents instead of euros multiply v by 100 and change nothing else."""
    orders = np.random.default_rng(1).geometric(0.4, 2000).astype(np.float64)
    average = spend(SPENDING, orders, seed=3)
    euros, cents = fit_gamma_gamma(orders, average), fit_gamma_gamma(orders, average * 100)

    assert astuple(cents) == pytest.approx((euros.p, euros.q, euros.v * 100), rel=1e-4)


@pytest.mark.parametrize("average", [np.full(300, 10.0), np.geomspace(1e-4, 1e9, 300), np.array([5.0])])
def test_fit_of_a_degenerate_population_is_finite(
    average: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    """All spending the same, over thirteen orders of magnitude, or one customer: predictions are finite."""
    orders = np.where(np.arange(len(average)) % 2, 1e6, 1.0)
    found = fit_gamma_gamma(orders, average)

    assert np.isfinite(found.expected_order(orders, average)).all()
    assert np.isfinite(found.mean)


def test_refunds_beyond_orders_count_as_nothing_spent() -> None:
    """A negative average gives the expectation of an average of 0, which is above 0."""
    below, zero = SPENDING.expected_order(np.array([2.0, 2.0]), np.array([-500.0, 0.0]))

    assert below == zero > 0


@pytest.mark.parametrize("wrong", [{"p": 0.0}, {"q": 1.0}, {"v": np.nan}])
def test_parameters_out_of_bounds_are_refused(wrong: dict[str, float]) -> None:
    """A parameter that is no number or out of bounds is named; at q = 1 the mean would be infinite."""
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is"):
        replace(SPENDING, **wrong)

"""Gamma-Gamma: how much a customer spends per order.

Source: Fader and Hardie (2013), "The Gamma-Gamma Model of Monetary Value" (brucehardie.com/notes/025); from
Colombo and Jiang (1999). Each customer has their own mean order value; orders vary about it (gamma), and the
scale varies over customers (gamma). Money per order is taken to be independent of how often someone orders.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from scipy.special import gammaln, psi

from models.events import F64
from models.value.maximum import STEPS, WARM_STEPS, log_maximum, significant

SHAPES_P = (1e-2, 1e3)
"""Bounds of p."""
SHAPES_Q = (1.01, 1e3)
"""Bounds of q: at 1 and below the mean order value of the population is infinite."""
MONEY = (1e-6, 1e12)
"""Bounds of v, in units of the currency."""
STARTS = ((1.0, 3.0, 2.0), (5.0, 3.0, 0.5), (0.5, 10.0, 10.0))
"""Where the search begins: p, q, v in mean order values."""


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """The three parameters; methods are elementwise over customers.

    Arguments of the methods, of one shape: `orders` (at least 1), `average` their mean money.

    Attributes:
        p: Shape of the gamma distribution of a customer's order values.
        q: Shape of the gamma distribution of its rate over customers.
        v: Rate parameter of that, in units of the currency.

    Examples:
        >>> model = GammaGamma(p=6.25, q=3.74, v=15.44)
        >>> round(model.mean, 2)
        35.22
        >>> import numpy as np
        >>> model.expected_order(np.array([1.0, 100.0]), np.array([60.0, 60.0])).round(2).tolist()
        [52.45, 59.89]
    """

    p: float
    q: float
    v: float

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            ValueError: a parameter is out of `SHAPES_P`, `SHAPES_Q` or `MONEY`, or no number.
        """
        for name, bounds in (("p", SHAPES_P), ("q", SHAPES_Q), ("v", MONEY)):
            value = getattr(self, name)
            if not bounds[0] <= value <= bounds[1]:
                raise ValueError(f"{name} is {value}, must be {bounds[0]} to {bounds[1]}")

    @property
    def mean(self) -> float:
        """Return the mean order value over all customers, p v / (q - 1)."""
        return self.p * self.v / (self.q - 1.0)

    def log_likelihood(self, orders: F64, average: F64) -> F64:
        """Return the log of the density of each average, which must be above 0 (eq. 1a)."""
        return _terms(np.log(astuple(self)), orders, average)[0]

    def expected_order(self, orders: F64, average: F64) -> F64:
        """Return the expected money of a future order (eq. 5): the customer's average, drawn to the mean.

        (q-1)/(p n+q-1) of the population's mean and p n/(p n+q-1) of the customer's own average; an average
        below 0 (refunds exceed orders) counts as 0.
        """
        own = self.p * orders
        weight = own / (own + self.q - 1.0)
        return (1.0 - weight) * self.mean + weight * np.maximum(average, 0.0)


def fit_gamma_gamma(orders: F64, average: F64, known: GammaGamma | None = None) -> GammaGamma:
    """Return the parameters of the greatest likelihood within the bounds, to six significant digits.

    Needs at least one customer, orders >= 1 and averages above 0. All with one order each give a fit too, but
    then p rests on the form of the distribution alone. `known` is as in `fit_bgnbd`.
    """
    scale = float(np.exp(np.log(average).mean()))
    unit = np.array([1.0, 1.0, scale])

    def objective(logs: F64) -> tuple[float, F64]:
        values, slopes = _terms(logs, orders, average)
        return float(values.mean()), np.array([slope.mean() for slope in slopes]) * np.exp(logs)

    bounds = [SHAPES_P, SHAPES_Q, MONEY]
    fresh = [np.array(start) * unit for start in STARTS]
    starts = fresh if known is None else [np.array(astuple(known)), fresh[0]]
    best = log_maximum(objective, starts, bounds, STEPS if known is None else WARM_STEPS)
    return GammaGamma(*(significant(value, bound) for value, bound in zip(best, bounds, strict=True)))


def _terms(logs: F64, n: F64, average: F64) -> tuple[F64, list[F64]]:
    """Return the log-density (n,) and its derivatives by p, q and v, (n,) each."""
    p, q, v = np.exp(logs)
    total = np.log(n) + np.log(average)
    whole = np.logaddexp(total, np.log(v))
    value = gammaln(p * n + q) - gammaln(p * n) - gammaln(q)
    value += q * np.log(v) + p * n * total - np.log(average) - (p * n + q) * whole
    slopes = [
        n * (psi(p * n + q) - psi(p * n) + total - whole),
        psi(p * n + q) - psi(q) + np.log(v) - whole,
        q / v - (p * n + q) * np.exp(-whole),
    ]
    return value, slopes

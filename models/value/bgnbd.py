"""BG/NBD: how often a customer orders, and whether they still do.

Source: Fader, Hardie and Lee (2005), "Counting Your Customers the Easy Way: An Alternative to the Pareto/NBD
Model", Marketing Science 24(2), 275-284; equation numbers are theirs. While alive, a customer orders at
random at their own rate (gamma over customers); after each repeat order they may leave for good, with their
own probability (beta over customers). The model counts repeat orders: the first one starts the clock.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from scipy.special import betainc, betaln, expit, gammaln, hyp2f1, psi, xlog1py, xlogy

from models.events import F64, Bool
from models.value.maximum import STEPS, WARM_STEPS, log_maximum, significant

SHAPES = (1e-3, 1e2)
"""Bounds of r, a and b. Beyond the upper one a distribution is a point for all that orders can tell."""
TIMES_DAYS = (1e-1, 1e6)
"""Bounds of alpha."""
SINGULAR = 1e-4
"""Nearer than this to a = 1, where the closed form is 0/0, expected orders are interpolated across it."""
POLE = 1e-9
"""No hypergeometric series is asked for nearer than this to its pole at a + b + x = 1."""
STARTS = ((1.0, 1.0, 1.0, 1.0), (0.25, 0.25, 0.8, 2.5), (2.0, 1.0, 0.2, 5.0))
"""Where the search begins: r, alpha in mean observation times, a, b."""


@dataclass(frozen=True, eq=False, slots=True)
class Rhythm:
    """What the model says of n customers by their orders, at whatever time they are looked at; (n,) each."""

    alpha: float
    repeat: Bool
    """Who has come back."""
    left: F64
    """Logarithm of the odds of having left right after the last order."""
    orders: F64
    """Orders that speak for a rate: the model's own r among them."""
    last: F64
    """Logarithm of alpha and the days until the last order."""

    def p_alive(self, age: F64) -> F64:
        """Return the probability that each customer is alive at an age (n,), see `BgNbd.p_alive`."""
        gone = self.left + self.orders * (np.log(self.alpha + age) - self.last)
        return np.where(self.repeat, expit(-gone), 1.0)


@dataclass(frozen=True, slots=True)
class BgNbd:
    """The four parameters; methods are elementwise over customers.

    Arguments of the methods, all of one shape: `x` repeat orders (orders - 1, at least 0), `t_x` days from
    the first order to the last (0 when x = 0), `age` days from the first order to now (T in the paper, at
    least t_x).

    Attributes:
        r: Shape of the gamma distribution of order rates.
        alpha: Its rate parameter, in days; r / alpha is the mean number of orders a day of a living customer.
        a: First parameter of the beta distribution of the probability of leaving after an order.
        b: Its second parameter; a / (a + b) is the mean.

    Examples:
        The published figure for CDNOW (weeks there): a customer with two repeat orders, the last at 30.43,
        seen for 38.86, will place 1.226 in the next 39.

        >>> import numpy as np
        >>> model = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> one = np.array([2.0]), np.array([30.43]), np.array([38.86])
        >>> round(float(model.expected_orders(*one, 39.0)[0]), 3)
        1.226
        >>> round(float(model.p_alive(*one)[0]), 3)
        0.727
    """

    r: float
    alpha: float
    a: float
    b: float

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            ValueError: a parameter is out of `SHAPES` or `TIMES_DAYS`, or no number.
        """
        for name, bounds in (("r", SHAPES), ("alpha", TIMES_DAYS), ("a", SHAPES), ("b", SHAPES)):
            value = getattr(self, name)
            if not bounds[0] <= value <= bounds[1]:
                raise ValueError(f"{name} is {value}, must be {bounds[0]} to {bounds[1]}")

    def log_likelihood(self, x: F64, t_x: F64, age: F64) -> F64:
        """Return the log of the likelihood of each history (eq. 6)."""
        return _terms(np.log(astuple(self)), x, t_x, age)[0]

    def p_alive(self, x: F64, t_x: F64, age: F64) -> F64:
        """Return the probability that each customer is alive, in [0, 1].

        Exactly 1 at x = 0: in this model a customer can leave only after a repeat order, so a single order,
        however old, says nothing about leaving. (From eq. 6: the share of the "still alive" term.)
        """
        return self.rhythm(x, t_x).p_alive(age)

    def rhythm(self, x: F64, t_x: F64) -> Rhythm:
        """Return what is known of customers by their orders alone."""
        repeat = x > 0
        count = np.where(repeat, x, 1.0)
        left = np.log(self.a) - np.log(self.b + count - 1.0)
        return Rhythm(self.alpha, repeat, left, self.r + count, np.log(self.alpha + t_x))

    def expected_orders(self, x: F64, t_x: F64, age: F64, days: float) -> F64:
        """Return the expected number of orders in the next `days`, at least 0 (eq. 10)."""
        return self.p_alive(x, t_x, age) * self.expected_if_alive(x, age, days)

    def expected_if_alive(self, x: F64, age: F64, days: float) -> F64:
        """Return the expected number of orders in the next `days` of customers who are alive now.

        Eq. 10 without its denominator, after Euler's transformation of the hypergeometric function
        (Abramowitz and Stegun 15.3.3): with z = days / (alpha + T + days),

        (a+b+x-1)/(a-1) [1 - (1-z)^(a-1) 2F1(a-1, a+b-1-r; a+b+x-1; z)].

        The paper's 2F1(r+x, b+x; a+b+x-1; z) overflows from some hundred orders on; this one tends to 1.
        """
        if days <= 0:
            return np.zeros(np.shape(x))
        offset = self.a - 1.0
        if abs(offset) < SINGULAR:
            share = (offset + SINGULAR) / (2 * SINGULAR)
            low, high = self._closed_form(-SINGULAR, x, age, days), self._closed_form(SINGULAR, x, age, days)
            value = (1.0 - share) * low + share * high
        else:
            value = self._closed_form(offset, x, age, days)
        unknown = ~np.isfinite(value)
        if unknown.any():
            value = np.where(unknown, self._at_mean(x, age, days), value)
        most = (self.r + x) / (self.alpha + age) * days  # what the rate promises if nobody could leave
        return np.clip(value, 0.0, most)

    def expected_orders_of_new(self, days: float) -> float:
        """Return the expected number of repeat orders in the first `days` of a new customer (eq. 9)."""
        return float(self.expected_if_alive(np.zeros(1), np.zeros(1), days)[0])

    def probability_of_orders(self, count: F64, days: float) -> F64:
        """Return the probability of each count of repeat orders in the first `days` of a customer (eq. 8).

        The paper's finite sum of negative binomial terms is the regularised incomplete beta function.
        """
        repeat = np.maximum(count, 1.0)
        z = days / (self.alpha + days)
        whole = betaln(self.a, self.b)
        alive = betaln(self.a, self.b + count) - whole
        alive += gammaln(self.r + count) - gammaln(self.r) - gammaln(count + 1.0)
        alive += xlog1py(self.r, -z) + xlogy(count, z)
        left = np.exp(betaln(self.a + 1.0, self.b + repeat - 1.0) - whole) * betainc(repeat, self.r, z)
        return np.exp(alive) + np.where(count > 0, left, 0.0)

    def _closed_form(self, offset: float, x: F64, age: F64, days: float) -> F64:
        z = days / (self.alpha + age + days)
        c = offset + self.b + x
        c = np.where(np.abs(c) < POLE, POLE, c)
        series = hyp2f1(offset, offset + self.b - self.r, c, z)
        unknown = ~np.isfinite(series)  # SciPy's is not for whole numbers with c > 100 or so and z > 0.9
        if unknown.any():
            c = np.where(unknown, c + POLE, c)
            series = np.where(unknown, hyp2f1(offset, offset + self.b - self.r, c, z), series)
        return c / offset * (1.0 - np.exp(xlog1py(offset, -z)) * series)

    def _at_mean(self, x: F64, age: F64, days: float) -> F64:
        """Return the expectation at the mean probability of leaving: a lower bound, by Jensen's inequality.

        Stands in where the series overflows, which takes parameters near their bounds.
        """
        leave = self.a / (self.a + self.b + x)
        return -np.expm1(-(self.r + x) * np.log1p(leave * days / (self.alpha + age))) / leave


def fit_bgnbd(x: F64, t_x: F64, age: F64, known: BgNbd | None = None) -> BgNbd:
    """Return the parameters of the greatest likelihood within the bounds, to six significant digits.

    The same customers in the same order give the same parameters. Needs finite numbers, 0 <= t_x <= age, and
    at least one customer with age > 0; whether there are enough to mean anything is the caller's question
    (`models.value.fit`). A population that does not pin a parameter down (nobody ever left, all rates equal)
    gets one near or at a bound: finite and usable, but not to be read as a finding.

    Args:
        x: (n,) repeat orders.
        t_x: (n,) days from the first order to the last.
        age: (n,) days from the first order to now.
        known: Parameters of nearly the same customers: the search starts there, and once more afresh, with
            bounded work.
    """
    scale = max(float(age.mean()), TIMES_DAYS[0])
    unit = np.array([1.0, scale, 1.0, 1.0])

    def objective(logs: F64) -> tuple[float, F64]:
        values, slopes = _terms(logs, x, t_x, age)
        return float(values.mean()), np.array([slope.mean() for slope in slopes]) * np.exp(logs)

    bounds = [SHAPES, TIMES_DAYS, SHAPES, SHAPES]
    fresh = [np.array(start) * unit for start in STARTS]
    starts = fresh if known is None else [np.array(astuple(known)), fresh[0]]
    best = log_maximum(objective, starts, bounds, STEPS if known is None else WARM_STEPS)
    return BgNbd(*(significant(value, bound) for value, bound in zip(best, bounds, strict=True)))


def _terms(logs: F64, x: F64, t_x: F64, age: F64) -> tuple[F64, list[F64]]:
    """Return the log-likelihood (n,) and its derivatives by r, alpha, a and b, (n,) each.

    Fader and Hardie (2005), "Implementing the BG/NBD Model for Customer Base Analysis in Excel": A1 to A4.
    """
    r, alpha, a, b = np.exp(logs)
    repeat = x > 0
    last = np.where(repeat, b + x - 1.0, 1.0)
    log_age, log_last = np.log(alpha + age), np.log(alpha + t_x)
    alive = -(r + x) * log_age
    gone = np.where(repeat, np.log(a) - np.log(last) - (r + x) * log_last, -np.inf)
    value = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    value += gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    value += np.logaddexp(alive, gone)
    left = np.where(repeat, expit(np.where(repeat, gone, 0.0) - alive), 0.0)
    stays = 1.0 - left
    both, own = psi(a + b) - psi(a + b + x), psi(b + x) - psi(b)
    slopes = [
        psi(r + x) - psi(r) + np.log(alpha) - stays * log_age - left * log_last,
        r / alpha - (r + x) * (stays / (alpha + age) + left / (alpha + t_x)),
        both + left / a,
        both + own - left / last,
    ]
    return value, slopes

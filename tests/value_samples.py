"""Simulated customers whose true parameters are known, and columns of order histories."""

from __future__ import annotations

import numpy as np

from models.calendar import DAY_MS
from models.events import F64, I64, U64
from models.value import BgNbd, GammaGamma, OrderHistory, ValueSample

NOW_MS = 1_700_000_000_000
DAYS = BgNbd(r=0.243, alpha=30.9, a=0.793, b=2.426)
"""CDNOW's published parameters, alpha in days."""
SPENDING = GammaGamma(p=6.25, q=3.74, v=15.44)


def simulate(model: BgNbd, age: F64, seed: int, ahead: float = 0.0) -> tuple[F64, F64, F64]:
    """Return x, t_x and the orders of the next `ahead` days of one customer an entry of `age`.

    Order by order, from the story of the model and none of its formulas.
    """
    rng = np.random.default_rng(seed)
    rate = rng.gamma(model.r, 1 / model.alpha, len(age))
    leaves = rng.beta(model.a, model.b, len(age))
    x, t_x, later = np.zeros(len(age)), np.zeros(len(age)), np.zeros(len(age))
    for i in range(len(age)):
        time = rng.exponential() / max(rate[i], 1e-300)
        while time <= age[i] + ahead:
            if time <= age[i]:
                x[i], t_x[i] = x[i] + 1, time
            else:
                later[i] += 1
            if rng.random() < leaves[i]:
                break
            time += rng.exponential() / rate[i]
    return x, t_x, later


def spend(model: GammaGamma, orders: F64, seed: int) -> F64:
    """Return the mean order value of one customer an entry of `orders`."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(model.q, 1 / model.v, len(orders))
    return rng.gamma(model.p * orders) / rate / orders


def histories(x: F64, t_x: F64, age: F64, average: F64 | float = 35.0, now: int = NOW_MS) -> OrderHistory:
    """Return the columns of customers with these figures as of `now`."""
    first = now - (age * DAY_MS).astype(np.int64)
    last = first + (t_x * DAY_MS).astype(np.int64)
    money = np.rint((x + 1) * average * 10_000).astype(np.int64)
    return OrderHistory((x + 1).astype(np.int64), first, last, money, np.full(len(x), now))


def shop(customers: int, seed: int) -> tuple[U64, OrderHistory]:
    """Return hashes and histories of simulated customers who came over the last year."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(0, 365, customers)
    x, t_x, _ = simulate(DAYS, age, seed)
    hashes = rng.choice(np.iinfo(np.int64).max, customers, replace=False).astype(np.uint64) * np.uint64(2)
    return hashes, histories(x, t_x, age, spend(SPENDING, x + 1, seed))


def rows(history: OrderHistory, index: I64) -> OrderHistory:
    """Return the customers at `index`."""
    h = history
    return OrderHistory(*(c[index] for c in (h.orders, h.first_order, h.last_order, h.money, h.as_of)))


def shop_sample(customers: int, seed: int) -> ValueSample:
    """Return the sample of a simulated shop."""
    return ValueSample.of(*shop(customers, seed))

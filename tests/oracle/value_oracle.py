"""The features of value by their definitions as printed, from figures that SQL counted."""

from __future__ import annotations

import re
from typing import Any

from scipy.special import hyp2f1

from models.value import BgNbd, GammaGamma, ValueModel

Row = dict[str, Any]
PAIRS = {
    r"[12][12]": "hibernating",
    r"[12][34]": "at risk",
    r"[12]5": "can't lose",
    r"3[12]": "about to sleep",
    r"33": "need attention",
    r"[34][45]": "loyal",
    r"41": "promising",
    r"51": "new",
    r"[45][23]": "potential loyalists",
    r"5[45]": "champions",
}
"""The widely used map of the scores R and F, as it is published."""
HORIZON_DAYS = 90.0
RELATIVE = 1e-9


def expected(row: Row, model: ValueModel | None) -> Row:
    """Return the features of value of one customer; None for unknown.

    Args:
        row: orders_total, money_total and refunds_total (in 1/10,000), days_since_order,
            days_since_first_order.
        model: in force.
    """
    orders = int(row["orders_total"])
    if model is None or not orders:
        return dict.fromkeys((*_SCORES, *_EXPECTED))
    spent = (int(row["money_total"]) - int(row["refunds_total"])) / 10_000
    r = 5 - sum(float(row["days_since_order"]) > cut for cut in model.cuts.recency)
    f = 1 + sum(orders > cut for cut in model.cuts.frequency)
    m = 1 + sum(spent > cut for cut in model.cuts.money)
    segment = next(name for pair, name in PAIRS.items() if re.fullmatch(pair, f"{r}{f}"))
    found: Row = {"rfm_r": r, "rfm_f": f, "rfm_m": m, "rfm_segment": segment, **dict.fromkeys(_EXPECTED)}
    if model.orders is not None:
        age = float(row["days_since_first_order"])
        last = age - float(row["days_since_order"]) if orders > 1 else 0.0
        found["p_alive"] = _alive(model.orders, orders - 1, last, age)
        found["expected_orders_90d"] = _orders(model.orders, orders - 1, last, age)
        if model.money is not None:
            per_order = _money(model.money, orders, spent / orders)
            found["expected_value_90d"] = found["expected_orders_90d"] * per_order
    return found


_SCORES = ("rfm_r", "rfm_f", "rfm_m", "rfm_segment")
_EXPECTED = ("p_alive", "expected_orders_90d", "expected_value_90d")


def differences(
    engine: dict[str, Row], counted: dict[str, Row], models: dict[str, ValueModel | None]
) -> list[str]:
    """Return a line for each feature of value whose engine value is another one; all are by customer."""
    return [
        f"{customer} {name}: engine {engine[customer][name]!r}, by definition {value!r}"
        for customer in sorted(counted)
        for name, value in expected(counted[customer], models[customer]).items()
        if not _agree(engine[customer][name], value)
    ]


def _agree(got: Any, value: Any) -> bool:
    if got is None or value is None or isinstance(value, str):
        return bool(got == value)
    return bool(abs(got - value) <= RELATIVE * abs(value) + 1e-300)


def _alive(p: BgNbd, x: int, t_x: float, age: float) -> float:
    """Return P(alive): 1 / (1 + a/(b+x-1) ((alpha+T)/(alpha+t_x))^(r+x)), 1 for x = 0."""
    if x == 0:
        return 1.0
    return 1.0 / (1.0 + p.a / (p.b + x - 1.0) * ((p.alpha + age) / (p.alpha + t_x)) ** (p.r + x))


def _orders(p: BgNbd, x: int, t_x: float, age: float) -> float:
    """Return E[Y(t) | x, t_x, T] in the paper's form, equation 10."""
    z = HORIZON_DAYS / (p.alpha + age + HORIZON_DAYS)
    series = float(hyp2f1(p.r + x, p.b + x, p.a + p.b + x - 1.0, z))
    share = ((p.alpha + age) / (p.alpha + age + HORIZON_DAYS)) ** (p.r + x)
    return (p.a + p.b + x - 1.0) / (p.a - 1.0) * (1.0 - share * series) * _alive(p, x, t_x, age)


def _money(g: GammaGamma, n: int, average: float) -> float:
    """Return E[M | average, n] = (v + n average) p / (p n + q - 1); averages below 0 count as 0."""
    return (g.v + n * max(average, 0.0)) * g.p / (g.p * n + g.q - 1.0)

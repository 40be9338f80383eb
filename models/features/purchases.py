"""Features of purchase history."""

from __future__ import annotations

import numpy as np

from models.calendar import DAY_MS
from models.events import MONEY_SCALE
from models.features.reading import Column
from models.features.view import Feature, Value, View, money, share, since, total
from models.profiles.layout import ORDER_HALF_LIVES_D

YEAR_DAYS = 365


def _average_order(v: View) -> Column:
    return share(money(v.number("money_gross") - v.number("money_refunded")), v.number("orders"))


def _order_gap(v: View) -> Column:
    span = (v.whole("last_order") - v.whole("first_order")) / DAY_MS
    return share(np.where(v.whole("orders") > 1, span, np.nan), v.number("orders") - 1)


def _orders_exact(v: View) -> Column:
    exact = (v.whole("merged") == 0) | (v.today - v.oldest_order_day() >= YEAR_DAYS)
    return exact.astype(np.float64)


def _ring(column: str, days: int, scale: float = 1.0) -> Value:
    return lambda v: v.order_days(column, days) / scale


def _order_half(what: str, half_life_d: int, *, clustered: bool = False) -> Feature:
    scale, net = (MONEY_SCALE, " net of refunds") if what == "money" else (1, "")
    return Feature(
        f"{what}_half{half_life_d}d",
        f"recent {what} (half-life {half_life_d} days)",
        f"{what.capitalize()}{net}, counting half as much after {half_life_d} days.",
        "money" if what == "money" else "count",
        "purchases",
        lambda v: v.order_decay(f"{what}_half", half_life_d) / scale,
        clustered=clustered,
        exact="decayed",
        course="one way",
    )


def purchases() -> list[Feature]:
    """Return the features of purchase history."""
    return [*_totals(), *_windows(), *_habits()]


def _totals() -> list[Feature]:
    family = "purchases"
    return [
        total("orders", "orders", "Orders ever, refunds not deducted.", family, clustered=True),
        Feature(
            "money_total",
            "money spent",
            "Money of all orders, gross.",
            "money",
            family,
            lambda v: money(v.number("money_gross")),
        ),
        Feature(
            "refunds_total",
            "money refunded",
            "Money of all refunds.",
            "money",
            family,
            lambda v: money(v.number("money_refunded")),
        ),
        total("items", "items bought", "Pieces in all orders.", family),
    ]


def _windows() -> list[Feature]:
    family = "purchases"
    return [
        *(
            Feature(
                f"orders_{d}d",
                f"orders ({d} days)",
                f"Orders of the last {d} days, today included.",
                "count",
                family,
                _ring("order_count", d),
            )
            for d in (30, 90, 365)
        ),
        *(
            Feature(
                f"money_{d}d",
                f"money ({d} days)",
                f"Money of the last {d} days, net of refunds.",
                "money",
                family,
                _ring("order_money", d, MONEY_SCALE),
            )
            for d in (30, 90, 365)
        ),
        Feature(
            "orders_exact",
            "order windows exact",
            "1 while all order windows are exact (at most 16 days with orders or refunds in a year).",
            "flag",
            family,
            _orders_exact,
            "identity",
        ),
        *(_order_half("orders", d, clustered=d == 90) for d in ORDER_HALF_LIVES_D),
        *(_order_half("money", d, clustered=d == 90) for d in ORDER_HALF_LIVES_D),
    ]


def _habits() -> list[Feature]:
    family = "purchases"
    return [
        Feature(
            "average_order",
            "average order",
            "Money net of refunds per order.",
            "money",
            family,
            _average_order,
            clustered=True,
        ),
        Feature(
            "refund_share",
            "refund share",
            "Money refunded as a share of money spent.",
            "share",
            family,
            lambda v: share(v.number("money_refunded"), v.number("money_gross")),
            "identity",
        ),
        Feature(
            "order_gap_days",
            "days between orders",
            "Mean days between orders; unknown before the second.",
            "days",
            family,
            _order_gap,
            clustered=True,
        ),
        since("days_since_order", "last_order", "days since last order", family),
        since("days_since_first_order", "first_order", "days since first order", family),
    ]

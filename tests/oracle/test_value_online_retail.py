"""RFM, BG/NBD and Gamma-Gamma on Online Retail: the published table, and an independent optimiser."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize
from scipy.special import betaln, gammaln

from models.calendar import DAY_MS
from models.events import F64, I64
from models.value import (
    SEGMENTS,
    OrderHistory,
    Valuation,
    ValueSample,
    batch_scores,
    fit,
    fit_bgnbd,
    fit_gamma_gamma,
    segments,
)

DATA = Path(os.environ.get("SHOP_DATA") or Path(__file__).parents[3] / "shared" / "data")
RETAIL = DATA / "online_retail_2010-12_2011-12.csv.gz"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not RETAIL.is_file(), reason=f"recorded shop data not at {DATA}; set SHOP_DATA"),
]
TODAY_MS = int(datetime(2011, 12, 11, tzinfo=UTC).timestamp() * 1000)
PUBLISHED = {
    "champions": (633, 6.361769, 12.417062, 6857.94),
    "loyal": (819, 33.608059, 6.479853, 2864.247791),
    "potential loyalists": (484, 17.398760, 2.010331, 1041.222004),
    "new": (42, 7.428571, 1, 388.212857),
    "promising": (95, 23.421053, 1, 290.913158),
    "need attention": (187, 52.427807, 2.326203, 897.627861),
    "about to sleep": (352, 53.312500, 1.161932, 471.994375),
    "at risk": (593, 153.785835, 2.878583, 1084.535297),
    "can't lose": (63, 132.968254, 8.380952, 2796.155873),
    "hibernating": (1071, 217.605042, 1.101774, 488.643307),
}
"""Customers, mean recency in days, mean number of orders, mean money."""


class Shop(NamedTuple):
    """Customers by id."""

    history: OrderHistory
    recency: F64
    """Whole days before 2011-12-11."""
    spent: F64


@pytest.fixture(scope="module")
def shop() -> Shop:
    """Return the customers of the published table, read from the file without the product's adapter.

    As published: lines with a customer and a positive quantity, no cancellations; lines at price 0 count, so
    there are 4,339 customers, one of whom (13256) has paid nothing.
    """
    lines = pl.read_csv(RETAIL, infer_schema_length=0).filter(
        (pl.col("CustomerID") != "") & ~pl.col("InvoiceNo").str.starts_with("C")
    )
    customers = (
        lines.select(
            customer=pl.col("CustomerID").cast(pl.Float64),
            invoice="InvoiceNo",
            time=pl.col("InvoiceDate").str.to_datetime(time_unit="ms").cast(pl.Int64),
            quantity=pl.col("Quantity").cast(pl.Int64),
            money=pl.col("Quantity").cast(pl.Float64) * pl.col("UnitPrice").cast(pl.Float64),
        )
        .filter(pl.col("quantity") > 0)
        .group_by("customer")
        .agg(
            orders=pl.col("invoice").n_unique(),
            first=pl.col("time").min(),
            last=pl.col("time").max(),
            money=pl.col("money").sum(),
        )
        .sort("customer")
    )
    orders, first, last = (customers[name].cast(pl.Int64).to_numpy() for name in ("orders", "first", "last"))
    spent = customers["money"].to_numpy()
    money = np.rint(spent * 10_000).astype(np.int64)
    history = OrderHistory(orders, first, last, money, np.full(len(orders), TODAY_MS))
    return Shop(history, ((TODAY_MS - last) // DAY_MS).astype(np.float64), spent)


@pytest.fixture(scope="module")
def codes(shop: Shop) -> I64:
    """Return the published segment of each customer."""
    r, f, _ = batch_scores(shop.recency, shop.history.count, shop.spent)
    return segments(r, f)


def test_batch_segments_are_the_published_table(shop: Shop, codes: I64) -> None:
    """Size, recency, frequency and money of all ten segments, to the last published digit."""
    for code, name in enumerate(SEGMENTS, 1):
        group = codes == code
        means = [column[group].mean() for column in (shop.recency, shop.history.count, shop.spent)]

        assert int(group.sum()) == PUBLISHED[name][0], name
        assert means[:2] == pytest.approx(PUBLISHED[name][1:3], abs=5.1e-7), name
        assert means[2] == pytest.approx(PUBLISHED[name][3], abs=5.1e-3 if name == "champions" else 5.1e-7), (
            name
        )


def test_live_segments_differ_from_the_published_ones_by_a_tenth(shop: Shop, codes: I64) -> None:
    """439 of 4,339 customers are elsewhere: 1,106 in F where ties are split, 29 in R where days are whole."""
    sample = ValueSample.of(np.arange(len(codes), dtype=np.uint64), shop.history, limit=10_000)
    live = Valuation(shop.history, fit(sample))
    r, f, m = batch_scores(shop.recency, shop.history.count, shop.spent)

    assert int((live.rfm_r != r).sum()) == 29
    assert int((live.rfm_f != f).sum()) == 1106
    assert int((live.rfm_m != m).sum()) == 0
    assert int((live.rfm_segment != codes).sum()) == 439


def test_no_scores_that_ties_share_are_nearer_to_the_published_ones(shop: Shop) -> None:
    """The cut points of F err as little as any assignment of one score to each number of orders can."""
    _, f, _ = batch_scores(shop.recency, shop.history.count, shop.spent)
    table = np.zeros((int(shop.history.orders.max()) + 1, 6), np.int64)
    np.add.at(table, (shop.history.orders, f), 1)

    assert len(f) - int(table.max(axis=1).sum()) == 1106


def climbed(likelihood: Callable[[F64], F64], start: list[float]) -> tuple[F64, float]:
    """Return parameters and log-likelihood of a maximum, found without derivatives on a logarithmic scale."""
    found = minimize(
        lambda logs: -float(likelihood(np.exp(logs)).sum()),
        np.log(start),
        method="Nelder-Mead",
        options={"maxiter": 4000, "maxfev": 4000, "xatol": 1e-7, "fatol": 1e-7},
    )
    return np.exp(found.x), -float(found.fun)


def test_bgnbd_is_fitted_as_by_an_independent_optimiser(shop: Shop) -> None:
    """Another method on the likelihood as printed (eq. 6) climbs to the same place, and no higher."""
    h = shop.history

    def likelihood(parameters: F64) -> F64:
        r, alpha, a, b = parameters
        both = gammaln(r + h.x) - gammaln(r) + r * math.log(alpha) - betaln(a, b)
        alive = betaln(a, b + h.x) - (r + h.x) * np.log(alpha + h.age)
        gone = betaln(a + 1, b + np.maximum(h.x, 1) - 1) - (r + h.x) * np.log(alpha + h.t_x)
        return both + np.where(h.x > 0, np.logaddexp(alive, gone), alive)

    ours = fit_bgnbd(h.x, h.t_x, h.age)
    theirs, highest = climbed(likelihood, [1.0, 100.0, 0.5, 3.0])

    assert ours.log_likelihood(h.x, h.t_x, h.age).sum() == pytest.approx(highest, abs=1e-3)
    assert astuple(ours) == pytest.approx(theirs.tolist(), rel=2e-3)


def test_gamma_gamma_is_fitted_as_by_an_independent_optimiser(shop: Shop) -> None:
    """Likewise for the density of the average order value (eq. 1a)."""
    bought = shop.history.average > 0
    n, z = shop.history.count[bought], shop.history.average[bought]

    def density(parameters: F64) -> F64:
        p, q, v = parameters
        return (
            -np.log(z) - betaln(p * n, q) + q * np.log(v / (v + n * z)) + p * n * np.log(n * z / (v + n * z))
        )

    ours = fit_gamma_gamma(n, z)
    theirs, highest = climbed(density, [1.0, 3.0, 500.0])

    assert ours.log_likelihood(n, z).sum() == pytest.approx(highest, abs=1e-3)
    assert astuple(ours) == pytest.approx(theirs.tolist(), rel=2e-3)

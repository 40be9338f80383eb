"""A replay of recorded shop data, through the same engine as the worker, gives the published figures."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from models.value import SAMPLE_LIMIT, SEGMENTS, batch_scores, segments
from streams.profiles import tables
from streams.replay import NullSink, Replay
from streams.settings import load_settings
from streams.shop.formats import read_records

DATA = Path(os.environ.get("SHOP_DATA") or Path(__file__).parents[3] / "shared" / "data")
WEEK_MS = 7 * 86_400_000
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"recorded shop data not at {DATA}; set SHOP_DATA"),
]


def _replayed(name: str, format_name: str) -> Replay:
    replay = Replay(load_settings({}, {"currency": "GBP"}), NullSink(), sweep_ms=WEEK_MS)
    replay.run(read_records([DATA / name], format_name))
    return replay


@pytest.fixture(scope="module")
def retail() -> Replay:
    """Return a replay of Online Retail."""
    return _replayed("online_retail_2010-12_2011-12.csv.gz", "online-retail")


def test_online_retail(retail: Replay) -> None:
    """4,338 purchasing customers, 18,532 invoices, GBP 8,911,407.90 gross."""
    report = retail.report

    assert report.totals["buyers"] == 4338
    assert report.totals["orders"] == 18532
    assert f"{report.totals['money_gross']:,.2f}" == "8,911,407.90"
    assert report.dead_letters == 0
    assert report.changes["entered"] > report.changes["left"] > 0


def test_live_rfm_differs_from_the_ranking_of_the_same_customers_by_an_eighth(retail: Replay) -> None:
    """558 of 4,338 are elsewhere: by ties, and by a sample and a model that are some weeks old."""
    table = pa.concat_tables(list(tables(retail.engine)))
    buyers = pl.DataFrame(pl.from_arrow(table)).filter(pl.col("orders_total") > 0).sort("customer_id")
    days, orders, money, back = (
        buyers[name].to_numpy()
        for name in ("days_since_order", "orders_total", "money_total", "refunds_total")
    )
    r, f, _ = batch_scores(days, orders, money - back)
    ranked = np.array(SEGMENTS)[segments(r, f) - 1]

    assert retail.merging.model is not None
    assert len(retail.merging.model.sample) == SAMPLE_LIMIT
    assert len(buyers) == 4338
    assert int((ranked != buyers["rfm_segment"].to_numpy()).sum()) == 558


def test_taobao() -> None:
    """815 customers, 1,750 buys, 75,873 views but for the last row, which is cut off."""
    report = _replayed("taobao_815_users.csv.gz", "taobao").report

    assert report.customers == 815
    assert report.totals["orders"] == 1750
    assert report.totals["views"] == 75_873 - 1
    assert report.dead_letters == 0

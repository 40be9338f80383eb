"""A replay of recorded shop data, through the same engine as the worker, gives the published figures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streams.replay import NullSink, Replay, Report
from streams.settings import load_settings
from streams.shop.formats import read_records

DATA = Path(os.environ.get("SHOP_DATA") or Path(__file__).parents[3] / "shared" / "data")
WEEK_MS = 7 * 86_400_000
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"recorded shop data not at {DATA}; set SHOP_DATA"),
]


def _replayed(name: str, format_name: str) -> Report:
    replay = Replay(load_settings({}, {"currency": "GBP"}), NullSink(), sweep_ms=WEEK_MS)
    return replay.run(read_records([DATA / name], format_name))


def test_online_retail() -> None:
    """4,338 purchasing customers, 18,532 invoices, GBP 8,911,407.90 gross."""
    report = _replayed("online_retail_2010-12_2011-12.csv.gz", "online-retail")

    assert report.totals["buyers"] == 4338
    assert report.totals["orders"] == 18532
    assert f"{report.totals['money_gross']:,.2f}" == "8,911,407.90"
    assert report.dead_letters == 0
    assert report.changes["entered"] > report.changes["left"] > 0


def test_taobao() -> None:
    """815 customers, 1,750 buys, 75,873 views but for the last row, which is cut off."""
    report = _replayed("taobao_815_users.csv.gz", "taobao")

    assert report.customers == 815
    assert report.totals["orders"] == 1750
    assert report.totals["views"] == 75_873 - 1
    assert report.dead_letters == 0

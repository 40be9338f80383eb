"""The adapters against what others have published about the same data."""

from __future__ import annotations

import os
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from streams.records import CLICKS, PURCHASES, VIEWS
from streams.shop.extract import EXTRACT, sample, write
from streams.shop.formats import read_records
from streams.shop.online_retail import read_invoices
from streams.shop.record import ReadReport

DATA = Path(os.environ.get("SHOP_DATA") or Path(__file__).parents[3] / "shared" / "data")
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"recorded shop data not at {DATA}; set SHOP_DATA"),
]
RETAIL = DATA / "online_retail_2010-12_2011-12.csv.gz"


def read(name: str, format_name: str) -> tuple[ReadReport, list[tuple[int, dict[str, Any]]]]:
    """Return the report and (topic, value) of each record, which must come by time."""
    report = ReadReport()
    records = list(read_records([DATA / name], format_name, report))
    times = [record.time_ms for record in records]
    assert times == sorted(times)
    values = [(record.topic, orjson.loads(record.value)) for record in records]
    assert len({value["event_id"] for _, value in values}) == len(values) == report.records
    return report, values


def test_online_retail_gives_the_published_figures() -> None:
    """4,338 customers, 18,532 invoices, GBP 8,911,407.90 gross; skipped lines as published."""
    report, values = read(RETAIL.name, "online-retail")
    orders = [value for _, value in values if value["kind"] == "purchase"]
    refunds = [value for _, value in values if value["kind"] == "refund"]
    of_customer = Counter(order["customer_id"] for order in orders)
    gross = sum(Decimal(repr(order["total"])) for order in orders)

    assert (len(of_customer), len(orders), sum(len(order["items"]) for order in orders)) == (
        4338,
        18532,
        397_884,
    )
    assert gross == Decimal("8911407.904")
    assert f"{gross:,.2f}" == "8,911,407.90"
    assert (sum(count >= 2 for count in of_customer.values()), max(of_customer.values())) == (2845, 209)
    assert (len(refunds), min(refund["total"] for refund in refunds) > 0) == (3654, True)
    assert len({order["country"] for order in orders}) == 37
    assert report.rows == 541_909
    assert {reason: entry.count for reason, entry in report.skipped.items()} == {
        "no customer": 135_077,
        "bad debt adjustment": 3,
        "price not positive": 40,
    }


def test_taobao_gives_the_published_figures() -> None:
    """815 customers and all usable rows; the last row of the file is cut and reported with its line."""
    report, values = read("taobao_815_users.csv.gz", "taobao")
    kinds = Counter((topic, value.get("action")) for topic, value in values)

    assert report.rows == 84_476
    assert len({value["customer_id"] for _, value in values}) == 815
    assert kinds == {
        (VIEWS, None): 75_872,
        (CLICKS, "add_to_cart"): 4497,
        (CLICKS, "wishlist"): 2356,
        (PURCHASES, None): 1750,
    }
    assert len({value["customer_id"] for topic, value in values if topic == PURCHASES}) == 559
    assert report.skipped["malformed row"].places == ["taobao_815_users.csv.gz:84476"]


def test_retailrocket_gives_the_published_figures() -> None:
    """5,000 visitors; 46 transaction rows are 40 orders."""
    report, values = read("retailrocket_5000_visitors.csv.gz", "retailrocket")
    orders = [value for topic, value in values if topic == PURCHASES]

    assert Counter(topic for topic, _ in values) == {VIEWS: 9076, CLICKS: 263, PURCHASES: 40}
    assert len({value["customer_id"] for _, value in values}) == 5000
    assert sum(len(order["items"]) for order in orders) == 46
    assert (report.rows, report.skipped_rows) == (9385, 0)


def test_the_extract_can_be_made_again(tmp_path: Path) -> None:
    """The command that made the extract of the package makes the same lines from the published file."""
    out = tmp_path / "again.csv.gz"
    write(sample(read_invoices([RETAIL], ReadReport())), out)

    assert read_invoices([out], ReadReport()) == read_invoices([EXTRACT], ReadReport())

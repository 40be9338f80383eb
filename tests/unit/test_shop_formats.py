"""What the rows of published data sets mean as events."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from streams.errors import InputFileError, UsageError
from streams.records import CLICKS, CUSTOMERS, PURCHASES, VIEWS
from streams.shop.formats import FORMATS, read_records
from streams.shop.record import ReadReport, ShopRecord

RETAIL = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


def read(
    path: Path, format_name: str, text: str, report: ReadReport | None = None
) -> list[tuple[ShopRecord, dict[str, Any]]]:
    """Write a file and return its records, each with its decoded value."""
    path.write_text(text)
    return [(record, orjson.loads(record.value)) for record in read_records([path], format_name, report)]


def test_an_invoice_is_one_purchase_with_its_lines(tmp_path: Path) -> None:
    """Lines of an invoice go together, the time is the earliest, the total is the exact sum."""
    text = RETAIL + (
        "1,A,RED BAG,3,2010-12-01 08:27:00,0.1,17850.0,France\n"
        "2,A,RED BAG,1,2010-12-01 08:26:30,2.55,17850.0,France\n"
        "1,B,thing,1,2010-12-01 08:26:00,0.001,17850.0,France\n"
        "1,A,RED BAG,3,2010-12-01 08:27:00,0.1,17850.0,France\n"
    )

    (first, order), (_, second) = read(tmp_path / "a.csv", "online-retail", text)

    assert (first.topic, first.key, first.time_ms) == (PURCHASES, b"17850", 1_291_191_960_000)
    assert order == {
        "event_id": "online-retail:1:17850",
        "customer_id": "17850",
        "occurred_at": 1_291_191_960_000,
        "order_id": "1",
        "kind": "purchase",
        "country": "France",
        "currency": "GBP",
        "total": 0.601,
        "items": [
            {"product_id": "A", "quantity": 3, "unit_price": 0.1, "category": "bags"},
            {"product_id": "B", "quantity": 1, "unit_price": 0.001},
            {"product_id": "A", "quantity": 3, "unit_price": 0.1, "category": "bags"},
        ],
    }
    assert second["order_id"] == "2"


def test_a_cancellation_is_a_refund_with_a_positive_total(tmp_path: Path) -> None:
    """The lines of a C invoice are turned round."""
    text = RETAIL + "C1,A,x,-2,2010-12-01 08:26:00,1.25,5,France\n"

    ((_, refund),) = read(tmp_path / "a.csv", "online-retail", text)

    assert (refund["kind"], refund["total"], refund["items"][0]["quantity"]) == ("refund", 2.5, 2)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,A,x,1,2010-12-01 08:26:00,1,,France", "no customer"),
        ("1,A,x,0,2010-12-01 08:26:00,1,5,France", "quantity not positive"),
        ("1,A,x,-1,2010-12-01 08:26:00,1,5,France", "quantity not positive"),
        ("C1,A,x,1,2010-12-01 08:26:00,1,5,France", "refunded quantity not negative"),
        ("1,A,x,1,2010-12-01 08:26:00,0,5,France", "price not positive"),
        ("1,A,x,1,2010-12-01 08:26:00,-3,5,France", "price not positive"),
        ("A1,B,Adjust bad debt,1,2010-12-01 08:26:00,9,,France", "bad debt adjustment"),
        ("1,A,x,1,2010-12-01 08:26:00,NaN,5,France", "malformed row"),
        ("1,A,x,1,2010-12-01 08:26:00,1e,5,France", "malformed row"),
        ("1,A,x,many,2010-12-01 08:26:00,1,5,France", "malformed row"),
        ("1,A,x,1,yesterday,1,5,France", "malformed row"),
        ("1,A,x,1,30/30/2011 8:26,1,5,France", "malformed row"),
        (",A,x,1,2010-12-01 08:26:00,1,5,France", "malformed row"),
        ("1,A,x,1", "malformed row"),
    ],
)
def test_an_unusable_invoice_line_is_counted_by_reason(tmp_path: Path, row: str, reason: str) -> None:
    """Each reason is told with the line, and the other lines are used."""
    report = ReadReport()
    good = "2,A,x,1,2010-12-01 08:26:00,1,5,France\n"

    made = read(tmp_path / "a.csv", "online-retail", f"{RETAIL}{row}\n{good}", report)

    assert [value["order_id"] for _, value in made] == ["2"]
    assert {name: entry.places for name, entry in report.skipped.items()} == {reason: ["a.csv:2"]}
    assert (report.rows, report.records, report.skipped_rows) == (2, 1, 1)


def test_the_second_edition_of_online_retail_is_read(tmp_path: Path) -> None:
    """Column names of 2009-10, float customers, dates of spreadsheets, and Parquet give the same."""
    text = (
        "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
        "1,A,x,2,12/1/2010 8:26,1.5,17850.0,France\n"
    )
    table = {
        "Invoice": ["1"],
        "StockCode": ["A"],
        "Description": ["x"],
        "Quantity": [2],
        "InvoiceDate": pa.array([1_291_191_960_000_000_000], pa.timestamp("ns")),
        "Price": [1.5],
        "Customer ID": [17850.0],
        "Country": ["France"],
    }
    pq.write_table(pa.table(table), tmp_path / "a.parquet")

    from_csv = read(tmp_path / "a.csv", "online-retail", text)
    from_parquet = list(read_records([tmp_path / "a.parquet"], "online-retail"))

    assert [record for record, _ in from_csv] == from_parquet
    assert from_parquet[0].key == b"17850"


def test_an_invoice_of_an_earlier_file_is_not_counted_again(tmp_path: Path) -> None:
    """Sheets that overlap give each invoice once."""
    (tmp_path / "a.csv").write_text(RETAIL + "1,A,x,1,2010-12-01 08:26:00,1,5,France\n")
    (tmp_path / "b.csv").write_text(
        RETAIL + "1,A,x,1,2010-12-01 08:26:00,1,5,France\n2,A,x,1,2010-11-01 08:26:00,1,5,France\n"
    )
    report = ReadReport()

    made = list(read_records([tmp_path / "a.csv", tmp_path / "b.csv"], "online-retail", report))

    assert [orjson.loads(record.value)["order_id"] for record in made] == ["2", "1"]
    assert report.skipped["invoice of an earlier file"].places == ["b.csv:2"]


def test_taobao_rows_become_views_clicks_and_purchases_by_time(tmp_path: Path) -> None:
    """pv, cart, fav and buy each have their meaning; rows are sorted; a repeated row stays an event."""
    text = "1,20,300,buy,1511544074\n1,20,300,pv,1511544070\n1,20,300,pv,1511544070\n"
    text += "1,20,300,cart,1511544071\n1,20,300,fav,1511544072\n1,2"
    report = ReadReport()

    made = read(tmp_path / "a.csv", "taobao", text, report)

    assert [record.topic for record, _ in made] == [VIEWS, VIEWS, CLICKS, CLICKS, PURCHASES]
    values = [value for _, value in made]
    assert [value["event_id"] for value in values[:2]] == [
        "taobao:1:20:pv:1511544070",
        "taobao:1:20:pv:1511544070#2",
    ]
    assert (values[0]["product_id"], values[0]["category"]) == ("20", "300")
    assert [value["action"] for value in values[2:4]] == ["add_to_cart", "wishlist"]
    assert values[4]["items"] == [{"product_id": "20", "category": "300", "quantity": 1}]
    assert values[4]["order_id"] == values[4]["event_id"]
    assert "total" not in values[4]
    assert report.skipped["malformed row"].places == ["a.csv:6"]


def test_a_retailrocket_transaction_is_one_purchase_with_its_items(tmp_path: Path) -> None:
    """Rows of one transactionid go together at the earliest time; a transaction without id cannot be used."""
    text = (
        "timestamp,visitorid,event,itemid,transactionid\n"
        "1433440854999,7,transaction,11,8693.0\n"
        "1433440854985,7,transaction,12,8693\n"
        "1433440854000,7,addtocart,12,\n"
        "1433440853000,7,view,12,\n"
        "1433440853000,7,transaction,12,\n"
        "1433440853000,7,stare,12,\n"
    )
    report = ReadReport()

    made = read(tmp_path / "a.csv", "retailrocket", text, report)

    assert [record.topic for record, _ in made] == [VIEWS, CLICKS, PURCHASES]
    assert made[1][1]["action"] == "add_to_cart"
    order = made[2][1]
    assert (order["order_id"], order["occurred_at"]) == ("8693", 1_433_440_854_985)
    assert [item["product_id"] for item in order["items"]] == ["11", "12"]
    assert report.skipped["malformed row"].places == ["a.csv:6", "a.csv:7"]


def test_lines_in_our_own_schema_pass_as_they_are(tmp_path: Path) -> None:
    """Good and broken lines keep their bytes and order, and go where their text says."""
    lines = [
        b'{"topic":"product-views","customer_id":"a","occurred_at":"2026-01-01T00:00:02Z"}',
        b'{"topic": "purchases", "customer_id": "b", "occurred_at": 17',
        b"\xff\xfe rubbish",
        b'{"topic":"customers","customer_id":7,"occurred_at":1767225600000}',
        b'{"topic":"orders","customer_id":"a"}',
        b'{"customer_id":"a"}',
    ]
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(b"\n".join(lines)))
    report = ReadReport()

    made = list(read_records([tmp_path / "a.ndjson.gz"], "events", report))

    assert [record.value for record in made] == lines[:4]
    assert [record.topic for record in made] == [VIEWS, PURCHASES, CLICKS, CUSTOMERS]
    assert [record.key for record in made] == [b"a", b"b", b"", b""]
    assert [record.time_ms - 1_767_225_600_000 for record in made] == [2000, 2000, 2000, 0]
    unknown = "unknown topic 'orders'; expected one of clicks, product-views, purchases, customers"
    assert report.skipped[unknown].places == ["a.ndjson.gz:5"]
    assert report.skipped["no topic"].places == ["a.ndjson.gz:6"]
    assert report.as_dict()["broken"] == {"rows": 2, "first": ["a.ndjson.gz:2", "a.ndjson.gz:3"]}
    assert report.lines() == [
        "6 rows read, 4 records made, 2 rows skipped",
        "  no topic: 1 (a.ndjson.gz:6)",
        f"  {unknown}: 1 (a.ndjson.gz:5)",
        "of the records, no JSON object (a worker makes it a dead letter): 2 (a.ndjson.gz:2, a.ndjson.gz:3)",
    ]


def test_of_many_unknown_topics_some_are_named_and_all_counted(tmp_path: Path) -> None:
    """A file of rubbish must not make a report that is longer than itself."""
    lines = ['{"topic":"clicks"}', '{"topic":null}', '{"topic":[1]}'] + [
        f'{{"topic":"t{i}"}}' for i in range(99)
    ]
    (tmp_path / "a").write_text("\n".join(lines))
    report = ReadReport()

    assert len(list(read_records([tmp_path / "a"], "events", report))) == 1
    assert len(report.skipped) == 7
    assert report.skipped["unknown topic, others"].count == 95
    assert report.skipped["no topic"].count == 1
    assert report.skipped_rows == 101


def test_a_file_whose_topics_are_all_unknown_says_what_was_found(tmp_path: Path) -> None:
    """Also where the topic is not among a line's first characters."""
    line = f'{{"event_id":"{"e" * 80}","topic":"purchase"}}'

    with pytest.raises(InputFileError, match=r"expected a `topic` .*, found topic 'purchase'$"):
        read(tmp_path / "a", "events", line)


def test_several_event_files_are_merged_by_time(tmp_path: Path) -> None:
    """The heads of the files are compared; what is late inside a file stays late."""
    form = '{{"topic":"clicks","customer_id":"{}","occurred_at":{}}}'
    (tmp_path / "a").write_text("\n".join(form.format("a", time) for time in (1, 5, 2, 9)))
    (tmp_path / "b").write_text("\n".join(form.format("b", time) for time in (3, 6)))

    made = read_records([tmp_path / "a", tmp_path / "b"], "events")

    assert [record.time_ms for record in made] == [1, 3, 5, 2, 6, 9]


def test_parquet_rows_in_our_own_schema_become_json_objects(tmp_path: Path) -> None:
    """Missing cells are absent, nested lines stay, and times become epoch milliseconds."""
    rows: list[dict[str, Any]] = [
        {
            "topic": "purchases",
            "customer_id": "a",
            "occurred_at": 5,
            "items": [{"product_id": "p", "brand": None}],
        },
        {"topic": "clicks", "customer_id": "b", "occurred_at": None, "rating": float("nan")},
        {"topic": None, "customer_id": "c"},
        {"topic": "click", "customer_id": "d"},
    ]
    table = pa.Table.from_pylist(rows).set_column(
        2, "occurred_at", pa.array([5, None, 9, 9], pa.timestamp("ms", tz="UTC"))
    )
    pq.write_table(table, tmp_path / "a.parquet")
    report = ReadReport()

    made = list(read_records([tmp_path / "a.parquet"], "events", report))

    assert [orjson.loads(record.value) for record in made] == [
        {"customer_id": "a", "occurred_at": 5, "items": [{"product_id": "p"}]},
        {"customer_id": "b"},
    ]
    assert [(record.topic, record.key, record.time_ms) for record in made] == [
        (PURCHASES, b"a", 5),
        (CLICKS, b"b", 5),
    ]
    assert report.skipped["no topic"].count == 1
    assert [reason for reason in report.skipped if reason.startswith("unknown topic 'click';")]


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 40, b"\x1b[2J\xff\xfe" * 99, bytes(500)]
)
def test_of_a_binary_file_a_few_characters_are_shown(
    tmp_path: Path, format_name: str, content: bytes
) -> None:
    """Escaped, as raw bytes change what a terminal does, and short."""
    path = tmp_path / "picture"
    path.write_bytes(content)

    with pytest.raises(InputFileError) as caught:
        list(read_records([path], format_name))
    said = str(caught.value).removeprefix(f"{path}: ")
    assert said.isprintable()
    assert "\ufffd" not in said
    assert len(said) < 250


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_file_of_another_format_is_refused(tmp_path: Path, format_name: str) -> None:
    """Every format says what it expected."""
    with pytest.raises(InputFileError, match=f"expected .*format {format_name}"):
        read(tmp_path / "a.csv", format_name, "a,b\n1,2\n")


def test_an_unknown_format_and_a_missing_file_are_told_at_once(tmp_path: Path) -> None:
    """Both errors come before the first record is asked for."""
    with pytest.raises(UsageError, match=r"cdnow.*online-retail"):
        read_records([tmp_path / "a"], "cdnow")
    with pytest.raises(InputFileError, match="No such file"):
        read_records([tmp_path / "a"], "taobao")


def test_the_report_tells_the_commonest_reason_first() -> None:
    """Totals, then reasons with the first places and a sign that there are more."""
    report = ReadReport(rows=1234, records=3)
    report.skip("rare", Path("x/a.csv"), 9)
    for line in range(6):
        report.skip("common", Path("x/a.csv"), line + 1)

    assert report.lines() == [
        "1,234 rows read, 3 records made, 7 rows skipped",
        "  common: 6 (a.csv:1, a.csv:2, a.csv:3, a.csv:4, a.csv:5, …)",
        "  rare: 1 (a.csv:9)",
    ]
    assert report.as_dict()["skipped"] == {
        "common": {"rows": 6, "first": [f"a.csv:{line}" for line in range(1, 6)]},
        "rare": {"rows": 1, "first": ["a.csv:9"]},
    }

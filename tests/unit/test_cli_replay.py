"""`replay run` on the shipped extract of real orders."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from streams.cli import main
from streams.cli.program import THREADS
from streams.shop.extract import EXTRACT

NO_TICK = "nobody is in a segment or audience yet: these begin at the first look at all customers"
RUN = ["replay", "run", str(EXTRACT), "--format", "online-retail"]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a machine where nothing is set."""
    for name in [name for name in os.environ if name.startswith(("LIVE_SEGMENTS_", "KAFKA_"))]:
        monkeypatch.delenv(name)
    for name in THREADS:
        monkeypatch.setenv(name, "1")


def test_files_hold_what_the_report_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Changes, profiles and report agree, and the report on stdout is the one in the folder."""
    out = tmp_path / "made" / "here"
    command = [*RUN, "--currency", "GBP", "--sweep-interval", "1d", "--out", str(out), "--json"]

    assert main(command) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert captured.out.encode() == (out / "report.json").read_bytes()
    assert report["records"]["purchases"] == 1753
    assert report["totals"]["orders"] + report["totals"]["refunds"] == 1753
    assert report["dead_letters"] == 0
    changes = (out / "changes.ndjson").read_bytes().splitlines()
    assert len(changes) == sum(report["changes"].values()) > 0
    profiles = pq.read_table(out / "profiles.parquet")
    assert profiles.num_rows == report["customers"] == 380
    money = [float(value or 0) for value in profiles["money_total"].to_pylist()]
    assert sum(money) == pytest.approx(report["totals"]["money_gross"])
    assert (out / "dead-letters.ndjson").read_bytes() == b""
    assert "20,828 rows read, 1,753 records made, 0 rows skipped" in captured.err
    assert f"changes, dead letters, profiles and report are in {out}\n" in captured.err
    assert NO_TICK not in captured.err


def test_partitions_without_customers_have_no_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One order: all partitions but one are empty, and no tick comes after which audiences are in force."""
    order = {
        "topic": "purchases",
        "event_id": "1",
        "customer_id": "c1",
        "occurred_at": "2026-01-01T00:00:00Z",
        "order_id": "o1",
    }
    order["items"] = [{"product_id": "p1", "quantity": 1, "unit_price": 2.5}]  # type: ignore[assignment]
    file, out = tmp_path / "one.ndjson", tmp_path / "out"
    file.write_text(json.dumps(order) + "\n", encoding="utf-8")

    assert main(["replay", "run", str(file), "--format", "events", "--out", str(out)]) == 0
    profiles = pq.read_table(out / "profiles.parquet")
    assert profiles["customer_id"].to_pylist() == ["c1"]
    assert NO_TICK in capsys.readouterr().err


def test_a_report_for_people_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """The figures and the table of segments."""
    assert main([*RUN, "--currency", "GBP", "--sweep-interval", "7d"]) == 0

    out = capsys.readouterr().out
    assert re.search(r"^customers +380$", out, re.MULTILINE)
    assert "b-1" in out
    assert max(map(len, out.splitlines())) <= 80


def test_dead_letters_are_told_by_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """Pounds in a shop that reckons in euros: the reason says which setting helps."""
    assert main([*RUN, "--currency", "EUR", "--sweep-interval", "7d"]) == 4

    assert (
        "dead letters, unknown_currency: 1,753 (currency is not LIVE_SEGMENTS_CURRENCY, and"
        in capsys.readouterr().err
    )


def test_skipped_rows_are_part_of_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows that make no record are counted by reason, in the report and on stderr with their lines."""
    file = tmp_path / "orders.csv"
    file.write_text(
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        "1,A,TEA CUP,2,2011-01-02 10:00:00,1.50,7,France\n"
        "2,A,TEA CUP,2,2011-01-02 10:00:00,1.50,,France\n",
        encoding="utf-8",
    )

    assert main(["replay", "run", str(file), "--format", "online-retail", "--currency", "GBP", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["skipped"] == {"no customer": 1}
    assert "no customer: 1 (orders.csv:3)" in captured.err


@pytest.mark.parametrize("content", [b"", b"just,some,text\n1,2,3\n", b"\x1f\x8b\x08\x00"])
def test_a_file_of_another_format_is_exit_code_4(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the file."""
    file = tmp_path / "orders.csv"
    file.write_bytes(content)

    assert main(["replay", "run", str(file), "--format", "online-retail"]) == 4
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {file}: ")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"just,some,text\n1,2,3\n"])
def test_a_broken_file_is_refused_before_anything_is_built(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine may take a minute where its kernels are not compiled yet, and --out would be emptied."""

    def build(*_: object, **__: object) -> None:
        raise AssertionError("an engine was built")

    monkeypatch.setattr("streams.replay.Replay.__init__", build)
    file, out = tmp_path / "orders.csv", tmp_path / "out"
    file.write_bytes(content)

    assert main(["replay", "run", str(file), "--format", "online-retail", "--out", str(out)]) == 4
    assert not out.exists()


def test_a_file_that_ends_early_is_used_up_to_there_and_exit_code_4(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report is printed, and the last line says that it is not of the whole file."""
    lines = [f"{n},A,TEA CUP,2,2011-01-02 10:00:00,1.50,{n},France\n" for n in range(16_000)]
    header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    whole = gzip.compress("".join([header, *lines]).encode())
    file = tmp_path / "orders.csv.gz"
    file.write_bytes(whole[: len(whole) // 2])

    assert main(["replay", "run", str(file), "--format", "online-retail", "--currency", "GBP", "--json"]) == 4
    captured = capsys.readouterr()
    assert 0 < json.loads(captured.out)["customers"] < 16_000
    assert captured.err.splitlines()[-1].startswith(f"error: {file}: the file ends early; from line ")


def test_a_missing_file_is_exit_code_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named."""
    assert main(["replay", "run", str(tmp_path / "gone.csv"), "--format", "taobao"]) == 4
    assert "gone.csv: No such file" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file stands in the way."""
    (tmp_path / "file").touch()

    assert main([*RUN, "--out", str(tmp_path / "file" / "out")]) == 2
    assert capsys.readouterr().err.startswith("error: --out ")
    assert main([*RUN, "--out", "/proc/none/out"]) == 2
    assert capsys.readouterr().err.startswith("error: --out /proc/none/out: /proc/none: No such file or dir")


def test_a_broken_segments_file_is_refused_before_the_engine_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a broken file with events is."""

    def build(*_: object, **__: object) -> None:
        raise AssertionError("an engine was built")

    monkeypatch.setattr("streams.replay.run.make_engine", build)
    monkeypatch.setenv("LIVE_SEGMENTS_SEGMENTS_FILE", str(tmp_path / "none.toml"))

    out = tmp_path / "out"

    assert main([*RUN, "--out", str(out)]) == 4
    assert "none.toml: No such file or directory" in capsys.readouterr().err
    assert not out.exists()

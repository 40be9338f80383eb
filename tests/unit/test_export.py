"""`profiles export` as CSV: the same customers and values as in the Parquet file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import streams.export
from streams.clock import ManualClock
from streams.engine import Engine
from streams.export import export_profiles
from tests.engine_runs import SETTINGS, driven, in_chunks
from tests.oracle.synthetic import stream


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder with the same shop as `p.csv` and as `p.PARQUET`; a partition of it comes twice."""
    engine = driven(in_chunks(stream(seed=5, customers=40, days=20), 500)).engine

    def engines(*_: object) -> Iterator[Engine]:
        yield engine
        yield engine

    monkeypatch.setattr(streams.export, "partitions", engines)
    for name in ("p.csv", "p.PARQUET"):
        count = export_profiles(
            SETTINGS,
            None,  # type: ignore[arg-type] # nobody reads
            ManualClock(0),
            tmp_path / name,
            None,
            lambda *_: None,
        )
        assert count == 80
    return tmp_path


def test_a_file_that_ends_in_csv_is_csv(folder: Path) -> None:
    """One header; what is unknown is empty, and audiences have a semicolon between them."""
    parquet = pl.read_parquet(folder / "p.PARQUET")
    with (folder / "p.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))

    assert header == parquet.columns
    assert len(rows) == parquet.height
    places = {name: i for i, name in enumerate(header)}
    several = 0
    for row, expected in zip(rows, parquet.iter_rows(named=True), strict=True):
        assert row[places["customer_id"]] == expected["customer_id"]
        assert row[places["audiences"]].split(";") == (expected["audiences"] or [""])
        assert row[places["top_category"]] == (expected["top_category"] or "")
        assert float(row[places["money_half90d"]]) == expected["money_half90d"]
        nps = row[places["nps"]]
        assert (float(nps) if nps else None) == expected["nps"]
        several += len(expected["audiences"]) > 1
    assert several
    assert {path.name for path in folder.iterdir()} == {"p.csv", "p.PARQUET"}

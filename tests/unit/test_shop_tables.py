"""Rows out of CSV, gzip and Parquet files; bad rows and wrong files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from streams.errors import ExitCode, InputFileError
from streams.shop.record import ReadReport
from streams.shop.tables import Layout, read_rows

NAMED = Layout("named", (("id", "ID number"), ("when",)))
HEADLESS = Layout("headless", (("id",), ("when",)), looks_right=lambda cells: cells[0].isdigit())


def rows(path: Path, layout: Layout = NAMED, report: ReadReport | None = None) -> list[tuple[int, list[str]]]:
    """Return the rows of a file with their cells as lists."""
    found = read_rows(path, layout, ReadReport() if report is None else report)
    return [(number, list(cells)) for number, cells in found]


def test_columns_are_found_by_any_of_their_names_in_any_order(tmp_path: Path) -> None:
    """Extra columns are passed over, and case, blanks and underscores in names do not count."""
    path = tmp_path / "a.csv"
    path.write_text('\ufeffwhen,extra,"Id_Number"\n2,x,1\n')

    assert rows(path) == [(2, ["1", "2"])]


def test_malformed_rows_are_skipped_with_their_lines(tmp_path: Path) -> None:
    """Too few cells, too many, and an unclosed quote cost one row each and nothing else."""
    path = tmp_path / "a.csv"
    path.write_text('id,when\n1,2\n3\n4,5,6\n"7,8\n\n9,"1""0"\r\n')
    report = ReadReport()

    assert rows(path, report=report) == [(2, ["1", "2"]), (7, ["9", '1"0'])]
    assert report.rows == 5
    assert report.skipped["malformed row"].count == 3
    assert report.skipped["malformed row"].places == ["a.csv:3", "a.csv:4", "a.csv:5"]


def test_a_gzip_file_that_ends_early_is_used_up_to_there(tmp_path: Path) -> None:
    """What a cut gzip file still holds is read, and the cut is reported."""
    whole = gzip.compress(b"id,when\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(90_000)))
    path = tmp_path / "a.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    report = ReadReport()

    found = rows(path, report=report)

    assert found[0] == (2, ["0", "0"])
    assert 10_000 < len(found) < 90_000
    assert report.skipped["file ends early"].count == 1
    with pytest.raises(InputFileError, match=r"a\.csv\.gz: the file ends early; from line [\d,]+ on"):
        report.check_whole()


def test_a_gzip_file_that_ends_within_its_first_line_is_not_called_another_format(tmp_path: Path) -> None:
    """It is the cut that is to be mended."""
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"id,when\n1,2\n")[:14])

    with pytest.raises(InputFileError, match="ends early"):
        rows(path)


def test_text_that_is_not_utf8_is_read(tmp_path: Path) -> None:
    """A Latin-1 pound sign costs no row."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,when\n1,\xa35\n")

    assert rows(path) == [(2, ["1", "\ufffd5"])]


def test_a_headless_file_may_still_have_a_header(tmp_path: Path) -> None:
    """A header that someone added is recognised by its names; otherwise columns go by their order."""
    bare, named = tmp_path / "bare.csv", tmp_path / "named.csv"
    bare.write_text("1,2\n")
    named.write_text("when,id\n2,1\n")

    assert rows(bare, HEADLESS) == [(1, ["1", "2"])]
    assert rows(named, HEADLESS) == [(2, ["1", "2"])]


def test_parquet_cells_read_as_a_csv_file_would_have_them(tmp_path: Path) -> None:
    """Numbers, times and missing values become the text that the CSV of the same table holds."""
    path = tmp_path / "a.parquet"
    when = pa.array([1_291_191_960_000, None], pa.timestamp("ms"))
    pq.write_table(pa.table({"when": when, "ID number": [17850.0, float("nan")]}), path)

    assert rows(path) == [(1, ["17850.0", "2010-12-01 08:26:00"]), (2, ["", ""])]


@pytest.mark.parametrize(
    "content", ["a,b\nc,d\n1,2\n", "x", "PAR1 nothing of the kind", "\x1f\x8b broken", "\n\n"]
)
@pytest.mark.parametrize("layout", [NAMED, HEADLESS], ids=["named", "headless"])
def test_a_file_of_another_format_is_one_line_that_says_what_was_expected(
    tmp_path: Path, content: str, layout: Layout
) -> None:
    """The error has exit code 4, names the file, and has no line break."""
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode("latin-1"))

    with pytest.raises(InputFileError) as caught:
        rows(path, layout)

    assert caught.value.exit_code is ExitCode.INPUT_FILE
    assert "a.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_missing_file_or_a_folder_is_an_input_error(tmp_path: Path, name: str) -> None:
    """Nothing to read ends with the file's name."""
    with pytest.raises(InputFileError, match=str(tmp_path)):
        rows(tmp_path / name)


def test_an_empty_file_is_an_input_error(tmp_path: Path) -> None:
    """A file of 0 bytes is no recording."""
    path = tmp_path / "a.csv"
    path.touch()

    with pytest.raises(InputFileError, match="empty"):
        rows(path)


def test_progress_ends_at_the_size_of_the_file(tmp_path: Path) -> None:
    """The reading is told in bytes of the file on disk, and ends at all of them."""
    path = tmp_path / "a.csv"
    path.write_text("id,when\n" + "1,2\n" * 50_000)
    told: list[int] = []

    rows(path, report=ReadReport(progress=lambda done, _total: told.append(done)))

    assert told == sorted(told)
    assert len(told) >= 3
    assert told[-1] == path.stat().st_size

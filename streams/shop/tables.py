"""Rows of text out of CSV (plain or gzip) and Parquet files, each with the line it came from."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet as pq

from streams.errors import InputFileError
from streams.shop.files import PARQUET, excerpt, read_lines, start_of
from streams.shop.record import ReadReport

CHECKED_ROWS = 100
"""Rows by which a file without header is recognised: at least half of them must look right."""
MALFORMED = "malformed row"
"""Reason for a row with a wrong number of cells, a broken quote, or a cell that cannot be read."""

Cells = Sequence[str]
Row = tuple[int, Cells]
"""(line number from 1, the wanted cells as text, "" for none)."""


@dataclass(frozen=True)
class Layout:
    """What a file of a format looks like; at least two columns."""

    format: str
    columns: tuple[tuple[str, ...], ...]
    """The wanted columns, each with the names publishers give it; case, spaces and `_` do not count."""
    looks_right: Callable[[Cells], bool] | None = None
    """Tells a row of the format; set when the publisher's file has no header, the columns in this order."""

    @property
    def expected(self) -> str:
        """Return what a file of this format holds, for an error."""
        names = ", ".join(names[0] for names in self.columns)
        kind = "a header with" if self.looks_right is None else "rows of"
        return f"expected {kind} {names} (format {self.format})"

    def find(self, names: Cells) -> list[int] | None:
        """Return where the wanted columns lie in a header, or None when one is missing."""
        present = {_plain(name): index for index, name in enumerate(names)}
        found = [
            next((present[_plain(name)] for name in known if _plain(name) in present), None)
            for known in self.columns
        ]
        return None if None in found else [index for index in found if index is not None]


def read_rows(path: Path, layout: Layout, report: ReadReport) -> Iterator[Row]:
    """Yield the rows of a file; malformed ones are counted in the report and left out.

    A row is one line: no published shop file has line breaks inside cells, and so an unclosed quote costs one
    row. Bytes that are not UTF-8 become replacement characters. For Parquet the line is the row's number.

    Raises:
        InputFileError: the file is missing, cannot be read, or is not of the format.
    """
    if start_of(path) == PARQUET:
        return _parquet_rows(path, layout, report)
    return _csv_rows(path, layout, report)


def _plain(name: str) -> str:
    return name.strip().strip('"').replace(" ", "").replace("_", "").casefold()


def _cells(line: bytes) -> Cells | None:
    text = line.decode("utf-8-sig", "replace")
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error:
        return None


def _csv_rows(path: Path, layout: Layout, report: ReadReport) -> Iterator[Row]:
    raw = read_lines(path, report)
    raw_start = list(itertools.islice(raw, CHECKED_ROWS))
    lines = ((number, _cells(line)) for number, line in raw)
    start = [(number, _cells(line)) for number, line in raw_start]
    first = start[0][1] if start else None
    where = layout.find(first) if first is not None else None
    if where is None:
        where = list(range(len(layout.columns)))
        report.check_whole()  # else a header that is cut short would be called another format
        _check_headless([cells for _, cells in start], path, layout, raw_start[0][1] if start else b"")
        width = len(layout.columns)
    else:
        width = len(first or ())
        del start[0]
    pick = itemgetter(*where)
    for number, cells in itertools.chain(start, lines):
        report.rows += 1
        if cells is None or len(cells) != width:
            report.skip(MALFORMED, path, number)
        else:
            yield number, pick(cells)


def _check_headless(start: list[Cells | None], path: Path, layout: Layout, first_line: bytes) -> None:
    """Raise InputFileError unless the first rows of a file without header look like the format."""
    if layout.looks_right is not None:
        width = len(layout.columns)
        right = sum(
            cells is not None and len(cells) == width and layout.looks_right(cells) for cells in start
        )
        if right > 0 and 2 * right >= len(start):
            return
    raise InputFileError(f"{path}: {layout.expected}, found {excerpt(first_line)}")


def _parquet_rows(path: Path, layout: Layout, report: ReadReport) -> Iterator[Row]:
    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        where = layout.find(names)
        if where is None:
            raise InputFileError(f"{path}: {layout.expected}, found columns {', '.join(names)[:80]}")
        wanted = [names[index] for index in where]
        number = 0
        for batch in file.iter_batches(columns=wanted):
            columns = [_texts(batch.column(name)) for name in wanted]
            for cells in zip(*columns, strict=True):
                number += 1
                report.rows += 1
                yield number, cells
    except (pa.ArrowException, OSError) as error:
        raise InputFileError(f"{path}: not a readable Parquet file ({error})") from error
    report.advance(report.bytes_read + path.stat().st_size)


def _texts(column: Any) -> list[str]:
    """Return the values of a Parquet column as the text that a CSV file would hold."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", tz=column.type.tz), safe=False)
    return [_text(value) for value in column.to_pylist()]


def _text(value: object) -> str:
    if value is None or value != value:  # noqa: PLR0124 - NaN is a missing cell
        return ""
    if isinstance(value, datetime):
        aware = value.astimezone(UTC) if value.tzinfo else value
        return aware.replace(tzinfo=None).isoformat(" ")
    return str(value)

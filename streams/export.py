"""Every customer's features and memberships as one file, Parquet or CSV."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from streams.clock import Clock
from streams.errors import LiveSegmentsError, UsageError
from streams.profiles import tables
from streams.reader import Reader
from streams.settings import Settings
from streams.snapshot import partitions


class Writer(Protocol):
    """Writes tables of the same columns into a file."""

    def write_table(self, table: pa.Table, /) -> None:
        """Append rows."""

    def close(self) -> None:
        """Complete the file."""


class CsvWriter:
    """Writes tables as CSV with a header; a cell cannot hold a list, so audiences have `;` between them.

    Args:
        path: the file.
        schema: of the tables.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = csv.CSVWriter(path, _flat(schema.empty_table()).schema)

    def write_table(self, table: pa.Table) -> None:
        """Append rows."""
        self._writer.write_table(_flat(table))

    def close(self) -> None:
        """Complete the file."""
        self._writer.close()


def _flat(table: pa.Table) -> pa.Table:
    """Return a table whose lists are texts."""
    joined: Any
    for i, column in enumerate(table.schema):
        if pa.types.is_list(column.type):
            joined = pc.binary_join(table[column.name], ";")
            table = table.set_column(i, column.name, joined)
    return table


WRITERS: dict[str, Callable[[Path, pa.Schema], Writer]] = {".parquet": pq.ParquetWriter, ".csv": CsvWriter}
"""By the end of the file's name."""


def check_out(out: Path) -> None:
    """See to it, before anything is read, that the file's name says its form, and that its folder is there.

    Raises:
        UsageError: it does not, or there is none.
    """
    if out.suffix.lower() not in WRITERS:
        raise UsageError(f"--out {out}: name a file that ends in {' or '.join(WRITERS)}")
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}; make it, or name another file")


def export_profiles(
    settings: Settings,
    reader: Reader,
    clock: Clock,
    out: Path,
    at_ms: int | None,
    done: Callable[[int, int], None],
) -> int:
    """Write all profiles as of the last commits and return the number of customers.

    The file appears under its name when it is complete, and not before.

    Args:
        settings: the deployment's.
        reader: of its topics.
        clock: the wall clock.
        out: the file, see `check_out`; one that is there is replaced.
        at_ms: the time to look at the profiles; None: each partition's stream time.
        done: called after each partition with the number of partitions and of customers so far.

    Raises:
        UsageError: the file cannot be written.
        LiveSegmentsError: there is no customer yet, or the topics cannot be read.
    """
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    writer: Writer | None = None
    customers = 0
    try:
        for number, engine in enumerate(partitions(settings, reader, clock), start=1):
            for table in tables(engine, at_ms):
                writer = writer or WRITERS[out.suffix.lower()](part, table.schema)
                writer.write_table(table)
                customers += table.num_rows
            done(number, customers)
        if not customers:
            raise LiveSegmentsError(
                "there is no customer in profiles-changelog yet; start a worker and send events"
            )
        if writer is not None:
            writer.close()
        part.replace(out)
    except OSError as error:
        raise UsageError(
            f"--out {out}: {error.strerror or error}; name a file that can be written"
        ) from error
    finally:
        if writer is not None:
            writer.close()
        part.unlink(missing_ok=True)
    return customers

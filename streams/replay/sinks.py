"""Where the effects of a replay go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

import pyarrow.parquet as pq

from streams.engine import Engine
from streams.errors import UsageError
from streams.outbox import BACKFILL, CHANGES
from streams.profiles import tables
from streams.records import Record

_CHANGE_TOPICS = frozenset({CHANGES, BACKFILL})


class Sink(Protocol):
    """Takes what the engine and the merger write."""

    def write(self, records: Sequence[Record]) -> None:
        """Take the records of one commit."""
        ...

    def finish(self, engine: Engine, report: bytes) -> None:
        """Take the final state and the report, and close."""
        ...


class NullSink:
    """Keeps nothing: a dry run."""

    def write(self, records: Sequence[Record]) -> None:
        """Forget the records."""

    def finish(self, engine: Engine, report: bytes) -> None:
        """Do nothing."""


class FileSink:
    """Writes changes.ndjson, dead-letters.ndjson, profiles.parquet and report.json into a folder.

    Args:
        folder: made if it is not there.

    Raises:
        UsageError: the folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._changes: IO[bytes] = (folder / "changes.ndjson").open("wb")
            self._dead: IO[bytes] = (folder / "dead-letters.ndjson").open("wb")
        except OSError as error:
            where = f"{error.filename}: " if str(error.filename) != str(folder) else ""
            raise UsageError(
                f"--out {folder}: {where}{error.strerror}; name a folder that can be written to"
            ) from error

    def write(self, records: Sequence[Record]) -> None:
        """Append change records and dead letters, a line each."""
        for record in records:
            if record.value is None:
                continue
            if record.topic in _CHANGE_TOPICS:
                self._changes.write(record.value + b"\n")
            elif record.topic == "dead-letters":
                self._dead.write(record.value + b"\n")

    def finish(self, engine: Engine, report: bytes) -> None:
        """Write the profiles and the report."""
        self._changes.close()
        self._dead.close()
        (self._folder / "report.json").write_bytes(report)
        writer = None
        for table in tables(engine):
            if writer is None:
                writer = pq.ParquetWriter(self._folder / "profiles.parquet", table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()

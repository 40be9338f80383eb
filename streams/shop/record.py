"""A record of an input topic as a shop would send it, and the account of what was read to make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from streams.errors import InputFileError
from streams.words import counted

FIRST_PLACES = 5
"""Places kept for each reason in a report; later rows are only counted."""
TRUNCATED = "file ends early"
"""Reason for a gzip file that stops before its end; what it holds up to there is used."""


@dataclass(slots=True)
class ShopRecord:
    """One record for an input topic."""

    topic: int
    """Index into `streams.records.INPUT_TOPICS`."""
    key: bytes
    """customer_id as UTF-8; empty when a recorded line does not tell it."""
    value: bytes
    """JSON object of the input contract; recorded lines of our own schema pass unchanged, broken or not."""
    time_ms: int
    """Event time in epoch milliseconds."""


@dataclass(slots=True)
class Skipped:
    """Rows left out, or noted, for one reason."""

    count: int = 0
    places: list[str] = field(default_factory=list)
    """The first `FIRST_PLACES` rows as `file:line`; lines count from 1 and a header is one."""

    def add(self, path: Path, line: int) -> None:
        """Count a row."""
        self.count += 1
        if len(self.places) < FIRST_PLACES:
            self.places.append(f"{path.name}:{line}")

    def __str__(self) -> str:
        """Return the number of rows and the first places, for people."""
        more = ", …" if self.count > len(self.places) else ""
        return f"{self.count:,} ({', '.join(self.places)}{more})"


@dataclass(slots=True)
class ReadReport:
    """What became of the rows of the files that were read; filled while they are read."""

    progress: Callable[[int, int], None] | None = None
    """Called now and then with `bytes_read` and `bytes_total`."""
    rows: int = 0
    """Rows read, headers and empty lines not counted."""
    records: int = 0
    """Records made; several rows may make one (an invoice)."""
    bytes_read: int = 0
    """Of the files as they lie on the disk."""
    bytes_total: int = 0
    skipped: dict[str, Skipped] = field(default_factory=dict)
    """By reason."""
    broken: Skipped = field(default_factory=Skipped)
    """Lines that are no JSON objects and were made records all the same, as the shop may send such."""
    cut: list[tuple[Path, int]] = field(default_factory=list)
    """Files that ended early, and in which line."""

    def skip(self, reason: str, path: Path, line: int) -> None:
        """Count a row that makes no record."""
        self.skipped.setdefault(reason, Skipped()).add(path, line)

    def cut_short(self, path: Path, line: int) -> None:
        """Note that a file ends before its end; what came until then counts."""
        self.skip(TRUNCATED, path, line)
        self.cut.append((path, line))

    def check_whole(self) -> None:
        """See that all files were whole, when everything has been read.

        Raises:
            InputFileError: one ended early.
        """
        if self.cut:
            path, line = self.cut[0]
            raise InputFileError(f"{path}: the file ends early; from line {line:,} on it was not used")

    def advance(self, bytes_read: int) -> None:
        """Note how far the files are read and tell it."""
        self.bytes_read = bytes_read
        if self.progress is not None:
            self.progress(bytes_read, self.bytes_total)

    @property
    def skipped_rows(self) -> int:
        """Return how many rows were skipped for any reason."""
        return sum(entry.count for entry in self.skipped.values())

    def lines(self) -> list[str]:
        """Return the report as lines of text: the totals, then the reasons, the commonest first."""
        made = f"{counted(self.rows, 'row')} read, {counted(self.records, 'record')} made"
        told = [f"{made}, {counted(self.skipped_rows, 'row')} skipped"]
        for reason, entry in sorted(self.skipped.items(), key=lambda item: (-item[1].count, item[0])):
            told.append(f"  {reason}: {entry}")
        if self.broken.count:
            told.append(f"of the records, no JSON object (a worker makes it a dead letter): {self.broken}")
        return told

    def as_dict(self) -> dict[str, object]:
        """Return the report as plain values for JSON."""
        return {
            "rows": self.rows,
            "records": self.records,
            "broken": {"rows": self.broken.count, "first": list(self.broken.places)},
            "skipped": {
                reason: {"rows": entry.count, "first": list(entry.places)}
                for reason, entry in sorted(self.skipped.items())
            },
        }

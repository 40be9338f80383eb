"""Files as lines of bytes: plain or gzip, whole or cut short."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from streams.errors import InputFileError
from streams.shop.record import ReadReport

PROGRESS_LINES = 20_000
"""Lines between two reports of progress."""
EXCERPT_CHARS = 60
"""Characters of a file that an error quotes."""
GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"


def start_of(path: Path) -> bytes:
    """Return the first four bytes of a file, which tell gzip and Parquet from text.

    Raises:
        InputFileError: the file is missing, empty or cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise InputFileError(f"{path}: {error.strerror or error}; name a file that can be read") from error
    if not start:
        raise InputFileError(f"{path}: the file is empty; name a file with events")
    return start


def read_lines(path: Path, report: ReadReport) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, line without its end); empty lines are passed over.

    Raises:
        InputFileError: the file cannot be read.
    """
    packed = start_of(path).startswith(GZIP)
    before = report.bytes_read
    number = 0
    with path.open("rb") as raw:
        file = io.BufferedReader(gzip.GzipFile(fileobj=raw), 1 << 18) if packed else raw
        try:
            for number, line in enumerate(file, start=1):
                if number % PROGRESS_LINES == 0:
                    report.advance(before + raw.tell())
                if stripped := line.rstrip(b"\r\n"):
                    yield number, stripped
        except (EOFError, zlib.error, gzip.BadGzipFile):
            report.cut_short(path, number + 1)
        except OSError as error:
            raise InputFileError(f"{path}: {error.strerror or error}; copy the file again") from error
    report.advance(before + path.stat().st_size)


def excerpt(text: bytes | str) -> str:
    """Return how a text begins, in quotes; what a terminal might obey, and broken UTF-8, is escaped."""
    start = text[: 4 * EXCERPT_CHARS]  # no character of UTF-8 is longer
    decoded = start.decode("utf-8", "backslashreplace") if isinstance(start, bytes) else start
    shown = ""
    for one in decoded:
        piece = one if one.isprintable() else one.encode("unicode_escape").decode()
        if len(shown) + len(piece) > EXCERPT_CHARS:
            return f"'{shown}…'"
        shown += piece
    return f"'{shown}'"

"""Every customer's features and memberships as one Parquet file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from streams.clock import Clock
from streams.errors import LiveSegmentsError, UsageError
from streams.profiles import tables
from streams.reader import Reader
from streams.settings import Settings
from streams.snapshot import partitions


def check_folder(out: Path) -> None:
    """See to it, before anything is read, that there is a folder to write a file into.

    Raises:
        UsageError: there is none.
    """
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
        out: the file; one that is there is replaced.
        at_ms: the time to look at the profiles; None: each partition's stream time.
        done: called after each partition with the number of partitions and of customers so far.

    Raises:
        UsageError: the file cannot be written.
        LiveSegmentsError: there is no customer yet, or the topics cannot be read.
    """
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    writer: pq.ParquetWriter | None = None
    customers = 0
    try:
        for number, engine in enumerate(partitions(settings, reader, clock), start=1):
            for table in tables(engine, at_ms):
                writer = writer or pq.ParquetWriter(part, table.schema)
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

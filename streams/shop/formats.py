"""The formats of recorded events, by the names that the commands take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from streams.errors import InputFileError, UsageError
from streams.shop import events, online_retail, retailrocket, taobao
from streams.shop.record import ReadReport, ShopRecord


@dataclass(frozen=True)
class Format:
    """One format: its name, what it holds, and its reader."""

    name: str
    text: str
    read: Callable[[Sequence[Path], ReadReport], Iterator[ShopRecord]]
    currency: str | None = None
    """What its prices are in, where that is always the same."""


FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format("events", "NDJSON or Parquet in our own schema; `topic` names the topic", events.read),
        Format(
            "online-retail",
            "UCI Online Retail and Online Retail II: invoice lines",
            online_retail.read,
            "GBP",
        ),
        Format("taobao", "Taobao UserBehavior: pv, cart, fav, buy; no prices", taobao.read),
        Format("retailrocket", "RetailRocket: view, addtocart, transaction; no prices", retailrocket.read),
    )
}
"""All formats in the order in which help texts list them."""


def read_records(
    paths: Sequence[Path], format_name: str, report: ReadReport | None = None
) -> Iterator[ShopRecord]:
    """Return the records of recorded files by event time; the report is filled while they are read.

    Several files are merged by time. Format `events` keeps the order within each file, so that what was late
    in a recording stays late; the published data sets are sorted.

    Raises:
        UsageError: the format is unknown.
        InputFileError: a file is missing, cannot be read, or is not of the format (the latter on first use).
    """
    form = FORMATS.get(format_name)
    if form is None:
        raise UsageError(f"format {format_name!r} is unknown; choose one of {', '.join(FORMATS)}")
    if report is None:
        report = ReadReport()
    for path in paths:
        try:
            report.bytes_total += path.stat().st_size
        except OSError as error:
            raise InputFileError(
                f"{path}: {error.strerror or error}; name a file that can be read"
            ) from error
    return form.read(paths, report)

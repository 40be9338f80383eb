"""Recorded events in our own schema: NDJSON lines or Parquet rows, each of which names its topic.

An NDJSON line passes as it is, whatever it holds, so that what the shop sent wrongly reaches the dead letters
as it would have live; its topic, customer and time are read off it where they can be. Left out and counted
are only JSON objects that name no topic, or none of the input topics: nobody can say where they belong. A
Parquet row becomes a JSON object of its cells; nulls and NaN are absent, timestamps are epoch milliseconds.

The order within a file stays, so that late events stay late; several files are merged by event time.
"""

from __future__ import annotations

import heapq
import itertools
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pyarrow as pa
from pyarrow import parquet as pq

from streams.errors import InputFileError
from streams.records import CLICKS, INPUT_TOPICS
from streams.shop.files import PARQUET, excerpt, read_lines, start_of
from streams.shop.record import ReadReport, ShopRecord

CHECKED_LINES = 100
"""Lines among which at least one must name an input topic for the file to be of this format."""
NO_TOPIC = "no topic"
UNKNOWN_TOPIC = "unknown topic"
MAX_UNKNOWN = 5
"""Unknown topics that a report names; the others are one reason."""
EXPECTED = f"expected a `topic` ({', '.join(INPUT_TOPICS)}) in each line or row (format events)"

_TOPIC = {name: index for index, name in enumerate(INPUT_TOPICS)}
_BROKEN_TOPIC = re.compile(rb'"topic"\s*:\s*"([a-z-]+)"')
_BROKEN_KEY = re.compile(rb'"customer_id"\s*:\s*"([^"\\]{1,256})"')


class _Head(msgspec.Struct):
    """What is read of a line to know where it belongs."""

    topic: Any = None
    customer_id: Any = None
    occurred_at: Any = None


_head = msgspec.json.Decoder(_Head)


def read(paths: Sequence[Path], report: ReadReport) -> Iterator[ShopRecord]:
    """Yield a record for each line or row, in bounded memory.

    Raises:
        InputFileError: a file is missing or not of this format.
    """
    files = [_read_file(path, report) for path in paths]
    for record in heapq.merge(*files, key=lambda made: made.time_ms):
        report.records += 1
        yield record


def _read_file(path: Path, report: ReadReport) -> Iterator[ShopRecord]:
    if start_of(path) == PARQUET:
        return _parquet(path, report)
    return _ndjson(path, report)


def _ndjson(path: Path, report: ReadReport) -> Iterator[ShopRecord]:
    lines = read_lines(path, report)
    start = list(itertools.islice(lines, CHECKED_LINES))
    if not any(_names_topic(line) for _, line in start):
        raise InputFileError(f"{path}: {EXPECTED}, found {_found(start[0][1] if start else b'')}")
    time_ms = 0
    for number, line in itertools.chain(start, lines):
        report.rows += 1
        head = _read_head(line)
        if head is None:
            report.broken.add(path, number)
        topic, key, own_ms = _guessed(line) if head is None else _told(head)
        time_ms = own_ms if own_ms is not None else time_ms
        if topic is None:
            report.skip(_why(None if head is None else head.topic, report), path, number)
        else:
            yield ShopRecord(topic, key, line, time_ms)


def _names_topic(line: bytes) -> bool:
    head = _read_head(line)
    return head is not None and _named(head.topic) is not None


def _found(line: bytes) -> str:
    """Return what a line names as its topic, or how it begins."""
    head = _read_head(line)
    return excerpt(line) if head is None or head.topic is None else f"topic {excerpt(str(head.topic))}"


def _why(topic: object, report: ReadReport) -> str:
    """Return why a line goes nowhere: it names no topic, or one that there is not."""
    if topic is None:
        return NO_TOPIC
    reason = f"{UNKNOWN_TOPIC} {excerpt(str(topic))}; expected one of {', '.join(INPUT_TOPICS)}"
    named = [known for known in report.skipped if known.startswith(UNKNOWN_TOPIC)]
    return reason if reason in named or len(named) < MAX_UNKNOWN else f"{UNKNOWN_TOPIC}, others"


def _named(topic: object) -> int | None:
    return _TOPIC.get(topic) if isinstance(topic, str) else None


def _read_head(line: bytes) -> _Head | None:
    """Return what a line says of itself; None for one that is no JSON object."""
    try:
        return _head.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _told(head: _Head) -> tuple[int | None, bytes, int | None]:
    """Return topic, key and time as they are told."""
    key_text = head.customer_id if isinstance(head.customer_id, str) else ""
    return _named(head.topic), key_text.encode(), _time_ms(head.occurred_at)


def _guessed(line: bytes) -> tuple[int, bytes, None]:
    """Return topic and key of a broken line by what can be read of its text."""
    topic, key = _BROKEN_TOPIC.search(line), _BROKEN_KEY.search(line)
    index = _TOPIC.get(topic[1].decode(), CLICKS) if topic else CLICKS
    return index, key[1] if key else b"", None


def _time_ms(value: object) -> int | None:
    """Return an event time in epoch milliseconds, or None when there is none to be read."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _parquet(path: Path, report: ReadReport) -> Iterator[ShopRecord]:
    time_ms = 0
    number = 0
    try:
        file = pq.ParquetFile(path)
        if "topic" not in file.schema_arrow.names:
            raise InputFileError(f"{path}: {EXPECTED}, found {', '.join(file.schema_arrow.names)[:80]}")
        for batch in file.iter_batches():
            for row in batch.to_pylist():
                number += 1
                report.rows += 1
                told = row.pop("topic")
                topic = _named(told)
                value = _present(row)
                own_ms = _time_ms(value.get("occurred_at"))
                time_ms = own_ms if own_ms is not None else time_ms
                if topic is None:
                    report.skip(_why(told, report), path, number)
                else:
                    key = str(value.get("customer_id", "")).encode()
                    yield ShopRecord(topic, key, orjson.dumps(value), time_ms)
    except (pa.ArrowException, OSError) as error:
        raise InputFileError(f"{path}: not a readable Parquet file ({error})") from error
    report.advance(report.bytes_read + path.stat().st_size)


def _present(value: Any) -> Any:
    """Return a Parquet value as JSON: absent members left out, times in epoch milliseconds."""
    if isinstance(value, dict):
        return {
            name: _present(member)
            for name, member in value.items()
            if member is not None and member == member  # noqa: PLR0124 - NaN is a missing cell
        }
    if isinstance(value, list):
        return [_present(member) for member in value]
    if isinstance(value, datetime):
        return round((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() * 1000)
    return value

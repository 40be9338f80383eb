"""Log lines on stderr: one line a record, as text for people or as JSON for machines."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

_ROOTS = ("streams", "models")
"""Loggers that follow the chosen level; libraries log from warnings up."""


def configure_logs(
    form: Literal["text", "json"] = "text", level: str = "info", stream: TextIO | None = None
) -> None:
    """Send all log records to stderr or another stream, one line each; a second call replaces the first."""
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _ROOTS:
        logging.getLogger(name).setLevel(level.upper())
    logging.getLogger("mode.timers").setLevel(logging.ERROR)  # a tick that comes late is nothing to act upon


class TextLines(logging.Formatter):
    """`time level logger: message key=value …`; line breaks become spaces."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        head = f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}"
        fields = "".join(f" {key}={value}" for key, value in _fields(record).items())
        return " ".join(f"{head}{fields}{_raised(record)}".split())


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, the fields, and error with its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = _raised(record).removeprefix(" | ")
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, default=str, ensure_ascii=False)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return what the caller passed as `extra={"fields": {...}}`."""
    fields = getattr(record, "fields", None)
    return fields if isinstance(fields, dict) else {}


def _raised(record: logging.LogRecord) -> str:
    """Return an exception as ` | Type: message (file:line, innermost last)`, empty without one."""
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    kind, error, trace = record.exc_info
    frames = traceback.extract_tb(trace)[-3:]
    where = ", ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames)
    return f" | {kind.__name__}: {error} ({where})"

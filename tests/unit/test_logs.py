"""Log lines: one a record, whatever is in it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest

from streams.logs import configure_logs


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, handlers, level = logging.getLogger(), logging.getLogger().handlers[:], logging.getLogger().level
    yield
    root.handlers[:], root.level = handlers, level
    logging.getLogger("streams").setLevel(logging.NOTSET)
    logging.getLogger("models").setLevel(logging.NOTSET)


def _fail_in_two_lines() -> None:
    raise ValueError("first\nsecond")


def _write(form: Literal["text", "json"], level: str = "info") -> list[str]:
    stream = io.StringIO()
    configure_logs(form, level, stream)
    log = logging.getLogger("streams.example")
    log.info("two\nlines", extra={"fields": {"partition": 3}})
    log.debug("hidden")
    logging.getLogger("library").info("chatter")
    try:
        _fail_in_two_lines()
    except ValueError:
        log.exception("failed")
    return stream.getvalue().splitlines()


def test_text_is_one_line_a_record_with_its_fields_and_the_place_of_an_error() -> None:
    """Line breaks are folded, fields follow as key=value, an exception names its type, message and line."""
    first, second = _write("text")

    assert first.endswith(" INFO streams.example: two lines partition=3")
    assert " ERROR streams.example: failed | ValueError: first second (test_logs.py:" in second


def test_json_is_one_object_a_line() -> None:
    """Each line is an object with time, level, logger, message and fields; an error brings its traceback."""
    first, second = (json.loads(line) for line in _write("json"))

    assert first["message"] == "two\nlines"
    assert (first["level"], first["logger"], first["partition"]) == ("info", "streams.example", 3)
    assert first["time"].endswith("Z")
    assert "Traceback" in second["traceback"]
    assert second["error"].startswith("ValueError: first\nsecond")


def test_the_level_applies_to_the_product_and_libraries_stay_quiet() -> None:
    """At debug the product's debug lines appear and a library's info lines do not."""
    lines = "\n".join(_write("text", "debug"))

    assert "hidden" in lines
    assert "chatter" not in lines

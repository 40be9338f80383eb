"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

FORMATS = ("events", "online-retail", "taobao", "retailrocket")
"""Names of the formats of recorded events, as in `streams.shop.formats`."""
_UNITS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
F = TypeVar("F", bound=Callable[..., Any])


class Duration(click.ParamType):
    """A time span such as 30s, 15m, 1h or 2d, as milliseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return milliseconds."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+)([smhd])", value.strip())
        if found is None or int(found[1]) == 0:
            self.fail(
                f"{value!r} is not a time span: a whole number with s, m, h or d, such as 1h", param, ctx
            )
        return int(found[1]) * _UNITS[found[2]]


class Moment(click.ParamType):
    """A time in ISO 8601 (UTC unless it says otherwise), as epoch milliseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return epoch milliseconds."""
        if isinstance(value, int):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r} is not a time: write it like 2026-03-14 or 2026-03-14T09:26:53Z", param, ctx
            )
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)


class Positive(click.ParamType):
    """A number above 0."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        try:
            number = float(value)
        except ValueError:
            number = 0.0
        if not 0 < number < float("inf"):
            self.fail(f"{value!r} is not a number above 0", param, ctx)
        return number


def json_option(function: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")(
        function
    )


def file_arguments(function: F) -> F:
    """Add `FILE…` and `--format`."""
    files = click.argument(
        "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
    )
    form = click.option(
        "--format", "format_name", required=True, type=click.Choice(FORMATS), help="What the files hold."
    )
    return files(form(function))

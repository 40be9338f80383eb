"""What commands print: tables for people at 80 columns, JSON for programs, progress on a terminal."""

# ruff: noqa: PLC0415 - rich is loaded by what prints, so that --help answers at once

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

T = TypeVar("T")
EVERY = 500
"""Records between two counts on a progress bar."""


def say(text: str) -> None:
    """Print a line on stderr: for people, so that stdout holds nothing but the answer."""
    click.echo(text, err=True)


def print_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    print(json.dumps(value, ensure_ascii=False, separators=(",", ":")), flush=True)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; the heading of a column of numbers begins with `>`, which aligns it to the right."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    for row in rows:
        table.add_row(*(escape(shown(cell)) for cell in row))
    Console(highlight=False).print(table)


def wrapped(text: str, indent: int = 2, hang: int = 2) -> str:
    """Return a text in lines that fit the terminal (80 columns where there is none), none of it cut off.

    Args:
        text: a paragraph.
        indent: spaces before the first line.
        hang: how many more stand before the others.
    """
    width = max(shutil.get_terminal_size().columns, 40)
    first, others = " " * indent, " " * (indent + hang)
    return textwrap.fill(
        text,
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def print_pairs(pairs: Mapping[str, object]) -> None:
    """Print names and values, one a line or as many as a long value takes."""
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        print(wrapped(f"{name:<{width}}  {shown(value)}", indent=0, hang=width + 2))


def markdown(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    lines += [f"| {' | '.join(shown(cell).replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)


def shown(value: object) -> str:
    """Return a value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 0.01 or value == 0 else f"{value:.2g}"
    return str(value)


def moment(ms: int) -> str:
    """Return epoch milliseconds as a date and a time of UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


class Progress:
    """A bar on stderr when that is a terminal, else nothing."""

    def __init__(self, bar: Any, task: Any) -> None:
        self._bar = bar
        self._task = task

    def bytes(self, done: int, total: int) -> None:
        """Say how much of the files is read."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total)

    def count(self, records: int) -> None:
        """Say how many records have gone through."""
        if self._bar is not None:
            self._bar.update(self._task, count=f"{records:,}")

    def counted(self, items: Iterable[T], after: Callable[[], None] | None = None) -> Iterator[T]:
        """Yield the items and show how many there were; call `after` when there are no more."""
        number = 0
        for number, item in enumerate(items, start=1):
            if number % EVERY == 0:
                self.count(number)
            yield item
        self.count(number)
        if after is not None:
            after()


@contextmanager
def progress(label: str, unit: str = "records", *, total: int | None = None) -> Iterator[Progress]:
    """Show a progress bar while the block runs."""
    if not sys.stderr.isatty():
        yield Progress(None, None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[count]} " + unit),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        yield Progress(bar, bar.add_task(label, total=total, count="0"))

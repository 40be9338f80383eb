"""What the demo shows: who is in the shop, changes as they come, a line of progress, a summary."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from streams.codec.output_records import CALLED, ChangeRecord
from streams.demo.summary import Summary
from streams.records import INPUT_TOPICS
from streams.shop.customers import KINDS
from streams.sizes import Segment
from streams.words import counted

LINES_PER_S = 5.0
"""Changes shown a second, at most: more cannot be read. All are counted."""
STATUS_EVERY_S, LIVE_STATUS_EVERY_S = 5.0, 30.0
"""Between two lines of progress where there is no terminal, and when the shop is live."""
BURST = 12.0
"""Lines that may come at once after a pause."""


class Screen:
    """Writes on stdout for people, or only progress on stderr when stdout belongs to a program.

    Args:
        quiet: stdout is for JSON.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._console = Console(stderr=quiet, highlight=False)
        self._terminal = self._console.is_terminal
        self._status: Any = None
        self._allowance = BURST
        self._filled_at = time.monotonic()
        self._told_at = time.monotonic()
        self._hidden = 0
        self._live = False

    def running(self) -> AbstractContextManager[object]:
        """Return a context in which a line of progress stands below everything else."""
        if not self._terminal:
            return nullcontext()
        self._status = self._console.status("starting")
        status: AbstractContextManager[object] = self._status
        return status

    def say(self, text: str) -> None:
        """Print a line, unless stdout is for JSON."""
        if not self._quiet:
            self._console.print(Text(text))
            sys.stdout.flush()

    def introduce(self, customers: int, broker: str, page: str | None, elsewhere: str, end: str) -> None:
        """Say what there is to see, and how to ask from elsewhere, by variables of the environment."""
        if self._quiet:
            return
        self._console.print(
            f"[bold]A shop with {counted(customers, 'customer')}[/bold], a worker, {escape(broker)}."
        )
        self._console.print(
            "Orders are real (an extract of Online Retail, UCI, CC BY 4.0); the clicks and views around them "
            "are generated. Customers are of these kinds, which the worker is not told:"
        )
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("kind")
        table.add_column("share", justify="right")
        table.add_column("what they do")
        for kind in KINDS:
            table.add_row(kind.name, f"{kind.share:.0%}", kind.text)
        self._console.print(table)
        if page is not None:
            self._console.print(f"The worker's page: [link={page}]{page}[/link]")
        self._console.print("Ask it from another terminal, with `segments`, `explain CUSTOMER` or `tail`:")
        self._console.print(Text(f"  {elsewhere} {_program()} segments"), soft_wrap=True)
        self._console.print(end)

    def change(self, record: ChangeRecord) -> None:
        """Show a change, if it can still be read: one line for a move."""
        p = record.properties
        if self._quiet or (p.change == "left" and p.move_id is not None):
            return
        now = time.monotonic()
        self._allowance = min(BURST, self._allowance + (now - self._filled_at) * LINES_PER_S)
        self._filled_at = now
        if self._allowance < 1:
            self._hidden += 1
            return
        self._allowance -= 1
        when = record.timestamp.astimezone(UTC).strftime("%d %b %H:%M")
        line = Text(f"{when}  {record.user_id:<8} {CALLED[p.segment_set]:<8}  ", style="dim")
        line.append(p.reason, style="none")
        self._console.print(line, soft_wrap=not self._console.is_terminal)

    def progress(self, text: str) -> None:
        """Renew the line of progress."""
        every_s = LIVE_STATUS_EVERY_S if self._live else STATUS_EVERY_S
        if self._hidden and not self._live:
            text += f" ({self._hidden:,} not shown)"
        if self._status is not None:
            self._status.update(Text(text))
        elif time.monotonic() - self._told_at >= every_s:
            self._told_at = time.monotonic()
            self._console.print(Text(text, style="dim"))

    def go_live(self, days: int, rate: float, summary: Summary) -> None:
        """Say what the days were that passed quickly, and what comes now."""
        self._live = True
        if self._quiet:
            return
        shown = f" ({self._hidden:,} were not shown: too many to read)" if self._hidden else ""
        self._console.print(
            f"\n[bold]The {days} days are over[/bold]: "
            f"{counted(sum(summary.changes.values()), 'change')}{shown}."
        )
        behaviour = [row for row in summary.segments() if row.segment_set == "behaviour"]
        self._table("Behaviour segments: a customer is in one", behaviour)
        self._console.print(
            f"From now on the shop is live, with up to {rate:g} events a second. Whoever orders, looks "
            "around or puts something into the cart may change at once, others later, as time passes:"
        )

    def summarise(self, summary: Summary) -> None:
        """Print the summary."""
        if self._quiet:
            return
        found = summary.as_dict()
        self._console.print("\n[bold]At the end[/bold]")
        segments = summary.segments()
        behaviour = [row for row in segments if row.segment_set == "behaviour"]
        audiences = [row for row in segments if row.segment_set != "behaviour"]
        self._table("Behaviour segments: a customer is in one", behaviour)
        self._table("Audiences: a customer is in any number of them", audiences)
        events = ", ".join(f"{n:,} {name}" for name, n in zip(INPUT_TOPICS, summary.events, strict=True) if n)
        changes, first_s = found["changes"], summary.first_change_s
        first = f"; the first change came after {first_s:.1f} s" if first_s is not None else ""
        self._console.print(
            f"{counted(sum(summary.events), 'event')} of {counted(summary.customers, 'customer')} ({events}) "
            f"in {summary.seconds:.1f} s: {found['events_per_second']:,.0f} a second.\n"
            f"Segments entered {counted(changes['entered'], 'time')}, "
            f"left {counted(changes['left'], 'time')}; "
            f"{counted(summary.dead_letters, 'dead letter')}; broker: {summary.broker}{first}."
        )

    def _table(self, title: str, segments: Sequence[Segment]) -> None:
        """Print segments with their customers; nothing when there are none."""
        if not segments:
            return
        self._console.print(f"\n{title}")
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("id")
        table.add_column("name")
        table.add_column("customers", justify="right")
        table.add_column("share", justify="right")
        for row in segments:
            table.add_row(row.id, escape(row.name), f"{row.size:,}", f"{row.share:.1%}")
        self._console.print(table)


def day_of(ms: int) -> str:
    """Return a date for people."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%d %b %Y")


def _program() -> str:
    """Return what a shell here calls the program by."""
    if shutil.which("live-segments"):
        return "live-segments"
    return os.path.relpath(Path(sys.executable).parent / "live-segments")

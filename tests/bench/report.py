"""Where the figures go: generated blocks of BENCHMARKS.md, and CSV files that are kept in git.

A block stands between two comments; the rest of the page is written by hand:

    <!-- bench: compare -->
    ...
    <!-- end -->
"""

from __future__ import annotations

import csv
import os
import platform
import re
import shutil
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from streams.broker.jars import kafka_version
from streams.clock import SystemClock
from tests.bench.common import load_average
from tests.bench.peers.candidate import ROOT

PAGE = ROOT / "BENCHMARKS.md"
RESULTS = Path(__file__).with_name("results.csv")
"""A row for each candidate of each comparison."""
FIGURES = Path(__file__).with_name("figures.csv")
"""A row for each figure of each other command."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Repeated measurements of one figure."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        """Return the median."""
        return statistics.median(self.values)

    def show(self, form: str = ",.0f") -> str:
        """Return the median, and the lowest and highest if there are several."""
        if len(self.values) == 1:
            return f"{self.median:{form}}"
        return f"{self.median:{form}} ({min(self.values):{form}} to {max(self.values):{form}})"

    def columns(self) -> list[str]:
        """Return median, lowest and highest for a CSV."""
        return [f"{value:.4g}" for value in (self.median, min(self.values), max(self.values))]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a command's result."""

    name: str
    unit: str
    spread: Spread
    form: str = ",.0f"


class Report:
    """What one command writes when it is done.

    Args:
        command: name of the block.
        arguments: as they were given.
        keep: write it to the files; else it is only printed.
    """

    def __init__(self, command: str, arguments: Sequence[str], *, keep: bool) -> None:
        self.command, self._keep = command, keep
        self._shown = " ".join(("make bench", f'ARGS="{" ".join(arguments)}"' if arguments else "")).strip()
        self._began = load_average()

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        """Return a Markdown table; the first column is text, the others are figures."""
        lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def write(self, text: str) -> None:
        """Print the text with what it was measured on, and put it into its block of the page."""
        loads = f"load average {self._began:.1f} before, {load_average():.1f} after"
        origin = f"`{self._shown}`, {today()}, {commit()}; {machine()}; {loads}."
        whole = f"{text}\n\n{origin}"
        print(whole, flush=True)  # noqa: T201 - the figures are what a benchmark is for
        if self._keep:
            renew(self.command, whole)

    def figures(self, figures: Sequence[Figure], text: str = "") -> None:
        """Write figures as a table, and to their CSV."""
        rows = [[f.name, f.spread.show(f.form), f.unit] for f in figures]
        table = self.table(("", "median (lowest to highest)", ""), rows)
        self.write(f"{table}\n\n{text}" if text else table)
        if self._keep:
            for f in figures:
                k = str(len(f.spread.values))
                append(
                    FIGURES,
                    ["date", "commit", "command", "figure", "unit", "k", "median", "low", "high", "machine"],
                    [today(), commit(), self.command, f.name, f.unit, k, *f.spread.columns(), machine()],
                )

    def candidate(self, name: str, figures: Mapping[str, Spread]) -> None:
        """Append a candidate's row to the results."""
        if not self._keep:
            return
        k = len(next(iter(figures.values())).values)
        header = [f"{figure}{end}" for figure in figures for end in ("", "_low", "_high")]
        values = [value for spread in figures.values() for value in spread.columns()]
        append(
            RESULTS,
            ["date", "commit", "candidate", "k", *header, "machine"],
            [today(), commit(), name, str(k), *values, machine()],
        )


def renew(block: str, text: str, page: Path = PAGE) -> None:
    """Replace a block of the page.

    Raises:
        ValueError: the page has no such block.
    """
    before = page.read_text(encoding="utf-8")
    found = re.compile(rf"(<!-- bench: {re.escape(block)} -->\n).*?(<!-- end -->)", re.DOTALL)
    if found.search(before) is None:
        raise ValueError(f"{page.name} has no block {block}")
    page.write_text(found.sub(lambda m: f"{m[1]}\n{text}\n\n{m[2]}", before), encoding="utf-8")


def append(path: Path, header: Sequence[str], row: Sequence[str]) -> None:
    """Append a row to a CSV; a new one gets the header."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        if new:
            writer.writerow(header)
        writer.writerow(row)


def today() -> str:
    """Return the date."""
    return datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC).date().isoformat()


def commit() -> str:
    """Return the commit that is checked out, marked if files differ from it."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        return "no commit"
    told = [_git("rev-parse", "--short", "HEAD"), _git("status", "--porcelain", "--", "streams", "models")]
    return told[0] + ("+" if told[1] else "")


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
    ).stdout.strip()


def machine() -> str:
    """Return the machine and the versions, in a line that names no host."""
    cpus = Path("/proc/cpuinfo")
    text = cpus.read_text(encoding="utf-8") if cpus.exists() else ""
    found = re.search(r"model name\s*: (.+)", text)
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = [
        f"{os.cpu_count()} x {found[1].strip() if found else platform.machine()}",
        f"{memory_gib:.0f} GiB",
        f"Linux {'.'.join(platform.release().split('.')[:2])}",
        f"Python {platform.python_version()}",
        f"Kafka {kafka_version()} on the same cores",
    ]
    return ", ".join(parts)

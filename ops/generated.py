"""Keep the tables in README.md and docs/ equal to what the commands print that make them.

A table stands between two comments; the first names the command:

    <!-- generated: python -m streams.metrics --table -->
    ...
    <!-- end -->

`python ops/generated.py --check` names each block that differs (exit code 1), `--write` renews them.
"""

# ruff: noqa: INP001 - a script, started by its path

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(<!-- generated: (?P<command>[^\n]+?) -->\n)(?P<text>.*?)(<!-- end -->)", re.DOTALL)
PROGRAMS = {
    "python": (sys.executable,),
    "live-segments": (str(Path(sys.executable).with_name("live-segments")),),
}
"""What a block may call: nothing else runs, whatever a page says."""


def documents(root: Path) -> list[Path]:
    """Return the pages that may hold generated blocks."""
    return [path for path in (root / "README.md", *sorted((root / "docs").glob("**/*.md"))) if path.is_file()]


def output(command: str, root: Path) -> str:
    """Return what a block's command prints, with blank lines around as Markdown wants them.

    Raises:
        SystemExit: the command is none of `PROGRAMS`, or fails.
    """
    program, *arguments = shlex.split(command)
    if program not in PROGRAMS:
        sys.exit(f"generated: {command}: begins with none of {', '.join(PROGRAMS)}")
    ran = subprocess.run(  # noqa: S603 - the programs are ours, the pages are reviewed
        [*PROGRAMS[program], *arguments], cwd=root, capture_output=True, text=True, check=False, timeout=60
    )
    if ran.returncode:
        sys.exit(f"generated: {command}: exit code {ran.returncode}: {ran.stderr.strip()}")
    return f"\n{ran.stdout.strip()}\n\n"


def renewed(text: str, root: Path) -> str:
    """Return a page with all its generated blocks as they should be."""
    return BLOCK.sub(lambda found: found[1] + output(found["command"], root) + found[4], text)


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Check or renew all pages; return the exit code."""
    if arguments not in (["--check"], ["--write"]):
        sys.exit("usage: python ops/generated.py --check|--write")
    differing = []
    for path in documents(root):
        text = path.read_text(encoding="utf-8")
        wanted = renewed(text, root)
        if wanted == text:
            continue
        if arguments == ["--write"]:
            path.write_text(wanted, encoding="utf-8")
        else:
            differing.append(str(path.relative_to(root)))
    if differing:
        sys.stderr.write(f"out of date: {', '.join(differing)}; run: python ops/generated.py --write\n")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

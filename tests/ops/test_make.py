"""What a newcomer types first."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from streams.notice import COMPILING

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def make(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("make")
    if program is None:
        pytest.skip("make is not here")
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")} | environment
    return subprocess.run(
        [program, *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a fresh copy of what `make setup` reads, without .venv."""
    for name in ("Makefile", "pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_make_alone_lists_every_target() -> None:
    """Each target has a line that says what it does."""
    targets = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)[0].split()
    ran = make()

    assert ran.returncode == 0
    assert targets == re.findall(r"^  ([a-z-]+) +\S.{10,}$", ran.stdout, re.MULTILINE)


def test_a_missing_python_is_one_clear_line(clone: Path) -> None:
    """Without any Python there is a line that says what is needed, and nothing is left behind."""
    empty = clone / "bin"
    empty.mkdir()

    ran = make("setup", cwd=clone, PATH=str(empty))

    assert ran.returncode != 0
    assert ran.stderr.splitlines()[0].startswith("live-segments needs Python 3.11 or newer; install it")
    assert not (clone / ".venv").exists()


def test_an_old_python_is_passed_over(clone: Path) -> None:
    """A python3 that is too old is not used, whatever its name."""
    folder = clone / "bin"
    folder.mkdir()
    old = folder / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = -c ] && exit 1\ntouch used\n', encoding="utf-8")
    old.chmod(0o755)

    ran = make("setup", cwd=clone, PATH=str(folder))

    assert ran.returncode != 0
    assert ran.stderr.splitlines()[0].startswith("live-segments needs Python 3.11 or newer")
    assert not (clone / "used").exists()


def test_a_python_without_venv_is_one_clear_line(clone: Path) -> None:
    """Debian splits venv off: the line names the package."""
    folder = clone / "bin"
    folder.mkdir()
    bare = folder / "python3"
    bare.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; esac\n', encoding="utf-8")
    bare.chmod(0o755)

    ran = make("setup", cwd=clone, PATH=str(folder))

    assert ran.returncode != 0
    expected = "python3 cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv"
    assert ran.stderr.splitlines()[0] == expected


def test_setup_says_what_takes_long_before_it_does_it(clone: Path) -> None:
    """A minute of silence looks like a hang; the line on compiling is the one that commands say."""
    lines = make("--dry-run", "setup", cwd=clone).stdout.splitlines()

    (installing,) = [i for i, line in enumerate(lines) if "uv sync" in line]
    assert lines[installing - 1] == 'echo "installing the packages that uv.lock names"'
    assert f'echo "{COMPILING}"; .venv/bin/python -m streams.compiling' in lines


def test_what_the_readme_writes_into_the_tree_is_not_for_git() -> None:
    """Its replay goes into a folder beside the code."""
    outs = re.findall(r"live-segments .*--out (\S+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()

    assert "replayed" in outs
    for out in outs:
        assert f"/{out}/" in ignored or f"*{Path(out).suffix}" in ignored


def test_setup_is_done_anew_only_when_the_lock_changes(clone: Path) -> None:
    """`make test` may depend on it: when nothing changed it does nothing."""
    stamp = clone / ".venv" / ".complete"
    stamp.parent.mkdir()
    stamp.touch()
    os.utime(clone / "uv.lock", (1, 1))
    os.utime(clone / "pyproject.toml", (1, 1))
    assert make("--question", str(stamp.relative_to(clone)), cwd=clone).returncode == 0

    os.utime(clone / "uv.lock")
    os.utime(stamp, (2, 2))
    assert make("--question", str(stamp.relative_to(clone)), cwd=clone).returncode == 1


def test_continuous_integration_demands_the_real_thing() -> None:
    """In CI a missing Kafka or promtool is a failure, not a skipped test; the script parses."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert "REQUIRE_KAFKA=1 REQUIRE_PROMTOOL=1 make test" in script
    assert "set -euo pipefail" in script
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=False, timeout=60).returncode == 0

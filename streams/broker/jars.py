"""The jars of Apache Kafka: fetched once with Maven by `pom.xml`, kept in the cache folder.

Other sets of jars that go with Kafka (a benchmark's) come the same way, by a pom of their own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from streams.errors import LiveSegmentsError

FETCH_TIMEOUT_S = 600
"""Bounds the download of about 45 MB; beyond it the fetch is given up."""
_PLACES = (Path(__file__).with_name("pom.xml"), Path(__file__).parents[2] / "ops" / "kafka" / "pom.xml")
"""In an installed wheel, and in a checkout; the build of the wheel copies the one into the other."""


def pom_path() -> Path:
    """Return the pom that names the jars.

    Raises:
        LiveSegmentsError: this installation has none.
    """
    for place in _PLACES:
        if place.is_file():
            return place
    raise LiveSegmentsError(
        "no pom.xml for Kafka in this installation; set KAFKA_BOOTSTRAP to use a broker of yours"
    )


def kafka_version(pom: Path | None = None) -> str:
    """Return the version of Kafka that a pom names, by default the broker's."""
    return _tag(pom or pom_path(), "kafka.version")


def _tag(pom: Path, name: str) -> str:
    found = re.search(f"<{re.escape(name)}>([^<]+)</", pom.read_text(encoding="utf-8"))
    if found is None:
        raise LiveSegmentsError(f"{pom}: {name} is missing")
    return found[1]


def jars_folder(cache: Path, pom: Path | None = None) -> Path:
    """Return where the jars of a pom (by default the broker's) are kept, there or not."""
    return cache.expanduser() / f"{_tag(pom or pom_path(), 'artifactId')}-{kafka_version(pom)}"


def have_jars(cache: Path, pom: Path | None = None) -> bool:
    """Return whether the jars are complete and those of the present pom."""
    kept = jars_folder(cache, pom) / "pom.xml"
    return kept.is_file() and kept.read_bytes() == (pom or pom_path()).read_bytes()


def fetch_jars(cache: Path, pom: Path | None = None) -> Path:
    """Return the folder with the jars of a pom, after fetching them if they are not there.

    Safe to call from several processes at once: each fetches into a folder of its own, the first one
    to be done renames it.

    Args:
        cache: folder of all that is fetched.
        pom: names the jars; by default those of the broker.

    Raises:
        LiveSegmentsError: Maven is missing, failed, or took too long.
    """
    folder = jars_folder(cache, pom)
    if have_jars(cache, pom):
        return folder
    mvn = shutil.which("mvn")
    if mvn is None:
        raise LiveSegmentsError(
            "Maven (mvn) is needed once to fetch Kafka; install it, or set KAFKA_BOOTSTRAP"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as scratch:
        fetched = Path(scratch) / "jars"
        _run_maven(mvn, pom or pom_path(), fetched)
        shutil.copyfile(pom or pom_path(), fetched / "pom.xml")
        _put_in_place(fetched, folder, lambda: have_jars(cache, pom))
    return folder


def _run_maven(mvn: str, pom: Path, target: Path) -> None:
    # fmt: off
    command = [
        mvn, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies",
        "-DincludeScope=runtime", f"-DoutputDirectory={target}",
    ]
    # fmt: on
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False)  # noqa: S603 - Maven by its path, our arguments
    except subprocess.TimeoutExpired as error:
        raise LiveSegmentsError(
            f"Maven did not fetch Kafka in {FETCH_TIMEOUT_S} s; try again, or set KAFKA_BOOTSTRAP"
        ) from error
    if done.returncode != 0:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line] or [
            "no output"
        ]
        raise LiveSegmentsError(
            f"Maven could not fetch Kafka, set KAFKA_BOOTSTRAP instead; it said: {lines[0]}"
        )


def _put_in_place(fetched: Path, folder: Path, complete: Callable[[], bool]) -> None:
    if folder.exists() and not complete():
        shutil.rmtree(folder)  # of an older pom
    try:
        fetched.rename(folder)
    except OSError:
        if not complete():  # else another process was first
            raise

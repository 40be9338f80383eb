"""The jars of Apache Kafka: fetched once with Maven by `pom.xml`, kept in the cache folder."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
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


def kafka_version() -> str:
    """Return the version of Kafka that the pom names."""
    found = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", pom_path().read_text(encoding="utf-8"))
    if found is None:
        raise LiveSegmentsError(f"{pom_path()}: kafka.version is missing")
    return found[1]


def jars_folder(cache: Path) -> Path:
    """Return where the jars are kept, there or not."""
    return cache.expanduser() / f"kafka-{kafka_version()}"


def have_jars(cache: Path) -> bool:
    """Return whether the jars are complete and those of the present pom."""
    kept = jars_folder(cache) / "pom.xml"
    return kept.is_file() and kept.read_bytes() == pom_path().read_bytes()


def fetch_jars(cache: Path) -> Path:
    """Return the folder with the jars, after fetching them if they are not there.

    Safe to call from several processes at once: each fetches into a folder of its own, the first one
    to be done renames it.

    Raises:
        LiveSegmentsError: Maven is missing, failed, or took too long.
    """
    folder = jars_folder(cache)
    if have_jars(cache):
        return folder
    mvn = shutil.which("mvn")
    if mvn is None:
        raise LiveSegmentsError(
            "Maven (mvn) is needed once to fetch Kafka; install it, or set KAFKA_BOOTSTRAP"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as scratch:
        fetched = Path(scratch) / "jars"
        _run_maven(mvn, fetched)
        shutil.copyfile(pom_path(), fetched / "pom.xml")
        _put_in_place(fetched, folder, cache)
    return folder


def _run_maven(mvn: str, target: Path) -> None:
    # fmt: off
    command = [
        mvn, "-q", "-B", "-f", str(pom_path()), "dependency:copy-dependencies",
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


def _put_in_place(fetched: Path, folder: Path, cache: Path) -> None:
    if folder.exists() and not have_jars(cache):
        shutil.rmtree(folder)  # of an older pom
    try:
        fetched.rename(folder)
    except OSError:
        if not have_jars(cache):  # else another process was first
            raise

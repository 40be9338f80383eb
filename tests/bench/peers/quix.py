"""quixstreams, exactly once, its defaults; in an environment of its own, as it is no dependency."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.bench.peers import job
from tests.bench.peers.candidate import EVENTS, OUT, ROOT, Candidate, Place, Start, UnavailableError

VERSION = "3.28.1"
HOME = Path("~/.cache/live-segments/peers").expanduser() / f"quixstreams-{VERSION}"
INSTALL_S = 300


def run(place: Place) -> None:
    """Work until SIGTERM."""
    from quixstreams import Application  # noqa: PLC0415 - installed in the peer's own environment only

    app = Application(
        broker_address=place.bootstrap,
        consumer_group=place.group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        state_dir=place.folder,
        loglevel="ERROR",
    )

    def segment(event: dict[str, Any], state: Any) -> dict[str, Any] | None:
        found: job.State = state.get("customer") or job.new_state()
        before = found[5]
        changed = job.step(found, event)
        state.set("customer", found)
        return job.change(event["customer_id"], before, found) if changed else None

    changes = app.dataframe(app.topic(EVENTS, key_deserializer="str")).apply(segment, stateful=True)
    changes.filter(lambda change: change is not None).to_topic(app.topic(OUT, key_serializer="str"))
    app.run()


def install() -> Path:
    """Return the Python that has quixstreams, after installing it if it is not there.

    Raises:
        UnavailableError: it cannot be installed here.
    """
    python = HOME / "bin" / "python"
    done = HOME / "complete"
    if not done.exists():
        uv = str(Path(sys.executable).with_name("uv"))
        for command in (
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(HOME)],
            [uv, "pip", "install", "--quiet", "--python", str(python), f"quixstreams=={VERSION}", "orjson"],
        ):
            try:
                subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_S)
            except (OSError, subprocess.SubprocessError) as error:
                raise UnavailableError("quixstreams cannot be installed") from error
        done.touch()
    return python


def start(place: Place) -> Start:
    """Start this file in the peer's environment."""
    environ = {**place.environ(), "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    return Start((str(install()), "-m", "tests.bench.peers.quix"), environ)


CANDIDATE = Candidate("quixstreams", f"quixstreams {VERSION}, RocksDB", "small", "exactly once", start)

if __name__ == "__main__":
    run(Place.told())

"""live-segments: the product's own command, the full job."""

from __future__ import annotations

import re
import socket
import sys
import urllib.request
from pathlib import Path

from models.features import FEATURES
from tests.bench.peers.candidate import Candidate, Place, Start

PRODUCT = (str(Path(sys.executable).with_name("live-segments")), "worker")
"""A supervisor and its child."""
_SAMPLE = re.compile(rb'^live_segments_stage_seconds_total\{stage="(\w+)"\} (\S+)$', re.MULTILINE)


def start(place: Place) -> Start:
    """Start a worker under its defaults: the shipped audiences, exactly once."""
    port = free_port()
    environ = {
        "KAFKA_BOOTSTRAP": place.bootstrap,
        "LIVE_SEGMENTS_APP_ID": place.group,
        "LIVE_SEGMENTS_PARTITIONS": str(place.partitions),
        "LIVE_SEGMENTS_HANDOVER_TIMEOUT_MS": "0",  # nobody takes over
        "LIVE_SEGMENTS_WEB_PORT": str(port),
    }
    return Start(PRODUCT, environ, lambda: stages(port))


def stages(port: int) -> dict[str, float]:
    """Return the CPU seconds by stage that a worker's page shows."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        return {name.decode(): float(seconds) for name, seconds in _SAMPLE.findall(page.read())}


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


CANDIDATE = Candidate(
    "live-segments",
    "live-segments",
    f"full: {len(FEATURES)} features, behaviour segments, the shipped audiences, changes with reasons",
    "exactly once",
    start,
    ("clicks", "product-views", "purchases"),
    emits=False,
)

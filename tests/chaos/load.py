"""The load: a process that sends the shop's records at a steady rate and knows exactly what was stored.

Run as `python -m tests.chaos.load BOOTSTRAP RATE CUSTOMERS SEED TURNOVER RESULT`. It sends until stdin ends,
waits until all is stored, and writes the counts as JSON to RESULT.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Producer

from streams.clock import SystemClock
from tests.chaos.shop import EXPECT, Input, Shop

ROOT = Path(__file__).resolve().parents[2]
FLUSH_S = 180.0
"""How long the last records may take; a cluster that is well again needs seconds."""
STEP_S = 0.02


class Sender:
    """An idempotent producer that waits for brokers for ever and counts what they have confirmed."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "acks": "all",
                "partitioner": "murmur2_random",
                "linger.ms": 20,
                "message.timeout.ms": 0,
                "queue.buffering.max.messages": 2_000_000,
                "queue.buffering.max.kbytes": 2_000_000,
                "reconnect.backoff.max.ms": 1000,
                "log_level": 2,
            }
        )
        self.stored: Counter[str] = Counter()
        """Records by `topic/partition`."""
        self.customers: dict[str, Counter[str]] = {}
        """Confirmed records by customer and topic, those to be counted only."""
        self.expected: Counter[str] = Counter()
        """Records that are not simply counted, by kind."""
        self.refused: list[str] = []

    def send(self, record: Input) -> None:
        """Hand a record to the producer."""
        headers = None if record.expect is None else [(EXPECT, record.expect)]

        def done(error: Any, message: Any) -> None:
            self._stored(record, error, message)

        self._producer.produce(record.topic, record.value, record.key, headers=headers, on_delivery=done)

    def _stored(self, record: Input, error: Any, message: Any) -> None:
        if error is not None:
            self.refused.append(str(error))
            return
        self.stored[f"{record.topic}/{message.partition()}"] += 1
        if record.expect is None:
            self.customers.setdefault(record.key.decode(), Counter())[record.topic] += 1
        else:
            self.expected[record.expect.decode()] += 1

    def poll(self, seconds: float) -> None:
        """Take in confirmations for so long."""
        self._producer.poll(seconds)

    def finish(self) -> dict[str, Any]:
        """Wait for the last confirmations and return all counts."""
        unsent = self._producer.flush(FLUSH_S)
        return {
            "stored": self.stored,
            "customers": self.customers,
            "expected": self.expected,
            "unsent": unsent,
            "refused": self.refused[:10],
        }


def run(sender: Sender, shop: Shop, rate: float, turnover: float, stop: threading.Event) -> None:
    """Send `rate` records a second, of which `turnover` customers are new, until told to stop."""
    clock = SystemClock()
    started = time.monotonic()
    visits = turns = 0
    while not stop.is_set():
        elapsed = time.monotonic() - started
        now_ms = clock.now_ms()
        for _ in range(int(elapsed * rate) - visits):
            visits += 1
            for record in shop.visit(now_ms):
                sender.send(record)
        for _ in range(int(elapsed * turnover) - turns):
            turns += 1
            for record in shop.turn_over(now_ms):
                sender.send(record)
        sender.poll(0)
        stop.wait(STEP_S)


def main(arguments: list[str]) -> None:
    """Send until stdin ends."""
    bootstrap, rate, customers, seed, turnover, result = arguments
    stop = threading.Event()

    def wait() -> None:
        sys.stdin.buffer.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    sender = Sender(bootstrap)
    run(sender, Shop(int(seed), int(customers)), float(rate), float(turnover), stop)
    Path(result).write_bytes(orjson.dumps(sender.finish()))


class Load:
    """The load's process, seen from the run."""

    def __init__(
        self, bootstrap: str, *, rate: float, customers: int, seed: int, turnover: float, folder: Path
    ) -> None:
        self._result = folder / "sent.json"
        arguments = [bootstrap, rate, customers, seed, turnover, self._result]
        with (folder / "load.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.load", *map(str, arguments)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Return whether it still sends."""
        return self._process.poll() is None

    def finish(self) -> dict[str, Any]:
        """Stop sending, wait until everything is stored, and return the counts."""
        self._process.communicate(timeout=FLUSH_S + 30)
        counts: dict[str, Any] = orjson.loads(self._result.read_bytes())
        return counts

    def kill(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


if __name__ == "__main__":
    main(sys.argv[1:])

"""Write events at a steady rate: `python -m tests.bench.feeder`; a process of its own, cheap per event.

The id of an event tells when it was produced, in epoch milliseconds: `at_ms` reads it back.
"""

from __future__ import annotations

import argparse
import random
import re
import time

import orjson
from confluent_kafka import Producer

from streams.clock import SystemClock
from streams.codec.hashing import partition_for
from streams.records import INPUT_TOPICS
from tests.bench.common import out
from tests.bench.events import KINDS, event

PREPARED = 20_000
"""Different events, sent again and again with new ids and times."""
TICK_S = 0.005
_AT = re.compile(rb'"event_id":"at(\d{13})-')


def at_ms(record: bytes) -> int | None:
    """Return when the event that is named in a record was produced; None if it names none of ours."""
    found = _AT.search(record)
    return int(found[1]) if found else None


def prepared(customers: int, partitions: int, seed: int) -> list[tuple[str, bytes, bytes, int]]:
    """Return topic, value (with room for an id and a time), key and partition of the events."""
    rng = random.Random(seed)
    made = []
    for _ in range(PREPARED):
        name, kind = f"c{rng.randrange(customers):07d}", rng.choice(KINDS)
        fields = event(0, name, kind, 0, rng) | {"event_id": "@id", "occurred_at": "@ms"}
        if kind == KINDS[-1]:
            fields["order_id"] = "@id"
        value = orjson.dumps(fields).replace(b"%", b"%%")
        value = value.replace(b"@id", b"at%(ms)d-%(n)d").replace(b'"@ms"', b"%(ms)d")
        key = name.encode()
        made.append((INPUT_TOPICS[kind], value, key, partition_for(key, partitions, "murmur2")))
    return made


def main() -> None:
    """Feed and print how many events were sent and how many seconds that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--customers", type=int, required=True)
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    producer = Producer({"bootstrap.servers": options.bootstrap, "linger.ms": 2, "acks": "all"})
    events = prepared(options.customers, options.partitions, options.seed)
    clock, began, sent = SystemClock(), time.monotonic(), 0
    while (elapsed := time.monotonic() - began) < options.seconds:
        now_ms = clock.now_ms()
        for n in range(sent, int(elapsed * options.rate)):
            topic, value, key, partition = events[n % PREPARED]
            try:
                producer.produce(topic, value % {b"ms": now_ms, b"n": n}, key, partition)
            except BufferError:
                break  # the broker does not keep up: what is left is sent later, and counts as late
            sent += 1
        producer.poll(0)
        time.sleep(TICK_S)
    producer.flush()
    out(f"{sent} {time.monotonic() - began:.3f}")


if __name__ == "__main__":
    main()

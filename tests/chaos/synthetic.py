"""A small read-out of all topics as an exact run would leave it, for tests to put faults into."""

from __future__ import annotations

import json
import struct
from hashlib import sha256
from typing import Any

from tests.chaos import rows
from tests.chaos.expected import INPUTS, Message

CUSTOMERS = ("anna", "bert")
"""On partition 0 and 1; each clicks three times, looks once and buys once, enters b-1 and moves to b-2."""
GONE = "gone"
"""On partition 0: clicks three times, enters b-1, is erased."""
DEAD_AT = 5
"""Offset on `clicks`, partition 1."""


def block(size: int, values: dict[int, tuple[str, int]]) -> bytes:
    """Return a block of a row with values at byte offsets."""
    data = bytearray(size + 1)
    data[0] = rows.ROW_VERSION
    for offset, (form, value) in values.items():
        struct.pack_into(form, data, offset + 1, value)
    return bytes(data)


def hot(**values: int) -> bytes:
    """Return a hot block."""
    return block(rows.HOT_BYTES, {rows.HOT[name]: ("<I", value) for name, value in values.items()})


def cold(orders: int, money: int) -> bytes:
    """Return a cold block."""
    return block(
        rows.COLD_BYTES,
        {
            rows.COLD["orders"]: ("<I", orders),
            rows.COLD["items"]: ("<I", orders),
            rows.COLD_MONEY["money_gross"]: ("<q", money),
        },
    )


def frame(**header: Any) -> bytes:
    """Return a model or delta of which only the header is real."""
    text = json.dumps(header).encode()
    return struct.pack("<4sHHIQ", b"LSxx", 1, 0, len(text), 0) + bytes(32) + text


def change(
    name: str,
    partition: int,
    offset: int,
    sequence: int,
    previous: str | None,
    following: str | None,
    **other: Any,
) -> Message:
    """Return a change record: a first entry, half of a move, or (following None) an exit."""
    left = other.pop("left", following is None)
    properties = {
        "audience_key": previous if left else following,
        "change": "left" if left else "entered",
        "previous_segment": previous,
        "next_segment": following,
        "segment_set": "behaviour",
        "move_id": f"move-{name}" if previous and following else None,
        "sequence": sequence,
        "cause": "erasure" if following is None else "event",
    } | other
    value = {"userId": name, "messageId": f"{name}-{sequence}", "properties": properties}
    return Message("segment-changes", partition, offset, name.encode(), json.dumps(value).encode())


class ReadOut:
    """The records of all topics, by topic, to be changed and fed to a checker."""

    def __init__(self) -> None:
        self.topics: dict[str, list[Message]] = {}
        self._places: dict[tuple[str, int], int] = {}
        for partition, name in enumerate(CUSTOMERS):
            self._customer(partition, name)
        self._erased()
        self._dead()
        self._state()
        self.topics["model-deltas"] = [
            Message("model-deltas", 0, offset, b"0", frame(rows=rows_))
            for offset, rows_ in ((0, 2), (2, 1), (4, 9))
        ]
        self.topics["models"] = [
            Message("models", 0, 2 * i, b"m", frame(version=i + 1, rows=count, positions=[[0, upto]]))
            for i, (count, upto) in enumerate(((2, 0), (3, 2)))
        ]

    def put(
        self, topic: str, partition: int, key: bytes, value: bytes | None, expect: bytes | None = None
    ) -> int:
        """Append a record and return its offset."""
        offset = self._places.get((topic, partition), 0)
        self._places[topic, partition] = offset + 1
        self.topics.setdefault(topic, []).append(Message(topic, partition, offset, key, value, expect))
        return offset

    def _customer(self, partition: int, name: str) -> None:
        key = name.encode()
        for topic in ("clicks", "clicks", "clicks", "product-views"):
            self.put(topic, partition, key, b"{}")
        order = {"items": [{"quantity": 1, "unit_price": 2.5}]}
        self.put("purchases", partition, key, json.dumps(order).encode())
        if partition == 1:
            self.put("clicks", partition, key, b"{}", b"duplicate")
        moves: tuple[tuple[int, str | None, str, bool], ...] = (
            (1, None, "b-1", False),
            (2, "b-1", "b-2", True),
            (3, "b-1", "b-2", False),
        )
        for sequence, previous, following, left in moves:
            record = change(name, partition, 0, sequence, previous, following, left=left)
            self.put(record.topic, partition, key, record.value)
        now = {"sequence": 3, "behaviour": {"segment_id": "b-2"}, "audiences": []}
        self.put("segments", partition, key, json.dumps(now).encode())
        state = hot(events=5, views=1, clicks=3, sequence=3, behaviour=2)
        self.put("profiles-changelog", partition, b"h" + key, state)
        self.put("profiles-changelog", partition, b"c" + key, cold(1, 25_000))

    def _erased(self) -> None:
        key = GONE.encode()
        for _ in range(3):
            self.put("clicks", 0, key, b"{}")
        self.put("customers", 0, key, b"{}", b"erase")
        for record in (change(GONE, 0, 0, 1, None, "b-1"), change(GONE, 0, 0, 2, "b-1", None)):
            self.put(record.topic, 0, key, record.value)
        self.put("segments", 0, key, None)
        self.put("profiles-changelog", 0, b"h" + key, None)
        self.put("profiles-changelog", 0, rows.erased_key(GONE), struct.pack("<qI", 1, 2))

    def _dead(self) -> None:
        for _ in range(DEAD_AT - 4):
            self.put("clicks", 1, b"bert", b"{}", b"duplicate")
        offset = self.put("clicks", 1, b"bert", b"not json", b"dead")
        letter = {
            "topic": "clicks",
            "partition": 1,
            "offset": offset,
            "raw_sha256": sha256(b"not json").hexdigest(),
        }
        self.put("dead-letters", 1, b"bert", json.dumps(letter).encode())

    def _state(self) -> None:
        for partition, (counted, dead, duplicates) in enumerate(((9, 0, 0), (5, 1, 2))):
            meta = {
                "positions": {
                    t: self._places[t, partition] for t in INPUTS if (t, partition) in self._places
                },
                "counted": counted,
                "dead": dead,
                "duplicates": duplicates,
                "erased": 0,
            }
            self.put("profiles-changelog", partition, b"m", json.dumps(meta).encode())

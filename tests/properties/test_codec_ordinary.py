"""Reading ordinary records in one go says what the parser says of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.events import Events
from streams.codec.events import Decoded, Decoder
from streams.codec.hashing import PARTITIONERS, partition_for
from streams.codec.schemas import SCHEMAS, Line
from streams.records import CLICKS, CUSTOMERS, PURCHASES, VIEWS, RawBatch, RawList
from tests.codec_samples import NOW_MS, PARTITIONS, RULES, rows

Drawn = tuple[int, bytes | None, bytes | None, int, int]
"""Topic, key, value, timestamp, and what to add to the partition."""

PLAIN = ['"a"', '"web"', '"search"', '"rating"', '"refund"', '"purchase"', '"EUR"', '"GBP"', '"x y"']
TEXTS = [
    '""', "null", '"Zoë"', '"\\u00e9"', '"\\n"', '"a\\"b"', '"\x7f"', '"\x01"', '"\t"', "5", "{}", "[]",
    '"' + "x" * 256 + '"', '"' + "x" * 257 + '"', '"{\\"a\\":1}"', '"a,b:c}"', "'a'", '"open', "nul", "nullx",
]  # fmt: skip
USUAL = ["1", "2", "3.5", "9.99", "10.0"]
NUMBERS = [
    "0", "5", "1.5", "2.0", "0.1", "10", "10.1", "86400", "86400.5", "1000000", "0.00005", "2.00005",
    "0.00015",
    "1000001", "-0", "-1", "01", "00", "1.", ".5", "1e3", "1E-2", "0.30000000000000004", "1.000000000000001",
    "123456789012345", "1234567890123456", "100000000000", "100000000000.01", "+1", "1x", "1 2",
    "null", "true", "false", '"4"', "NaN", "{}", "[1]",
]  # fmt: skip
GOOD_TIMES = [
    str(NOW_MS), '"2026-03-01T12:34:00Z"', '"2026-03-01T12:34:00.123Z"', '"2026-03-01T12:34:00.123456Z"',
    '"2026-03-01T14:34:00+02:00"', '"2026-03-01T14:34:00.123+02:00"', '"2024-02-29T14:34:00.123456-02:30"',
]  # fmt: skip
TIMES = [
    '"2026-03-01T12:34:00.5Z"', '"2026-03-01 12:34:00Z"', '"2023-02-29T12:34:00Z"', '"2100-02-29T12:34:00Z"',
    '"2026-04-31T12:34:00Z"', '"2026-03-01T24:34:00Z"', '"2026-03-01T12:60:00Z"', '"1999-12-31T23:59:60Z"',
    '"2026-13-01T12:34:00Z"', '"0000-03-01T12:34:00Z"', '"2026-03-01T12:34:00"', '"2026-03-01T12:34:00+0200"',
    '"2026-03-01T14:34:00*02:00"', '"2026-03-01T14:34:00+24:00"', '"2026-03-0xT12:34:00Z"',
    '"1989-12-31T23:59:59Z"', '"2149-01-01T00:00:00Z"', '"9999-12-31T23:59:59Z"', '""', "null", f"{NOW_MS}.0",
    "1e12", "-5", "1772368440", str(NOW_MS + 300_000), str(NOW_MS + 300_001), str(2**70), "0", f"0{NOW_MS}",
    "999999999999999", "9007199254740993",
]  # fmt: skip
UNKNOWN = [
    "1", "-1", '"x"', "null", "true", "false", "1e5", "{}", "[1,2]", '{"a":{}}', "1.25", '"é"', "tru", "-",
    "1e999",
]  # fmt: skip
FOREIGN = ["page", "url", "", "pricey", "pric", "quantity", "é", "\\u0061", "erase"]
ITEMS = ["null", "[]", "[null]", "{}", "[{}]", "[ {} , {} ]", "[{},]", "[1]", "[[]]", "5", "[{}", '[{"a":1}]']
NUMERIC = {"rating", "price", "dwell_seconds", "total", "unit_price", "discount", "quantity"}
BLANKS = ["", "", "", " ", "\n", "\t \r"]
BREAKS = [b'"', b",", b"{", b"}", b"\\", b"0", b"\xc3\xa9", b"\xff", b"", b" "]


class Draw(Random):
    """Writes records of which most are as they should be, and some are not, in any way."""

    def rarely(self, once_in: int = 10) -> bool:
        """Return True now and then."""
        return self.randrange(once_in) == 0

    def value(self, name: str) -> str:  # noqa: PLR0911 - one for each kind of field
        """Return a value for a field."""
        if name == "occurred_at":
            return self.choice(TIMES if self.rarely() else GOOD_TIMES)
        if name in NUMERIC:
            price = f"{self.randrange(10**6) / 10 ** self.randrange(6)!r}"
            return self.choice(NUMBERS if self.rarely(5) else [*USUAL, price])
        if name == "items" and not self.rarely():
            lines = [self.object(self.some(Line.__struct_fields__)) for _ in range(self.randrange(1, 4))]
            return f"[{self.choice(BLANKS)}{','.join(lines)}]"
        if name == "items":
            return self.choice(ITEMS)
        if name == "kind" and not self.rarely():
            return self.choice(['"purchase"', '"refund"'])
        if name in {"attributes", "erase"}:
            return self.choice(["null", "{}", '{"city":"Lyon"}', "true", "false", "1"])
        return self.choice(TEXTS if self.rarely(20) else PLAIN)

    def some(self, names: Sequence[str]) -> list[str]:
        """Return members of an object, perhaps an unknown one or one that is there twice."""
        chosen = self.sample(names, self.randrange(len(names) + 1))
        if self.rarely(20) and chosen:
            chosen.append(chosen[0])
        members = [self.member(name, self.value(name)) for name in chosen]
        if self.rarely(6):
            members.append(self.member(self.choice(FOREIGN), self.choice(UNKNOWN)))
        return members

    def member(self, name: str, value: str) -> str:
        """Return a member of an object."""
        spaced = self.rarely(4)
        return (
            f'"{name}"{self.choice(BLANKS)}:{self.choice(BLANKS)}{value}' if spaced else f'"{name}":{value}'
        )

    def object(self, members: list[str]) -> str:
        """Return an object."""
        comma = f"{self.choice(BLANKS)},{self.choice(BLANKS)}" if self.rarely(4) else ","
        return f"{{{comma.join(members)}{self.choice(BLANKS)}}}"

    def record(self) -> Drawn:
        """Return a record."""
        topic = self.choice([CLICKS, VIEWS, PURCHASES, PURCHASES, CUSTOMERS])
        customer = self.choice(["c-1"] * 8 + ["Zoë", "x" * 256, "x" * 257, ""])
        needed = ["event_id", "occurred_at", *(["order_id"] if topic == PURCHASES else [])]
        members = [self.member(name, self.value(name)) for name in needed]
        members.append(self.member("customer_id", f'"{customer}"'))
        others = [name for name in SCHEMAS[topic].__struct_fields__ if name not in {*needed, "customer_id"}]
        members += self.some(others)
        if self.rarely(2):
            self.shuffle(members)
        if self.rarely(20):
            members.pop()
        blank = self.choice([*BLANKS, "\x00", "x", ",", "{}"]) if self.rarely() else ""
        value: bytes | None = f"{self.choice(BLANKS)}{self.object(members)}{blank}".encode()
        if self.rarely():
            value = self.broken(value or b"")
        key = self.choice([None, b"c-9", b"", b"\xff", b"k" * 257]) if self.rarely(20) else customer.encode()
        timestamp = self.choice([NOW_MS, NOW_MS, 0, NOW_MS + 10**7])
        return topic, key, value, timestamp, int(self.rarely(20))

    def broken(self, value: bytes) -> bytes | None:
        """Return a value that is damaged."""
        at = self.randrange(len(value))
        damaged = [value[:at], value[:at] + self.choice(BREAKS) + value[at + self.randrange(2) :], None]
        return self.choice([*damaged, damaged[1], damaged[1], self.randbytes(at)])


def batch(records: list[Drawn], partitioner: str) -> RawBatch:
    """Return the records as a batch."""
    raw = RawList()
    for i, (topic, key, value, timestamp, wrong) in enumerate(records):
        place = (partition_for(key or b"", PARTITIONS, partitioner) + wrong) % PARTITIONS
        raw.append(place, topic, i, timestamp, key, value)
    return raw.batch()


def assert_same(found: Decoded, expected: Decoded) -> None:
    """Compare everything, the types of the columns too."""
    assert expected.dead == found.dead
    assert expected.unknown_fields == found.unknown_fields
    assert expected.events.source.tolist() == found.events.source.tolist()
    assert rows(expected.events) == rows(found.events)
    for field in fields(Events):
        one, other = getattr(expected.events, field.name), getattr(found.events, field.name)
        assert type(one) is type(other)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**64), st.sampled_from(PARTITIONERS), st.booleans())
def test_both_ways_say_the_same(seed: int, partitioner: str, check_future: bool) -> None:
    """Whatever the records are, the columns, dead letters and counts are those of the parser."""
    draw = Draw(seed)
    raw = batch([draw.record() for _ in range(draw.randrange(60))], partitioner)
    decoder = Decoder(replace(RULES, partitioner=partitioner, check_future=check_future))

    found = decoder.decode(raw, NOW_MS)

    assert_same(found, decoder.parse(raw, NOW_MS))


def test_most_of_them_are_read_in_one_go() -> None:
    """Else nothing would be compared."""
    draw = Draw(1)
    raw = batch([draw.record() for _ in range(1000)], "murmur2")

    read = Decoder(RULES)._reader.read(raw, 0, NOW_MS)

    assert read is not None
    topics = np.bincount(raw.topic[read.ordinary], minlength=3)
    assert topics.min() > 10, topics

"""The input contract: values that are no record at all."""

from __future__ import annotations

import json
import random

import pytest

from streams.codec.events import Decoder
from streams.records import PURCHASES, VIEWS, RawList
from tests.codec_samples import (
    CUSTOMER,
    NOW_MS,
    RULES,
    TOPICS,
    add,
    body,
    decode,
    decode_one,
    part,
    refusal,
)


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not_json"), (b"{", "not_json"), (b"nonsense", "not_json"), (b"\xff\xfe\x00", "not_json"),
        (b'{"event_id": NaN}', "not_json"), (b'{"event_id": Infinity}', "not_json"), (b"{} {}", "not_json"),
        (b"null", "null_value"), (b"[]", "wrong_type"), (b"7", "wrong_type"), (b'"text"', "wrong_type"),
        (b'{"event_id": 1', "not_json"),
        (b'{"x":' * 100_000, "too_deep"), (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
        (b" " * (2**20 + 1), "too_large"),
    ],
)  # fmt: skip
def test_values_that_are_no_record(topic: int, value: bytes, reason: str) -> None:
    """Values that are no JSON object of a sane size are refused for what they are."""
    assert refusal(decode_one(topic, value)) == (reason, None)


def test_invalid_utf8_in_a_text_is_not_json() -> None:
    """A known text that is not UTF-8 is refused."""
    value = json.dumps(body(VIEWS, brand="?")).encode().replace(b"?", b"\xff")

    assert refusal(decode_one(VIEWS, value)) == ("not_json", None)


def test_exactly_1_mib_is_accepted() -> None:
    """A record of 1 MiB is read, one byte more is too_large, good as it may be."""
    value = json.dumps(body(VIEWS)).encode()

    assert len(decode_one(VIEWS, value.ljust(2**20)).events) == 1
    assert refusal(decode_one(VIEWS, value.ljust(2**20 + 1))) == ("too_large", None)


def test_values_do_not_run_into_each_other() -> None:
    """Two values that would make two records only when joined are two dead letters."""
    good = json.dumps(body(VIEWS)).encode()
    raw = RawList()
    for value in (good, good + b"," + good[:-1] + b',"x":"}', b'{","y":1}', b"1},{2", good):
        add(raw, VIEWS, value)
    decoded = decode(raw)

    assert decoded.events.source.tolist() == [0, 4]
    assert [letter.reason.value for letter in decoded.dead] == ["not_json"] * 3


def test_dead_letters_hold_no_customer() -> None:
    """The detail of a dead letter never quotes the record."""
    values = [
        body(VIEWS, occurred_at=CUSTOMER),
        body(PURCHASES, kind=CUSTOMER),
        body(PURCHASES, currency=CUSTOMER),
    ]
    for value in values:
        (letter,) = decode_one(PURCHASES if "order_id" in value else VIEWS, value).dead

        assert CUSTOMER not in letter.detail


def test_10000_fuzzed_among_10000_good() -> None:
    """All good records among as many bad ones are accepted, all bad ones are dead letters with a reason."""
    rng = random.Random(7)
    good = [json.dumps(body(topic, number)).encode() for number in range(2500) for topic in TOPICS]
    bad: list[bytes] = []
    for value in good:
        cut = rng.randrange(1, len(value) - 1)
        bad.append(
            rng.choice(
                [
                    rng.randbytes(rng.randrange(40)),
                    value[:cut],
                    value.replace(b'"e-', b'1e999,"_":"'),
                    value.replace(b'"e-', b'NaN,"_":"'),
                    value.replace(b'"event_id"', b'"_"'),
                    value.replace(b'"c-1"', b'"c-2"'),
                    b'{"a":' * rng.randrange(1, 3000),
                ]
            )
        )
    bad[5000] = b'"' + b"x" * 2**20 + b'"'
    stream = [(value, True, i % 4) for i, value in enumerate(good)] + [
        (v, False, i % 4) for i, v in enumerate(bad)
    ]
    rng.shuffle(stream)
    raw = RawList()
    for value, _, topic in stream:
        add(raw, topic, value)
    decoder = Decoder(RULES)
    accepted: list[int] = []
    dead: list[int] = []
    for start in range(0, len(raw), 1000):
        decoded = decoder.decode(part(raw.batch(), start, start + 1000), NOW_MS)
        accepted += (decoded.events.source + start).tolist()
        dead += [letter.index + start for letter in decoded.dead if letter.reason.meaning]

    assert accepted == [i for i, (_, is_good, _) in enumerate(stream) if is_good]
    assert dead == [i for i, (_, is_good, _) in enumerate(stream) if not is_good]


def test_empty_batch() -> None:
    """Nothing in, nothing out."""
    decoded = decode(RawList())

    assert (len(decoded.events), decoded.dead, decoded.unknown_fields) == (0, [], 0)

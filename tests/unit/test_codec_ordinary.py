"""The compiled ways of the codec, each beside the plain one."""

from __future__ import annotations

import re
from hashlib import blake2b
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.events import I32, I64, U8
from models.packed import MARGIN
from streams.codec import time_kernel, vocabulary
from streams.codec.events import Decoder
from streams.codec.hash_kernels import are_keys, hash64_spans, murmur2_each
from streams.codec.hashing import hash64, murmur2
from streams.codec.scan_terms import LINE_NUMBERS, LINE_TEXTS, NUMBERS, TEXTS, schema_terms
from streams.codec.scan_types import LINE, RECORD
from streams.codec.times import INVALID, parse_time
from streams.codec.vocabulary import FULL, Vocabulary
from streams.records import CLICKS, PURCHASES, VIEWS, RawList
from tests.codec_samples import NOW_MS, RULES, add, body, rows


def spans_of(texts: list[bytes]) -> tuple[U8, I32, I64]:
    """Return texts in one buffer, where each lies, and where each ends."""
    lengths = np.array([len(text) for text in texts], np.int64)
    ends = np.cumsum(lengths)
    spans = np.column_stack([ends - lengths, lengths]).astype(np.int32)
    return np.frombuffer(b"".join(texts) + bytes(MARGIN), np.uint8), spans, ends


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300) | st.integers(0, 600).map(b"x".__mul__), max_size=20))
def test_hashes(texts: list[bytes]) -> None:
    """The compiled hashes are those of the libraries."""
    buffer, spans, ends = spans_of(texts)

    hashes = hash64_spans(buffer, spans)

    digests = [blake2b(text, digest_size=8).digest() if text else bytes(8) for text in texts]
    assert [int.from_bytes(digest, "little") for digest in digests] == hashes.tolist()
    assert [murmur2(text) for text in texts] == murmur2_each(buffer, ends).tolist()


def test_hash_of_an_id() -> None:
    """It is the number that other programs are told."""
    buffer, spans, _ = spans_of([b"e-1"])

    assert hash64_spans(buffer, spans).tolist() == [hash64("e-1")]


def test_keys() -> None:
    """A text is its key when all its bytes are."""
    buffer, spans, _ = spans_of([b"a", b"bc", b"bc", b"", b"d"])
    keys, _, ends = spans_of([b"a", b"bd", b"bc", b"", b""])

    assert are_keys(buffer, spans, keys, ends).tolist() == [True, False, True, True, False]


TIMES = st.builds(
    "{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}{}{}".format,
    st.sampled_from([0, 1, 1900, 1970, 1999, 2000, 2023, 2024, 2100, 9999]),
    st.integers(0, 13),
    st.integers(0, 32),
    st.sampled_from("TTTt "),
    st.integers(0, 24),
    st.integers(0, 60),
    st.integers(0, 61),
    st.sampled_from(["", "", ".1", ".123", ".123456", ".999999", ",123", ".12x"]),
    st.sampled_from(["Z", "Z", "z", "+00:00", "-02:30", "+23:59", "+24:00", "+01:60", "*01:00", "+0100", ""]),
)

USUAL = re.compile(r".{10}T.{6}[0-5]\d(\.\d{3}|\.\d{6})?(Z|[+-]\d\d:\d\d)")


@settings(deadline=None)
@given(st.lists(TIMES, max_size=30))
def test_times(texts: list[str]) -> None:
    """A text of a usual form is what it is to the plain parser; no other text gets a time."""
    buffer, spans, _ = spans_of([text.encode() for text in texts])

    found = time_kernel.time_spans(buffer, spans).tolist()

    assert found == [parse_time(text) if USUAL.fullmatch(text) else INVALID for text in texts]


def test_every_field_has_its_place() -> None:
    """The kernel's records have a column for each field that is read."""
    terms = schema_terms()[0]

    assert len(TEXTS) == RECORD["spans"].shape[0]
    assert len(NUMBERS) == RECORD["numbers"].shape[0]
    assert len(LINE_TEXTS) == LINE["spans"].shape[0]
    assert len(LINE_NUMBERS) == LINE["numbers"].shape[0]
    assert set(terms["span"][terms["span"] >= 0].tolist()) == set(range(len(TEXTS)))
    assert terms["number"].max() == len(NUMBERS) - 1


def test_names_are_numbered_once() -> None:
    """A name has the same number in every chunk, and no name has 0."""
    names = Vocabulary(lambda name: len(name or ""))
    buffer, spans, _ = spans_of([b"web", b"", b"app", b"web"])

    first = names.numbers(buffer, spans.reshape(2, 2, 2))
    names.make_room()
    second = names.numbers(buffer, spans.reshape(4, 1, 2))

    assert first.tolist() == [[1, 0], [2, 1]]
    assert second.tolist() == [[1], [0], [2], [1]]
    assert names.texts == [None, "web", "app"]
    assert names.marks[:3].tolist() == [0, 3, 3]


@pytest.mark.parametrize("length", [5, 250])
def test_full_vocabulary(length: int) -> None:
    """Names that there is no room for have no number; at the next chunk there is room again."""
    names = Vocabulary(lambda _: 0)
    buffer, spans, _ = spans_of([f"{i:0{length}}".encode() for i in range(vocabulary.MOST + 5)])

    found = names.numbers(buffer, spans[:, None])[:, 0]

    full = np.flatnonzero(found == FULL)
    assert 5 <= len(full) < vocabulary.MOST
    assert np.array_equal(full, np.arange(full[0], len(found)))
    assert names.texts[-1] == f"{full[0] - 1:0{length}}"
    names.make_room()
    assert names.numbers(buffer, spans[-1:, None]).tolist() == [[1]]


def test_more_than_there_is_room_for() -> None:
    """What finds no room, in the vocabulary or among the lines, is decoded all the same."""
    raw, draw = RawList(), Random(1)
    for number in range(vocabulary.MOST // 2):
        add(raw, VIEWS, body(VIEWS, number, category=f"c{number}", brand=f"b{number}", channel=f"{number}"))
        if draw.random() < 0.1:
            add(raw, PURCHASES, body(PURCHASES, number, items=[{"unit_price": 1, "quantity": 2}] * 60))
    decoder = Decoder(RULES)

    found = decoder.decode(raw.batch(), NOW_MS)

    assert rows(decoder.parse(raw.batch(), NOW_MS).events) == rows(found.events)
    assert len(found.events) == len(raw)


def test_plain_records_are_ordinary() -> None:
    """The records of the samples, and those with nulls and unknown fields, need no parser."""
    raw = RawList()
    for topic in (CLICKS, VIEWS, PURCHASES):
        add(raw, topic, body(topic))
        add(raw, topic, body(topic, channel=None, page="x", age=5))

    read = Decoder(RULES)._reader.read(raw.batch(), 0, NOW_MS)

    assert read is not None
    assert read.ordinary.all()
    assert read.extended.tolist() == [False, True] * 3

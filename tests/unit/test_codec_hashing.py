"""Hashes agree with the programs that must agree with us."""

from __future__ import annotations

from hashlib import blake2b

import pytest
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from confluent_kafka import Message, Producer

from streams.codec.hashing import SessionHashes, hash64, hash64_many, murmur2, partition_for, partitions_for

JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""From Apache Kafka's UtilsTest.testMurmur2."""


@pytest.mark.parametrize(("key", "signed"), JAVA.items())
def test_murmur2_is_that_of_java_clients(key: bytes, signed: int) -> None:
    """murmur2 returns the numbers of Kafka's own test."""
    assert murmur2(key) == signed % 2**32


@pytest.mark.parametrize("length", [*range(20), 63, 64, 65, 255, 256])
def test_murmur2_is_that_of_aiokafka(length: int) -> None:
    """murmur2 agrees with aiokafka's on keys of any length and byte."""
    key = bytes((7 * i + 200) % 256 for i in range(length))

    assert murmur2(key) == aiokafka_murmur2(key) % 2**32


@pytest.mark.parametrize("partitioner", ["murmur2", "crc32"])
def test_columns_agree_with_single_keys(partitioner: str) -> None:
    """partitions_for is partition_for of each key, whatever the lengths in one call, zero bytes included."""
    keys = [bytes((i * 31 + j) % 256 for j in range(i % 70)) + b"\0" * (i % 3) for i in range(300)]

    expected = [partition_for(key, 7, partitioner) for key in keys]

    assert partitions_for(keys, 7, partitioner).tolist() == expected
    assert partitions_for([], 7, partitioner).tolist() == []


@pytest.mark.parametrize(("ours", "librdkafka"), [("murmur2", "murmur2"), ("crc32", "consistent")])
def test_partitioners_are_those_of_librdkafka(ours: str, librdkafka: str) -> None:
    """A record produced through librdkafka lies where partition_for says."""
    placed: dict[bytes, int] = {}

    def delivered(error: object, message: Message) -> None:
        assert error is None
        key = message.key()
        partition = message.partition()
        assert isinstance(key, bytes)
        assert partition is not None
        placed[key] = partition

    producer = Producer({"test.mock.num.brokers": 1, "partitioner": librdkafka, "log_level": 0})
    keys = [f"customer-{i}".encode() for i in range(50)]
    for key in keys:
        producer.produce("clicks", b"", key, on_delivery=delivered)
    assert producer.flush(30) == 0
    partitions = len(producer.list_topics("clicks", timeout=10).topics["clicks"].partitions)

    assert partitions > 1
    assert placed == {key: partition_for(key, partitions, ours) for key in keys}


def test_unknown_partitioner_is_refused() -> None:
    """An unknown partitioner is an error that names those that are known."""
    with pytest.raises(ValueError, match="murmur2, crc32"):
        partition_for(b"a", 8, "random")
    with pytest.raises(ValueError, match="murmur2, crc32"):
        partitions_for([b"a"], 8, "random")


def test_hash64_is_blake2b() -> None:
    """hash64 is BLAKE2b of 8 bytes, little endian, and the same one by one and as a column."""
    texts = ["", "e-1", "é\U0001f600", "x" * 1000]

    expected = [int.from_bytes(blake2b(t.encode(), digest_size=8).digest(), "little") for t in texts]

    assert [hash64(text) for text in texts] == expected
    assert hash64_many(texts).tolist() == expected
    assert hash64_many([]).tolist() == []


def test_session_hashes_stay_right_beyond_their_limit() -> None:
    """SessionHashes forgets beyond its limit, and hashes the same again; no session is 0."""
    sessions = SessionHashes(limit=3)
    for start in range(0, 20, 5):
        texts = [f"s-{i}" for i in range(start, start + 5)]

        assert sessions.many([*texts, None, "", texts[0]]).tolist() == [
            *(hash64(text) for text in texts), 0, 0, hash64(texts[0])
        ]  # fmt: skip
    assert sessions.many(["s-0"]).tolist() == [hash64("s-0")]

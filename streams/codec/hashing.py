"""Hashes that other programs agree on: partitioners, and ids in 64 bits."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from models.events import I64, U64

MURMUR2, CRC32 = PARTITIONERS = ("murmur2", "crc32")
"""murmur2 is the default of Java clients, crc32 that of librdkafka (`consistent`)."""

_M = 0x5BD1E995
_SEED = 0x9747B28C
_MASK = 0xFFFFFFFF
_blake2b64 = blake2b(digest_size=8)
_LONG_KEY = 64
"""Longer keys are hashed one by one, so that one of them does not widen the table of all."""


def hash64(text: str) -> int:
    """Return the 64-bit hash of a text: BLAKE2b of 8 bytes, little endian, never 0 (0 becomes 1)."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") or 1


def hash64_many(texts: Sequence[str]) -> U64:
    """Return `hash64` of each text."""
    digests = []
    fresh = _blake2b64.copy  # setting up a hash costs more than a text of this length
    for text in texts:
        state = fresh()
        state.update(text.encode())
        digests.append(state.digest())
    hashes = np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)
    hashes[hashes == 0] = 1
    return hashes


def keyed64_many(keys: Sequence[bytes], secret: str) -> U64:
    """Return the 64-bit keyed hash of each customer id: BLAKE2b of 8 bytes, little endian.

    Whoever does not know the secret cannot tell whose hash it is by trying ids.
    """
    key = secret.encode()[:64]
    digests = b"".join([blake2b(one, digest_size=8, key=key).digest() for one in keys])
    return np.frombuffer(digests, "<u8").astype(np.uint64)


class SessionHashes:
    """`hash64` of session ids, remembered while the session lasts; an absent or empty id is 0.

    Holds at most `limit` ids; then it starts afresh.
    """

    def __init__(self, limit: int = 100_000) -> None:
        self._limit = limit
        self._known: dict[str | None, int] = {None: 0, "": 0}

    def many(self, sessions: Sequence[str | None]) -> U64:
        """Return the hash of each session id."""
        known = self._known
        if len(known) > self._limit:
            known = self._known = {None: 0, "": 0}
        hashes = list(map(known.get, sessions))
        if None in hashes:
            new = [text for text in set(sessions).difference(known) if text]
            known.update(zip(new, hash64_many(new).tolist(), strict=True))
            hashes = list(map(known.get, sessions))
        return np.fromiter(hashes, np.uint64, len(hashes))


def murmur2(key: bytes) -> int:
    """Return MurmurHash2 of a key as an unsigned 32-bit number.

    Source: `org.apache.kafka.common.utils.Utils.murmur2`, whose result is the same number as signed.
    """
    length = len(key)
    h = _SEED ^ length
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(key[i : i + 4], "little") * _M & _MASK
        h = (h * _M & _MASK) ^ ((k ^ k >> 24) * _M & _MASK)
    if whole < length:
        h = (h ^ int.from_bytes(key[whole:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_for(key: bytes, partitions: int, partitioner: str) -> int:
    """Return the partition that a producer with this partitioner puts a key in.

    Raises:
        ValueError: the partitioner is not known.
    """
    if partitioner == MURMUR2:
        return (murmur2(key) & 0x7FFFFFFF) % partitions
    if partitioner == CRC32:
        return zlib.crc32(key) % partitions
    raise ValueError(f"partitioner {partitioner!r}: allowed are {', '.join(PARTITIONERS)}")


def partitions_for(keys: Sequence[bytes], partitions: int, partitioner: str) -> I64:
    """Return `partition_for` of each key, computed as columns.

    Raises:
        ValueError: the partitioner is not known.
    """
    n = len(keys)
    if partitioner == CRC32:
        return np.fromiter(map(zlib.crc32, keys), np.int64, n) % partitions
    if partitioner != MURMUR2 or n == 0:
        return np.fromiter((partition_for(key, partitions, partitioner) for key in keys), np.int64, n)
    lengths = np.fromiter(map(len, keys), np.int64, n)
    width = min(int(lengths.max()), _LONG_KEY)
    table = np.array(keys, f"S{(width // 4 + 1) * 4}").view(np.uint8).reshape(n, -1).view("<u4")
    hashes = _murmur2_columns(table, lengths, width)
    for i in np.flatnonzero(lengths > _LONG_KEY).tolist():
        hashes[i] = murmur2(keys[i])
    return (hashes & np.uint32(0x7FFFFFFF)).astype(np.int64) % partitions


def _murmur2_columns(
    table: np.ndarray[tuple[int, int], np.dtype[np.uint32]], lengths: I64, width: int
) -> U64:
    """Return murmur2 of n keys of at most width bytes, zero-padded to whole words: table is (n, words)."""
    m = np.uint32(_M)
    h = np.uint32(_SEED) ^ lengths.astype(np.uint32)
    shortest = int(lengths.min())
    for word in range(width // 4):
        k = table[:, word] * m
        k ^= k >> np.uint32(24)
        mixed = h * m ^ k * m
        full = (word + 1) * 4
        h = mixed if full <= shortest else np.where(lengths >= full, mixed, h)
    whole = lengths // 4
    tail = table[np.arange(len(lengths)), np.minimum(whole, table.shape[1] - 1)]
    h = np.where(lengths % 4 != 0, (h ^ tail) * m, h)
    h = (h ^ h >> np.uint32(13)) * m
    return (h ^ h >> np.uint32(15)).astype(np.uint64)

"""Hashes of `streams.codec.hashing`, and a comparison, compiled: for many texts that lie in one buffer."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from models.compiled import compiled, kernel
from models.events import I64, U8, U64, Bool

Word: TypeAlias = np.uint64
Four: TypeAlias = tuple[np.uint64, np.uint64, np.uint64, np.uint64]

_IV = np.array(
    [
        0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
        0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
    ],
    np.uint64,
)  # fmt: skip
_PARAMETERS = np.uint64(0x01010008)
"""No key, 8 bytes of digest, no tree."""
_PARAMETERS_80 = np.uint64(0x0101000A)
"""The same with 10 bytes."""
_ORDER = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
    ],
    np.uint8,
)[np.arange(12) % 10]  # fmt: skip
_BLOCK = 128
_R16, _R24, _R32, _R63 = np.uint64(16), np.uint64(24), np.uint64(32), np.uint64(63)
_L48, _L40, _L1 = np.uint64(48), np.uint64(40), np.uint64(1)


@kernel
def hash64_spans(buffer: U8, spans: Any) -> U64:
    """Return `hash64` of each text, 0 for those of length 0.

    Args:
        buffer: bytes.
        spans: (n, 2) where a text begins, and its length.

    Source: RFC 7693 (BLAKE2b).
    """
    hashes = np.zeros(len(spans), np.uint64)
    m, h = np.zeros(16, np.uint64), np.zeros(8, np.uint64)
    for i in range(len(spans)):
        at: Any = np.int64(spans[i, 0])
        left: Any = np.int64(spans[i, 1])
        if left == 0:
            continue
        h[:] = _IV
        h[0] ^= _PARAMETERS
        done = 0
        while True:
            size = min(left, _BLOCK)
            _load(buffer, at, size, m)
            done, left, at = done + size, left - size, at + size
            _compress(h, m, np.uint64(done), left == 0)
            if left == 0:
                break
        hashes[i] = h[0] if h[0] != np.uint64(0) else np.uint64(1)
    return hashes


@kernel
def ulids(buffer: U8, ends: I64, times_ms: I64, person: U64, digits: U8) -> U8:
    """Return ULIDs (n, 26) of times and of the 80-bit hashes of n texts that lie one behind the other.

    Args:
        buffer: the texts.
        ends: (n,) where each ends; none is empty.
        times_ms: (n,) 48 bits each.
        person: (2,) words by which these hashes differ from others.
        digits: (32,) of the base.

    Source: RFC 7693 (BLAKE2b).
    """
    texts = np.empty((len(ends), 26), np.uint8)
    m, h = np.zeros(16, np.uint64), np.zeros(8, np.uint64)
    at = 0
    for i in range(len(ends)):
        h[:] = _IV
        h[0] ^= _PARAMETERS_80
        h[6] ^= person[0]
        h[7] ^= person[1]
        done = 0
        while at < ends[i]:
            size = min(ends[i] - at, _BLOCK)
            _load(buffer, at, size, m)
            done, at = done + size, at + size
            _compress(h, m, np.uint64(done), at == ends[i])
        for place in range(10):
            texts[i, place] = digits[times_ms[i] >> (45 - 5 * place) & 31]
        for half in range(2):
            number = np.int64(0)
            for k in range(5 * half, 5 * half + 5):
                byte = h[k >> 3] >> np.uint64(8 * (k & 7)) & np.uint64(255)
                number = number << 8 | np.int64(byte)
            for place in range(8):
                texts[i, 10 + 8 * half + place] = digits[number >> (35 - 5 * place) & 31]
    return texts


@compiled
def _load(buffer: U8, at: int, size: int, m: U64) -> None:
    """Put up to 128 bytes into 16 words, zeros behind them."""
    for word in range(16):
        value = np.uint64(0)
        first = word * 8
        for k in range(min(max(size - first, 0), 8)):
            value |= np.uint64(buffer[at + first + k]) << np.uint64(8 * k)
        m[word] = value


@compiled
def _mix(a: Word, b: Word, c: Word, d: Word, x: Word, y: Word) -> Four:
    """Return RFC 7693's G of four words."""
    a = a + b + x
    d ^= a
    d = d >> _R32 | d << _R32
    c += d
    b ^= c
    b = b >> _R24 | b << _L40
    a = a + b + y
    d ^= a
    d = d >> _R16 | d << _L48
    c += d
    b ^= c
    b = b >> _R63 | b << _L1
    return a, b, c, d


@compiled
def _compress(h: U64, m: U64, done: Word, last: bool) -> None:
    """Take in a block; done is the number of bytes up to its end."""
    v0, v1, v2, v3, v4, v5, v6, v7 = h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]
    v8, v9, v10, v11 = _IV[0], _IV[1], _IV[2], _IV[3]
    v12, v13, v14, v15 = _IV[4] ^ done, _IV[5], _IV[6], _IV[7]
    if last:
        v14 = ~v14
    for r in range(12):
        s = _ORDER[r]
        v0, v4, v8, v12 = _mix(v0, v4, v8, v12, m[s[0]], m[s[1]])
        v1, v5, v9, v13 = _mix(v1, v5, v9, v13, m[s[2]], m[s[3]])
        v2, v6, v10, v14 = _mix(v2, v6, v10, v14, m[s[4]], m[s[5]])
        v3, v7, v11, v15 = _mix(v3, v7, v11, v15, m[s[6]], m[s[7]])
        v0, v5, v10, v15 = _mix(v0, v5, v10, v15, m[s[8]], m[s[9]])
        v1, v6, v11, v12 = _mix(v1, v6, v11, v12, m[s[10]], m[s[11]])
        v2, v7, v8, v13 = _mix(v2, v7, v8, v13, m[s[12]], m[s[13]])
        v3, v4, v9, v14 = _mix(v3, v4, v9, v14, m[s[14]], m[s[15]])
    h[0] ^= v0 ^ v8
    h[1] ^= v1 ^ v9
    h[2] ^= v2 ^ v10
    h[3] ^= v3 ^ v11
    h[4] ^= v4 ^ v12
    h[5] ^= v5 ^ v13
    h[6] ^= v6 ^ v14
    h[7] ^= v7 ^ v15


@kernel
def murmur2_each(buffer: U8, ends: I64) -> I64:
    """Return `murmur2` of n keys that lie one behind the other."""
    m, mask = np.uint64(0x5BD1E995), np.uint64(0xFFFFFFFF)
    hashes = np.empty(len(ends), np.int64)
    start = 0
    for i in range(len(ends)):
        length = ends[i] - start
        h = np.uint64(0x9747B28C) ^ np.uint64(length)
        at = start
        while at + 4 <= ends[i]:
            k = np.uint64(0)
            for j in range(4):
                k |= np.uint64(buffer[at + j]) << np.uint64(8 * j)
            k = k * m & mask
            h = (h * m & mask) ^ ((k ^ k >> _R24) * m & mask)
            at += 4
        if at < ends[i]:
            k = np.uint64(0)
            for j in range(ends[i] - at):
                k |= np.uint64(buffer[at + j]) << np.uint64(8 * j)
            h = (h ^ k) * m & mask
        h = (h ^ h >> np.uint64(13)) * m & mask
        hashes[i] = np.int64(h ^ h >> np.uint64(15))
        start = ends[i]
    return hashes


@kernel
def are_keys(buffer: U8, spans: Any, keys: U8, key_ends: I64) -> Bool:
    """Return whether each text is its record's key.

    Args:
        buffer: bytes.
        spans: (n, 2) where a text begins, and its length.
        keys: the keys, one behind the other.
        key_ends: (n,) where each ends.
    """
    same = np.empty(len(key_ends), np.bool_)
    begin = 0
    for i in range(len(key_ends)):
        start, length = np.int64(spans[i, 0]), np.int64(spans[i, 1])
        same[i] = length == key_ends[i] - begin
        for k in range(length if same[i] else 0):
            if buffer[start + k] != keys[begin + k]:
                same[i] = False
                break
        begin = key_ends[i]
    return same

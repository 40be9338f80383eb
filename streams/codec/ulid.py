"""Message ids: deterministic ULIDs, so that a record sent again carries the id it had.

A ULID is 48 bits of time and 80 bits of entropy in 26 characters of Crockford's base 32
(https://github.com/ulid/spec). Here the 80 bits are a hash of what the record is about.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import numpy as np

from models.events import I64, U8
from models.packed import Packed
from streams.codec.hash_kernels import ulids
from streams.codec.pieces import Pieces, join, lengths

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's alphabet in ascending ASCII order: the text sorts as the number does."""
ULID_PATTERN = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"
"""What a valid ULID looks like; the first digit holds three bits only."""

_PAIRS = tuple(high + low for high in CROCKFORD for low in CROCKFORD)
"""The two digits of each number of 10 bits."""
_PERSON = b"live-segments-v1"
"""Keeps these hashes apart from any other use of blake2b over the same text."""
_HASHER = blake2b(digest_size=10, person=_PERSON)
_MAX_TIME = 1 << 48


_DIGITS = np.array(list(CROCKFORD.encode()), np.uint8)
_PERSON_WORDS = np.array(np.frombuffer(_PERSON, "<u8"), np.uint64)


@lru_cache(maxsize=4096)
def _time_digits(time_ms: int) -> str:
    """Return the 10 digits of a time; both records of a move share theirs.

    Raises:
        ValueError: the time does not fit 48 bits.
    """
    if not 0 <= time_ms < _MAX_TIME:
        raise ValueError(f"a ULID holds times from 0 to 2^48-1 ms, not {time_ms}")
    p = _PAIRS
    return (
        p[time_ms >> 40]
        + p[time_ms >> 30 & 1023]
        + p[time_ms >> 20 & 1023]
        + p[time_ms >> 10 & 1023]
        + p[time_ms & 1023]
    )


def message_id(customer_id: str, segment_id: str, sequence: int, origin_run: str, time_ms: int) -> str:
    """Return the ULID of one change of one customer.

    The same arguments always give the same id, on every machine and in every release: receivers
    deduplicate on it. Ids grow with time_ms; among records of one millisecond their order means nothing.

    Args:
        customer_id: whose membership changes.
        segment_id: which segment is entered or left.
        sequence: the customer's running number of the change.
        origin_run: run that the record comes from; the live workers of a deployment share one for ever.
        time_ms: event time of the cause, epoch milliseconds, 0 to 2^48-1.

    Raises:
        ValueError: time_ms is out of range.
    """
    n = int.from_bytes(_hash(customer_id, segment_id, sequence, origin_run), "big")
    p = _PAIRS
    high, low = n >> 40, n & 0xFF_FFFF_FFFF
    return (
        _time_digits(time_ms)
        + p[high >> 30]
        + p[high >> 20 & 1023]
        + p[high >> 10 & 1023]
        + p[high & 1023]
        + p[low >> 30]
        + p[low >> 20 & 1023]
        + p[low >> 10 & 1023]
        + p[low & 1023]
    )


def ulid_table(customers: Packed, segments: Pieces, sequences: Pieces, origin_run: str, times_ms: I64) -> U8:
    """Return `message_id` of n changes: (n, 26) letters.

    Args:
        customers: (n,) ids.
        segments: (n,) ids, each behind the number of its characters and a colon.
        sequences: (n,) numbers.
        origin_run: as of `message_id`.
        times_ms: (n,)

    Raises:
        ValueError: a time is out of range.
    """
    n = len(times_ms)
    if n and (int(times_ms.min()) < 0 or int(times_ms.max()) >= _MAX_TIME):
        first, last = times_ms.min(), times_ms.max()
        raise ValueError(f"a ULID holds times from 0 to 2^48-1 ms, not {first} to {last}")
    about = join(  # as `_hash`
        n, lengths(customers), ":", Pieces.packed(customers), segments, sequences, f":{origin_run}"
    )
    return ulids(about.letters, about.ends, times_ms, _PERSON_WORDS, _DIGITS)


def _hash(customer_id: str, segment_id: str, sequence: int, origin_run: str) -> bytes:
    """Return 80 bits of what a change is about."""
    hasher = _HASHER.copy()  # quicker than a new one with its parameters
    # Lengths before the texts: no two different records hash the same bytes.
    text = f"{len(customer_id)}:{customer_id}{len(segment_id)}:{segment_id}{sequence}:{origin_run}"
    hasher.update(text.encode())
    return hasher.digest()

"""A sample of the population that parts of it add up to: customers by the smallness of their hash."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.events import I64, U64, Bool
from models.value.history import OrderHistory
from models.value.layout import ValueFormatError, seal, unseal

MAGIC = b"LSVS"
SAMPLE_LIMIT = 4096
"""Customers a sample holds at most (48 bytes each): enough to know a mean order rate to about 3 %."""
_COLUMNS = ("orders", "first_order", "last_order", "money", "as_of")
_NEVER_NEGATIVE = ("orders", "first_order", "last_order", "as_of")
HEADER = struct.Struct("<QQ")
"""Limit and number of customers; the hashes follow, then each column."""
ROW_BYTES = 8 * (1 + len(_COLUMNS))


@dataclass(frozen=True, eq=False)
class ValueSample:
    """The customers with the smallest hashes, each as last seen; equal samples have equal bytes.

    Of two rows of a customer the later `as_of` wins. A customer who is out of the sample because enough
    others have smaller hashes can never come back in, so however the rows are spread over samples and in
    whatever order, and however often, those are merged, the result is the same. A worker may therefore leave
    out at once whom the sample of the model in force does not admit.

    Attributes:
        hashes: (n,) 64-bit hashes of the customers, ascending; they must be well mixed.
        history: (n,) their order histories; orders = 0 stands for a customer who was erased.
        limit: The most customers it holds; of two merged samples the smaller limit counts.
    """

    hashes: U64
    history: OrderHistory
    limit: int = SAMPLE_LIMIT

    def __len__(self) -> int:
        """Return the number of customers."""
        return len(self.hashes)

    @classmethod
    def of(cls, hashes: U64, history: OrderHistory, limit: int = SAMPLE_LIMIT) -> ValueSample:
        """Return the sample of these customers (n,); those who never ordered are left out.

        Raises:
            ValueError: the limit is below 1.
        """
        if limit < 1:
            raise ValueError(f"a sample holds at least one customer, not {limit}")
        place = np.flatnonzero(history.known)
        return _smallest(hashes[place], _columns(history)[:, place], limit)

    @classmethod
    def empty(cls, limit: int = SAMPLE_LIMIT) -> ValueSample:
        """Return a sample of nobody."""
        return cls.forgotten(np.empty(0, np.uint64), 0, limit)

    @classmethod
    def forgotten(cls, hashes: U64, as_of: int, limit: int = SAMPLE_LIMIT) -> ValueSample:
        """Return a sample that erases, when merged, what is known of these customers (n,) until `as_of`."""
        columns = np.zeros((len(_COLUMNS), len(hashes)), np.int64)
        columns[-1] = as_of
        return _smallest(hashes, columns, limit)

    def merged(self, others: Sequence[ValueSample]) -> ValueSample:
        """Return this sample and others as one."""
        every = [self, *others]
        hashes = np.concatenate([one.hashes for one in every])
        columns = np.concatenate([_columns(one.history) for one in every], axis=1)
        return _smallest(hashes, columns, min(one.limit for one in every))

    def admits(self, hashes: U64) -> Bool:
        """Return which customers (n,) could be in a sample that this one is merged into."""
        if len(self) < self.limit:
            return np.ones(len(hashes), np.bool_)
        return hashes <= self.hashes[-1]

    def to_bytes(self) -> bytes:
        """Return the sample as bytes, checksum included."""
        arrays = self.hashes.astype("<u8").tobytes() + _columns(self.history).astype("<i8").tobytes()
        return seal(MAGIC, HEADER.pack(self.limit, len(self)) + arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> ValueSample:
        """Return the sample of these bytes.

        Raises:
            ValueFormatError: they are not a sample, or were changed.
        """
        body = unseal(MAGIC, data)
        if len(body) < HEADER.size:
            raise ValueFormatError("not a value sample: it is cut off")
        limit, n = HEADER.unpack_from(body)
        if len(body) != HEADER.size + n * ROW_BYTES or not n <= limit:
            raise ValueFormatError(f"not a value sample: {len(body)} bytes for {n} of {limit} customers")
        hashes = np.frombuffer(body, "<u8", n, HEADER.size).astype(np.uint64)
        columns = np.frombuffer(body, "<i8", offset=HEADER.size + hashes.nbytes).astype(np.int64)
        sample = cls(hashes, OrderHistory(*columns.reshape(len(_COLUMNS), n)), limit)
        least = min(int(getattr(sample.history, name).min(initial=0)) for name in _NEVER_NEGATIVE)
        if limit < 1 or (hashes[1:] <= hashes[:-1]).any() or least < 0:
            raise ValueFormatError("not a value sample: out of order, or a number is negative")
        return sample


def _columns(history: OrderHistory) -> I64:
    return np.stack([np.asarray(getattr(history, name), np.int64) for name in _COLUMNS])


def _smallest(hashes: U64, columns: I64, limit: int) -> ValueSample:
    """Return the sample of rows (n,) and (5, n) in any order, a customer in any number of them."""
    latest = np.argsort(hashes)
    ordered: U64 = hashes[latest]
    if (ordered[1:] == ordered[:-1]).any():
        latest = np.lexsort([*columns, hashes])  # by hash, then as_of, then the other columns
    last: Bool = np.ones(len(ordered), np.bool_)
    last[:-1] = ordered[1:] != ordered[:-1]
    kept: NDArray[np.intp] = np.flatnonzero(last)[:limit]
    return ValueSample(ordered[kept], OrderHistory(*columns[:, latest[kept]]), limit)

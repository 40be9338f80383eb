"""A sample of customers by hash: the latest row of each, erasure, bytes that are refused when changed."""

from __future__ import annotations

import numpy as np
import pytest

from models.value import OrderHistory, ValueFormatError, ValueSample
from models.value.layout import seal
from models.value.sample import HEADER, MAGIC
from tests.value_samples import rows, shop

HASHES, SHOP = shop(300, seed=1)


def row(orders: int, as_of: int, money: int = 10) -> OrderHistory:
    """Return the history of one customer."""
    return OrderHistory(*(np.array([value]) for value in (orders, 5, 9, money, as_of)))


def key(*hashes: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Return hashes as a column."""
    return np.array(hashes, np.uint64)


def test_smallest_hashes_are_kept() -> None:
    """Of 300 customers a sample of 50 holds those with the 50 smallest hashes, with their own rows."""
    sample = ValueSample.of(HASHES, SHOP, limit=50)
    order = np.argsort(HASHES)[:50]

    assert sample.hashes.tolist() == HASHES[order].tolist()
    assert sample.history.orders.tolist() == SHOP.orders[order].tolist()
    assert sample.history.money.tolist() == SHOP.money[order].tolist()


def test_latest_row_of_a_customer_wins() -> None:
    """Whichever of two samples is merged into the other."""
    old, new = ValueSample.of(key(7), row(1, as_of=100)), ValueSample.of(key(7), row(2, as_of=200))

    assert old.merged([new]).history.orders.tolist() == [2]
    assert new.merged([old]).history.orders.tolist() == [2]
    assert len(old.merged([new])) == 1


def test_customers_who_never_ordered_are_left_out() -> None:
    """A customer without an order says nothing about orders."""
    history = OrderHistory(*(np.array([value, value]) for value in (0, 0, 0, 0, 100)))

    assert len(ValueSample.of(key(1, 2), history)) == 0


def test_erasure_holds_against_older_rows() -> None:
    """An erased customer stays away when older rows are merged again, and is back with a new order."""
    before, after = ValueSample.of(key(7), row(3, as_of=100)), ValueSample.of(key(7), row(1, as_of=300))
    erased = before.merged([ValueSample.forgotten(key(7), 200)])

    assert erased.history.known.tolist() == [False]
    assert erased.merged([before]).history.known.tolist() == [False]
    assert erased.merged([after]).history.orders.tolist() == [1]
    assert int(erased.history.money[0]) == int(erased.history.first_order[0]) == 0


def test_full_sample_says_whom_it_could_take() -> None:
    """While there is room everybody, then hashes up to the greatest that it holds."""
    sample = ValueSample.of(HASHES, SHOP, limit=50)
    greatest = int(sample.hashes[-1])

    assert sample.admits(key(greatest - 1, greatest, greatest + 1)).tolist() == [True, True, False]
    assert ValueSample.empty().admits(key(2**64 - 1)).tolist() == [True]


def test_whom_the_sample_does_not_admit_changes_nothing() -> None:
    """A worker that leaves them out sends less, and the sample becomes the same."""
    sample = ValueSample.of(HASHES[:200], rows(SHOP, np.arange(200)), limit=50)
    new = np.arange(200, 300)
    few = new[sample.admits(HASHES[new])]
    every = ValueSample.of(HASHES[new], rows(SHOP, new), limit=50)
    some = ValueSample.of(HASHES[few], rows(SHOP, few), limit=50)

    assert 0 < len(few) < 50
    assert sample.merged([every]).to_bytes() == sample.merged([some]).to_bytes()


def test_round_trip_keeps_everything() -> None:
    """Bytes back and forth are the same sample, an empty one too."""
    for sample in (ValueSample.of(HASHES, SHOP), ValueSample.of(HASHES, SHOP, limit=7), ValueSample.empty(3)):
        back = ValueSample.from_bytes(sample.to_bytes())

        assert back.to_bytes() == sample.to_bytes()
        assert (back.limit, len(back)) == (sample.limit, len(sample))


def test_any_changed_byte_is_refused() -> None:
    """A sample with one byte changed, cut off or added is not read."""
    data = ValueSample.of(HASHES, SHOP, limit=5).to_bytes()
    for place in range(len(data)):
        with pytest.raises(ValueFormatError):
            ValueSample.from_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    for other in (b"", data[:20], data[:-1], data + b"\0"):
        with pytest.raises(ValueFormatError):
            ValueSample.from_bytes(other)


@pytest.mark.parametrize(
    ("limit", "hashes", "columns"),
    [
        (0, [], []),
        (1, [1, 2], [1] * 10),
        (5, [2, 1], [1] * 10),
        (5, [1, 1], [1] * 10),
        (5, [1], [-1, 1, 1, 1, 1]),
        (5, [1], [1, 1, 1, 1, -1]),
        (5, [1], [1, 1, 1, 1]),
    ],
)
def test_sealed_nonsense_is_refused(limit: int, hashes: list[int], columns: list[int]) -> None:
    """No limit, too many, out of order, twice the same customer, negative counts or times, too short."""
    body = HEADER.pack(limit, len(hashes)) + np.array(hashes, "<u8").tobytes()
    data = seal(MAGIC, body + np.array(columns, "<i8").tobytes())
    with pytest.raises(ValueFormatError, match="not a value sample"):
        ValueSample.from_bytes(data)


def test_a_sample_of_nobody_at_most_is_refused() -> None:
    """The limit is at least one."""
    with pytest.raises(ValueError, match="at least one"):
        ValueSample.of(HASHES, SHOP, limit=0)

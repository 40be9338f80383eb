"""What stands before the dictionaries from customer to row."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.clusterer import Accumulator
from models.events import I64
from models.packed import Packed
from streams.partition import Partition
from streams.row_cache import NOT_HERE, PLACES, WIDTH, RowCache
from streams.versions import FEATURE_NAMES

KEYS = st.lists(
    st.tuples(st.binary(max_size=WIDTH + 8) | st.sampled_from([b"a", b"a\0", b"b"]), st.integers(1, 3))
)


def column(values: list[int]) -> I64:
    """Return a column."""
    return np.array(values, np.int64)


@settings(deadline=None, max_examples=30)
@given(KEYS)
def test_a_row_is_found_by_its_key_and_owner(customers: list[tuple[bytes, int]]) -> None:
    """What is found is what was kept last for this very key, and long keys are not kept."""
    customers = list(dict.fromkeys(customers))
    keys, owners = Packed.of([key for key, _ in customers]), column([owner for _, owner in customers])
    rows = np.arange(len(keys))
    cache = RowCache()

    cache.keep(keys, owners, rows + 100)
    cache.keep(keys, owners, rows)

    found = cache.find(keys, owners).tolist()
    assert all(row in {i, NOT_HERE} for i, row in enumerate(found))
    assert all(row == NOT_HERE for row, (key, _) in zip(found, customers, strict=True) if len(key) > WIDTH)
    assert found[-1:] == [row if len(customers[row][0]) <= WIDTH else NOT_HERE for row in rows[-1:].tolist()]
    assert set(cache.find(keys, owners + 3).tolist()) <= {NOT_HERE}
    assert set(cache.find(Packed.of([key + b"x" for key, _ in customers]), owners + 3).tolist()) <= {NOT_HERE}


def test_who_shares_a_place_is_not_mistaken_for_another() -> None:
    """With more customers than places each is found as themselves or not at all."""
    cache, keys = RowCache(), Packed.of([b"c%07d" % i for i in range(2 * PLACES)])
    owners, rows = np.ones(len(keys), np.int64), np.arange(len(keys))

    cache.keep(keys, owners, rows)

    found = cache.find(keys, owners)
    here = found != NOT_HERE
    assert np.array_equal(found[here], rows[here])
    assert PLACES * 0.8 < here.sum() < PLACES


def test_nobody_owns_what_owner_0_asks_for() -> None:
    """Neither an empty place nor a row that is none is found."""
    cache, keys = RowCache(), Packed.of([b"a", b"", b"b"])
    cache.keep(keys, column([0, 0, 1]), column([1, 2, -1]))

    assert cache.find(keys, column([0, 0, 1])).tolist() == [NOT_HERE] * 3


def test_striking_a_customer_off_ends_a_generation() -> None:
    """So that nobody finds a row that may be somebody else's."""
    part, other = (Partition(1, Accumulator(FEATURE_NAMES)) for _ in range(2))
    part.index[b"a"] = 7
    before = part.generation

    part.forget(b"a")

    assert len({before, part.generation, other.generation}) == 3

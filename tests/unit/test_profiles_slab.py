"""The row's budget, and the pages of the slab."""

from __future__ import annotations

import numpy as np
import pytest

from models.profiles import ROW_BYTES, Slab
from models.profiles.layout import AUDIENCES, HOT_BYTES, MAX_ROW_BYTES, ROW
from models.profiles.slab import PAGE_ROWS


def test_row_budget() -> None:
    """A row with room for 32 audiences keeps to 1,216 bytes, its hot block to 640, and has no padding."""
    assert (AUDIENCES, MAX_ROW_BYTES) == (32, 1216)
    assert ROW_BYTES <= MAX_ROW_BYTES
    assert HOT_BYTES <= 640
    assert sum(ROW[name].itemsize for name in ROW.names or ()) == ROW_BYTES


def test_rows_of_a_dropped_partition_come_back_zeroed() -> None:
    """Pages go to whoever needs them next, empty, and other partitions keep theirs."""
    slab = Slab(4 * PAGE_ROWS)
    mine = [slab.new(1, b"a%d" % i) for i in range(PAGE_ROWS + 1)]
    other = slab.new(2, b"b")
    slab.rows["views"][[*mine, other]] = 7
    slab.drop(1)
    again = [slab.new(3, b"c%d" % i) for i in range(2 * PAGE_ROWS)]

    assert set(mine) <= set(again)
    assert not slab.bytes[again].any()
    assert slab.rows["views"][other] == 7
    assert (slab.key(other), slab.key(again[0])) == (b"b", b"c0")
    assert len(slab.used(1)) == 0
    assert sorted(slab.used(3)) == sorted(again)


def test_a_released_row_is_zeroed_and_used_again() -> None:
    """The row of an erased customer is empty for the next one of the partition."""
    slab = Slab(PAGE_ROWS)
    row = slab.new(1, b"a")
    slab.bytes[row] = 255
    slab.release(1, row)

    with pytest.raises(KeyError):
        slab.key(row)
    assert slab.new(1, b"b") == row
    assert not slab.bytes[row].any()
    assert slab.keys([row]) == [b"b"]


def test_a_full_slab_says_so() -> None:
    """Partitions share the capacity by pages; past it, the error names the way out."""
    slab = Slab(2 * PAGE_ROWS)
    for partition in (1, 2):
        slab.new(partition, b"a")
    with pytest.raises(MemoryError, match="add workers"):
        slab.new(3, b"a")

    assert np.count_nonzero(slab.bytes[: 2 * PAGE_ROWS]) == 0


def test_many_rows_at_once_are_those_that_one_after_the_other_would_be() -> None:
    """Released rows first, then whole pages, and the rest from a page that the next customers go on with."""
    slab, other = Slab(8 * PAGE_ROWS), Slab(8 * PAGE_ROWS)
    for each in (slab, other):
        held = [each.new(1, b"old%d" % i) for i in range(10)]
        each.new(2, b"elsewhere")
        each.release(1, held[3])
    keys = [b"c%d" % i for i in range(3 * PAGE_ROWS + 5)]

    rows = slab.new_many(1, keys)

    assert rows == [other.new(1, key) for key in keys]
    assert slab.keys(rows) == keys
    assert slab.new(1, b"next") == other.new(1, b"next")
    assert slab.used(1).tolist() == other.used(1).tolist()
    assert slab.new_many(3, []) == []


def test_many_rows_beyond_the_capacity_say_so() -> None:
    """As one after the other."""
    with pytest.raises(MemoryError, match="add workers"):
        Slab(2 * PAGE_ROWS).new_many(1, [b"c%d" % i for i in range(2 * PAGE_ROWS + 1)])

"""The size of chunks: halts of the event loop stay short, whatever a record costs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.transport.chunk_size import FIRST, LONG_S, ChunkSize


def took(size: ChunkSize, cost_s: float, chunks: int) -> list[float]:
    """Return the seconds that successive full chunks take at a price per record."""
    spent = []
    for _ in range(chunks):
        records = size.now
        spent.append(records * cost_s)
        size.took(records, spent[-1])
    return spent


def test_a_process_begins_with_few_records_and_soon_takes_as_many_as_allowed() -> None:
    size = ChunkSize(4000)
    assert size.now == FIRST

    took(size, 25e-6, 7)

    assert size.now == 4000


@given(st.floats(1e-6, 10.0), st.integers(1, 100_000))
def test_after_the_first_no_chunk_takes_more_than_twice_as_long_as_it_may_unless_a_record_does(
    cost_s: float, most: int
) -> None:
    spent = took(ChunkSize(most), cost_s, 40)

    assert max(spent[1:]) <= max(2 * LONG_S, cost_s) * (1 + 1e-9)


@given(st.integers(1, 500), st.integers(1, 4000))
def test_small_chunks_that_are_not_long_do_not_make_chunks_smaller(records: int, most: int) -> None:
    size = ChunkSize(most)
    before = size.now

    size.took(records, LONG_S)

    assert before <= size.now <= most

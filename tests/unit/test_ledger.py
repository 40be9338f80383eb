"""The account of delivered records: a deliberately broken engine is found out at its next commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from streams.codec.profile_rows import META_KEY
from streams.errors import ExitCode, InvariantError
from streams.index import Index
from streams.ledger import Entry, Ledger
from streams.partition import Partition
from streams.records import CLICKS, CUSTOMERS, INPUT_TOPICS, PURCHASES
from streams.shop.record import ShopRecord
from tests.engine_runs import Driver, record
from tests.oracle.synthetic import START_MS

CLICK = record(CLICKS, "ann", 1, START_MS)
BROKEN = ShopRecord(PURCHASES, b"ann", b"{", START_MS)
ERASE = record(CUSTOMERS, "ann", 2, START_MS + 10, erase=True)
OLD = record(CLICKS, "ann", 3, START_MS + 5)
ALL = [CLICK, CLICK, BROKEN, ERASE, OLD, record(CLICKS, "ann", 4, START_MS + 20), ERASE]


def ledger_of(driver: Driver) -> dict[str, list[int]]:
    """Return the account of the only partition that has one."""
    (found,) = [part.ledger.to_inputs() for part in driver.engine.parts.values() if part.ledger.counts.any()]
    return found


def test_each_outcome_is_entered_under_its_input() -> None:
    """Delivered, counted, dead, duplicates, erased; all in one chunk, or each record by itself."""
    expected = {"clicks": [4, 2, 0, 1, 1], "purchases": [1, 0, 1, 0, 0], "customers": [2, 1, 0, 1, 0]}

    assert ledger_of(Driver().feed(ALL).commit()) == expected
    single = Driver()
    for one in ALL:
        single.feed([one]).commit()
    assert ledger_of(single) == expected


def test_the_account_goes_on_after_a_restart() -> None:
    """It is in the meta row, and the next worker counts on from there."""
    driver = Driver().feed(ALL).commit()
    meta = [msgspec.json.decode(r.value or b"") for r in driver.written if r.key == META_KEY]
    after = driver.successor().feed([record(CLICKS, "ann", 5, START_MS + 30)]).commit()

    assert ledger_of(driver) in [m["inputs"] for m in meta]
    assert ledger_of(after)["clicks"] == [5, 3, 0, 1, 1]


def lose_an_event(part: Partition) -> None:
    part.ledger.add(Entry.COUNTED, CLICKS, -1)


def count_an_event_twice(part: Partition) -> None:
    part.ledger.add(Entry.COUNTED, CLICKS)


def lose_a_dead_letter(part: Partition) -> None:
    part.ledger.add(Entry.DEAD, PURCHASES, -1)


def take_one_for_another(part: Partition) -> None:
    part.ledger.add(Entry.COUNTED, CLICKS, -1)
    part.ledger.add(Entry.COUNTED, PURCHASES)


@pytest.mark.parametrize(
    ("fault", "topic", "what"),
    [
        (lose_an_event, "clicks", "1 lost"),
        (count_an_event_twice, "clicks", "1 doubled"),
        (lose_a_dead_letter, "purchases", "1 lost"),
        (take_one_for_another, "clicks", "1 lost"),
    ],
)
def test_an_account_that_does_not_balance_stops_the_commit(
    fault: Callable[[Partition], None], topic: str, what: str
) -> None:
    """The line names partition, topic and figures; nothing is taken, so nothing can be written."""
    driver = Driver().feed(ALL)
    part = next(part for part in driver.engine.parts.values() if part.ledger.counts.any())
    fault(part)

    with pytest.raises(InvariantError) as caught:
        driver.engine.take(part.number, 0)

    assert str(caught.value).startswith(f"partition {part.number}, {topic}: ")
    assert what in str(caught.value)
    assert caught.value.exit_code is ExitCode.INVARIANT
    assert part.dirty()


def drop_the_last(self: Index, *args: Any) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Process all events but the last of each kernel call."""
    chosen, rows = ROWS(self, *args)
    return chosen[:-1], rows[:-1]


ROWS = Index.rows


def test_an_engine_that_forgets_an_event_is_found_out() -> None:
    """Not the account is broken but the engine: an event gets lost between decoding and the kernel."""
    driver = Driver()
    with patch.object(Index, "rows", drop_the_last):
        driver.feed([CLICK, record(CLICKS, "ann", 9, START_MS + 1)])

    with pytest.raises(InvariantError, match=r"clicks: 2 records were delivered, .* 1 lost"):
        driver.commit()


def test_a_balanced_account_is_checked_in_little_time() -> None:
    """It is done at every commit of every partition, so it must not be noticed (bound: 1 ms, found: µs)."""
    import timeit  # noqa: PLC0415 - here alone

    ledger = Ledger()
    ledger.add(Entry.DELIVERED, CLICKS, 5)
    ledger.add(Entry.COUNTED, CLICKS, 5)

    assert min(timeit.repeat(lambda: ledger.check(0), number=100, repeat=5)) / 100 < 1e-3
    assert set(ledger.to_inputs()) == {INPUT_TOPICS[CLICKS]}

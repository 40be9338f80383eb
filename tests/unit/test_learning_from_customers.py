"""The clusterer learns from customers, not from events: each of them once a day, whatever they do."""

from __future__ import annotations

import pytest

from models.clusterer import Delta
from streams.codec.hashing import partition_for
from streams.outbox import DELTAS
from streams.records import CLICKS
from streams.shop.record import ShopRecord
from tests.engine_runs import HOUR_MS, SETTINGS, Driver, record
from tests.oracle.synthetic import DAY_MS, START_MS

BUSY, SILENT, NEW = "abcdef", "ghij", "xyz"
DAYS = 6


def clicks(names: str, at_ms: int, count: int = SETTINGS.min_events) -> list[ShopRecord]:
    """Return some clicks of each customer."""
    return [record(CLICKS, name, f"{at_ms} {i}", at_ms + i) for name in names for i in range(count)]


def learned(driver: Driver) -> int:
    """Return the rows of all deltas."""
    return sum(Delta.from_bytes(r.value or b"").rows for r in driver.written if r.topic == DELTAS)


@pytest.mark.parametrize("restart", [False, True])
def test_each_customer_is_learned_once_a_day_also_who_does_nothing(*, restart: bool) -> None:
    """Who comes every three hours counts no more than who was silent for days; a restart doubles nobody.

    Who has too few events for a segment is not learned.
    """
    midnight = -(-START_MS // DAY_MS) * DAY_MS
    driver = Driver().feed(clicks(BUSY + SILENT, midnight) + clicks(NEW, midnight, SETTINGS.min_events - 1))
    for hour in range(3, 24 * DAYS, 3):
        driver.feed(clicks(BUSY, midnight + hour * HOUR_MS))
        if restart and hour % 30 == 0:
            driver = driver.commit().successor()
    driver.finish().commit()

    assert (
        len({partition_for(name.encode(), SETTINGS.partitions, SETTINGS.partitioner) for name in BUSY}) == 2
    )
    assert learned(driver) == DAYS * (len(BUSY) + len(SILENT))

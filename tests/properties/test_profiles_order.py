"""Profiles are functions of event time: duplicates, lateness and the order of delivery do not matter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from models.features import BY_NAME, FEATURES
from streams.records import CLICKS, CUSTOMERS, PURCHASES, VIEWS
from streams.shop.record import ShopRecord
from tests.engine_runs import HOUR_MS, Driver, driven
from tests.oracle.synthetic import DAY_MS
from tests.strategies import BEHAVIOUR, TOLD, streams

FEW = settings(deadline=None, max_examples=25, derandomize=True, phases=(Phase.explicit, Phase.generate))
DISTINCT = st.sampled_from([1, 999, 600_003, 31 * 60_000, 5 * HOUR_MS, DAY_MS, 9 * DAY_MS])
"""Steps in which no two events are at the same time, where the one delivered last would win."""
EVENTS = streams(BEHAVIOUR | st.tuples(st.just(CUSTOMERS), TOLD), delays=st.just(0), steps=DISTINCT)
FAVOURITES = {
    "top_category": "category_weight",
    "top_brand": "brand_weight",
    "channel_main": "channel_count",
    "device_main": "device_count",
}
ONCE = frozenset(f.name for f in FEATURES if not f.order_sensitive)


def assert_same(one: Driver, other: Driver, names: frozenset[str], at_ms: int) -> None:
    """Compare features of all customers: sums to 1e-9, favourites unless they tie, the rest exactly."""
    mine, theirs = one.features(at_ms), other.features(at_ms)
    assert mine.keys() == theirs.keys()
    for key, features in mine.items():
        for name in names:
            if name in FAVOURITES and tied(one, key, FAVOURITES[name]):
                continue
            a, b = named(one, key, name, features[name]), named(other, key, name, theirs[key][name])
            if isinstance(a, float) and isinstance(b, float) and BY_NAME[name].exact != "exact":
                assert math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9), name
            else:
                assert a == b, name


def tied(driver: Driver, key: bytes, weights: str) -> bool:
    """Return whether the two heaviest slots weigh the same."""
    row = next(part.index[key] for part in driver.engine.parts.values() if key in part.index)
    second, first = np.sort(driver.engine.slab.rows[weights][row].astype(np.float64))[-2:].tolist()
    return math.isclose(first, second, rel_tol=1e-9)


def named(driver: Driver, key: bytes, name: str, value: float) -> float | str | None:
    """Return a value, the name for a code, None for unknown."""
    space = BY_NAME[name].namespace
    part = next(part for part in driver.engine.parts.values() if key in part.index)
    if math.isnan(value):
        return None
    return value if space is None else part.names.name(space, value)


def interleaved(records: Sequence[ShopRecord], order: Sequence[int]) -> list[ShopRecord]:
    """Return the records with the topics in another interleaving, each topic's records in their order."""
    queues = {
        topic: [r for r in records if r.topic == topic] for topic in (CLICKS, VIEWS, PURCHASES, CUSTOMERS)
    }
    turns = [topic for topic in order if topic in queues] + [CLICKS, VIEWS, PURCHASES, CUSTOMERS] * len(
        records
    )
    return [queues[topic].pop(0) for topic in turns if queues[topic]]


@FEW
@given(EVENTS, st.lists(st.sampled_from([CLICKS, VIEWS, PURCHASES, CUSTOMERS]), max_size=30))
def test_topics_interleaved_in_another_way(records: list[ShopRecord], order: list[int]) -> None:
    """All features are the same but for those that say that they depend on the order of delivery."""
    at_ms = max(r.time_ms for r in records) + HOUR_MS

    assert_same(driven([records]), driven([interleaved(records, order)]), ONCE, at_ms)


@FEW
@given(EVENTS, st.randoms(use_true_random=False))
def test_late_events(records: list[ShopRecord], random: Random) -> None:
    """Events in any order, however late, give the same features as in the order of their times."""
    at_ms = max(r.time_ms for r in records) + HOUR_MS
    shuffled = list(records)
    random.shuffle(shuffled)

    assert_same(driven([records]), driven([shuffled]), ONCE, at_ms)


@FEW
@given(st.data())
def test_duplicates(data: st.DataObject) -> None:
    """An event that comes again within the customer's next 8 accepted ones changes no byte of the row."""
    records = data.draw(streams(BEHAVIOUR | st.tuples(st.just(CUSTOMERS), TOLD)))
    again: dict[int, list[ShopRecord]] = {}
    for at in data.draw(st.lists(st.integers(0, len(records) - 1), min_size=1, max_size=5)):
        following = [i for i in range(at, len(records)) if records[i].key == records[at].key]
        again.setdefault(data.draw(st.sampled_from(following[:8])), []).append(records[at])
    with_duplicates = [r for i, first in enumerate(records) for r in [first, *again.get(i, [])]]
    once, twice = driven([records]), driven([with_duplicates])

    assert twice.rows() == once.rows()
    assert len(twice.changes()) == len(once.changes())
    duplicates = len(with_duplicates) - len(records)
    assert sum(part.duplicates for part in twice.engine.parts.values()) == duplicates > 0

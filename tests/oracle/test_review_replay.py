"""The review of the segments against a second count, in SQL over the raw events and the change records."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from unittest.mock import patch

import orjson
import pytest

import streams.merging
from models.clusterer import NOTHING, Delta, Model, Review
from streams.codec.activation import decode_numbered, is_definitions
from streams.codec.definitions import Definition, decode_definition
from streams.merging import DEFINITIONS, MODELS
from streams.outbox import BACKFILL, DELTAS
from streams.replay import Replay
from streams.reviewing import AUDIENCE
from streams.settings import Settings
from streams.shop.record import ShopRecord
from streams.shop.simulation import simulate
from tests.engine_runs import Collect
from tests.oracle.features_oracle import SLOTS, Oracle, Row
from tests.oracle.synthetic import DAY_MS, START_MS

DAYS = 120
SILENT_DAYS = 90


class Shop(NamedTuple):
    """A seeded shop, and all that a replay with a tick a day has written."""

    events: list[ShopRecord]
    sink: Collect

    @property
    def tick_ms(self) -> int:
        """Return the last tick."""
        return max(record.time_ms for record in self.events) // DAY_MS * DAY_MS

    def told(self) -> Review:
        """Return the sums over all deltas."""
        total = NOTHING
        for record in self.sink.records:
            if record.topic == DELTAS and record.value is not None:
                total = total.plus(Delta.from_bytes(record.value).review)
        return total

    def moves(self) -> Iterator[tuple[str, int, bool]]:
        """Yield (customer, number, whether entered) of the changes of behaviour segments until the tick."""
        for customer, segment, entered in self.changes("behaviour"):
            yield customer, int(segment.removeprefix("b-")), entered

    def changes(self, segment_set: str) -> Iterator[tuple[str, str, bool]]:
        """Yield (customer, segment, whether entered) of the changes of a set until the tick."""
        for record in self.sink.records:
            value = orjson.loads(record.value or b"{}") if record.topic == BACKFILL else None
            if value is not None and self._before(value):
                p = value["properties"]
                if p["segment_set"] == segment_set:
                    yield value["userId"], p["audience_key"], p["change"] == "entered"

    def audiences(self) -> dict[str, int]:
        """Return the number in reviews of each audience."""
        log = [r.value for r in self.sink.records if r.topic == MODELS and r.value is not None]
        slots = decode_numbered([value for value in log if is_definitions(value)][-1])[0].slots
        return {name: AUDIENCE + slot for name, slot in slots.items()}

    def _before(self, change: dict[str, Any]) -> bool:
        """Return whether a change was counted: events at the tick come after it."""
        at_ms = round(datetime.fromisoformat(change["timestamp"]).timestamp() * 1000)
        return at_ms < self.tick_ms + (change["properties"]["cause"] != "event")

    def customers(self) -> tuple[dict[str, Row], dict[str, Row]]:
        """Return the features of all customers as of the tick, by SQL, and how many names each has seen."""
        return Oracle([r for r in self.events if r.time_ms < self.tick_ms], "UTC").ask(self.tick_ms)


@pytest.fixture(scope="module")
def shop() -> Shop:
    """Return the shop."""
    sink = Collect()
    events = list(simulate(12_000, 300, seed=5, start_ms=START_MS, end_ms=START_MS + DAYS * DAY_MS))
    with patch.object(streams.merging, "WARMUP_ROWS", 100):
        Replay(Settings(partitions=3, currency="GBP"), sink, sweep_ms=DAY_MS).run(events)
    return Shop(events, sink)


def worth(row: Row) -> dict[str, int]:
    """Return what a customer adds to each column."""
    return {
        "customers": 1,
        "buyers": int(row["orders_total"] > 0),
        "orders": int(row["orders_total"]),
        "money": int(row["money_total"]) - int(row["refunds_total"]),
        "sessions": int(row["sessions_total"]),
        "bounces": round(float(row["bounce_share"] or 0) * int(row["sessions_total"])),
        "coupon_orders": round(float(row["coupon_share"] or 0) * int(row["orders_total"])),
        "campaign_clicks": int(row["campaign_clicks_total"]),
        "campaign_orders": int(row["campaign_orders_total"]),
        "silent": int(float(row["days_since_seen"]) > SILENT_DAYS),
    }


def behaviour(told: Review) -> list[int]:
    """Return the numbers of behaviour segments, and of none."""
    return [number for number in told.numbers.tolist() if number < AUDIENCE]


def test_deltas_add_up_to_what_sql_counts(shop: Shop) -> None:
    """Customers, orders, money, visits, coupons, campaigns and the silent of each segment, exactly."""
    held = {customer: number for customer, number, entered in shop.moves() if entered}
    expected: dict[int, Counter[str]] = defaultdict(Counter)
    for customer, row in shop.customers()[0].items():
        expected[held.get(customer, 0)].update(worth(row))
    told = shop.told()

    assert len(expected) > 4
    assert {n for n in behaviour(told) if told.of(n).get("customers")} == set(expected)
    assert sum(sums["silent"] for sums in expected.values()) > 10
    for number, sums in expected.items():
        assert {name: told.of(number).get(name, 0) for name in sums} == dict(sums), number


def test_flows_are_the_change_records(shop: Shop) -> None:
    """Whoever entered or left a segment until the last count is counted, the same whether or not it lives."""
    flows = Counter((number, "entered" if entered else "left") for _, number, entered in shop.moves())
    told = shop.told()

    assert {(n, way): told.of(n)[way] for n in behaviour(told) for way in ("entered", "left")} == {
        (n, way): flows[n, way] for n in behaviour(told) for way in ("entered", "left")
    }
    assert sum(flows.values()) > 500


def test_audiences_are_counted_as_sql_and_the_change_records_do(shop: Shop) -> None:
    """The figures of all who are in each by its changes; who came and who left altogether."""
    numbers, told, features = shop.audiences(), shop.told(), shop.customers()[0]
    held: dict[str, set[str]] = defaultdict(set)
    flows = Counter[tuple[str, str]]()
    for customer, name, entered in shop.changes("audience"):
        (held[name].add if entered else held[name].remove)(customer)
        flows[name, "entered" if entered else "left"] += 1

    assert sum(map(len, held.values())) > 500
    assert sum(flows[name, "left"] for name in held) > 500
    for name, number in numbers.items():
        expected = Counter[str]()
        for customer in held[name]:
            expected.update(worth(features[customer]))
        found = told.of(number)
        assert {column: found.get(column, 0) for column in expected} == dict(expected), name
        assert (found["entered"], found["left"]) == (flows[name, "entered"], flows[name, "left"]), name


def test_favourites_of_audiences_are_among_those_of_segments(shop: Shop) -> None:
    """No more than their customers; an audience of most customers has the favourite of most customers."""
    told, sizes = shop.told(), Counter[int]()
    everyone = Counter[str]()
    for n in behaviour(told):
        everyone.update({name: count for name, count in told.of(n).items() if ":" in name})
    for number in shop.audiences().values():
        found = {name: count for name, count in told.of(number).items() if ":" in name}
        sizes[number] = told.of(number).get("customers", 0)
        assert {name for name, count in found.items() if count} <= {
            name for name in everyone if everyone[name]
        }
        for what in ("category", "brand"):
            assert sum(n for name, n in found.items() if name.startswith(what)) <= sizes[number]
    largest, customers = sizes.most_common(1)[0]
    first = max(everyone, key=everyone.__getitem__)

    assert customers > told.of(0).get("customers", 0)
    assert told.of(largest)[first] == max(n for name, n in told.of(largest).items() if ":" in name)


def test_favourites_are_those_of_sql(shop: Shop) -> None:
    """Customers by favourite category and brand; who has two that tie counts for one of them.

    Of who has seen more than a row has slots for, any may be the favourite.
    """
    held = {customer: number for customer, number, entered in shop.moves() if entered}
    least: Counter[tuple[int, str]] = Counter()
    most: Counter[tuple[int, str]] = Counter()
    open_: Counter[tuple[int, str]] = Counter()
    features, bounds = shop.customers()
    for customer, row in features.items():
        number = held.get(customer, 0)
        for what in ("category", "brand"):
            column, slots = SLOTS[f"top_{what}"]
            tops = [(number, f"{what}:{top}") for top in row[f"top_{what}"] or ()]
            if bounds[customer][column] > slots:
                open_[number, what] += 1
            else:
                most.update(tops)
                least.update(tops if len(tops) == 1 else ())
    told = shop.told()
    found = Counter(
        {(n, name): count for n in behaviour(told) for name, count in told.of(n).items() if ":" in name}
    )

    assert least.total() > 100
    assert [
        (number, name)
        for number, name in {*found, *most}
        if found[number, name] < least[number, name]
        or found[number, name] > most[number, name] + open_[number, name.partition(":")[0]]
    ] == []


def test_models_and_records_say_what_was_told(shop: Shop) -> None:
    """Each model holds the sums of the deltas before it; its records the figures made of them."""
    total, since, versions = NOTHING, NOTHING, 0
    definitions: dict[str, Definition] = {}
    for record in shop.sink.records:
        if record.topic == DELTAS and record.value is not None:
            review = Delta.from_bytes(record.value).review
            total, since = total.plus(review), since.plus(review)
        elif record.topic == MODELS and record.value is not None and not is_definitions(record.value):
            model = Model.from_bytes(record.value)
            assert model.standing.to_bytes() == total.to_bytes()
            assert model.review.to_bytes() == since.to_bytes()
            since, versions = NOTHING, versions + 1
        elif record.topic == DEFINITIONS and record.value is not None:
            found = decode_definition(record.value)
            definitions[found.id] = found
            if found.review is not None:
                behaviour_segment = found.set == "behaviour"
                sums = total.of(int(found.id[2:]) if behaviour_segment else shop.audiences()[found.id])
                assert found.size == sums["customers"]
                assert found.review.revenue == sums["money"] / 10_000
                assert found.review.churned_share == (
                    pytest.approx(sums.get("silent", 0) / sums["customers"], abs=1e-6)
                    if sums["customers"]
                    else None
                )

    assert versions > 3
    audiences = [d for d in definitions.values() if d.set == "audience"]
    assert sum(d.review is not None for d in audiences) > 10
    assert all(d.model_version == versions for d in audiences)
    counted = [d for d in definitions.values() if d.review is not None and d.set == "behaviour"]
    assert sum(d.share or 0 for d in counted) == pytest.approx(1, abs=0.2)
    assert all(d.differences and d.review and (d.review.top_categories or not d.size) for d in counted)
    assert len(counted) > 4

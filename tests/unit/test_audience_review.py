"""What the customers of the audiences do, counted from the profiles: as a plain count has it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

import orjson
import pytest

import streams.audience_review
from models.audiences import Definitions
from streams.audience_review import FLOW_DAYS, audience_reviews
from streams.clock import ManualClock
from streams.codec.output_records import SegmentReview
from streams.engine import Engine
from tests.engine_runs import SETTINGS, Driver, driven, in_chunks
from tests.oracle.synthetic import DAY_MS, stream


@cache
def shop() -> Driver:
    """Return customers that were decided by the audiences of `engine_runs`."""
    return driven(in_chunks(stream(seed=5, customers=25, days=12), 500)).finish().commit()


@pytest.fixture
def reviews(monkeypatch: pytest.MonkeyPatch) -> dict[str, SegmentReview]:
    """Give the reviews of the shop, by audience."""

    def engines(*_: object) -> Iterator[Engine]:
        yield shop().engine

    monkeypatch.setattr(streams.audience_review, "partitions", engines)
    return audience_reviews(SETTINGS, None, ManualClock(0))  # type: ignore[arg-type]


def members() -> dict[str, list[Any]]:
    """Return the rows of each audience's customers, and those of all under no name."""
    slots = Definitions.from_bytes(shop().log[-1]).slots
    found = defaultdict(list)
    for part in shop().engine.parts.values():
        for row in part.index.values():
            r = shop().engine.slab.rows[row]
            found[""].append(r)
            for name, slot in slots.items():
                if int(r["audience_bits"]) >> slot & 1:
                    found[name].append(r)
    return found


def money(rows: list[Any]) -> float:
    return sum(int(r["money_gross"]) - int(r["money_refunded"]) for r in rows) / 10_000


def test_figures_are_those_of_the_members(reviews: dict[str, SegmentReview]) -> None:
    """Revenue, its share of all, orders and visits; an audience without customers is not there."""
    expected = members()

    assert set(reviews) == set(expected) - {""}
    assert len(reviews) >= 3
    for name, review in reviews.items():
        rows = expected[name]
        orders, sessions = (sum(int(r[field]) for r in rows) for field in ("orders", "sessions"))
        assert review.revenue == pytest.approx(money(rows), abs=1e-6)
        assert review.revenue_share == pytest.approx(money(rows) / money(expected[""]), abs=1e-6)
        assert review.orders == orders
        assert review.conversion == pytest.approx(orders / sessions, abs=1e-6)


def test_flows_are_the_last_changes_of_the_last_days(reviews: dict[str, SegmentReview]) -> None:
    """As the change records tell, by the stream time of each customer's partition."""
    now = {
        key.decode(): max(part.stream_ms, int(shop().engine.slab.rows[row]["last_seen"]))
        for part in shop().engine.parts.values()
        for key, row in part.index.items()
    }
    last: dict[tuple[str, str], tuple[str, float]] = {}
    for _, value in shop().changes():
        change = orjson.loads(value or b"")
        p, at = change["properties"], datetime.fromisoformat(change["timestamp"]).timestamp() * 1000
        if p["cause"] == "erasure":  # nothing is left to be counted
            last.pop((p["audience_key"], change["userId"]), None)
        elif p["segment_set"] == "audience":
            last[p["audience_key"], change["userId"]] = p["change"], at // 1000 * 1000
    flows = Counter[tuple[str, str]]()
    for (name, customer), (change, at) in last.items():
        flows[name, change] += at > now[customer] - FLOW_DAYS * DAY_MS

    assert sum(flows.values()) > 10
    for name, review in reviews.items():
        assert (review.entered, review.left) == (flows[name, "entered"], flows[name, "left"])

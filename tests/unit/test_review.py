"""The review of the segments: kept over restarts, named where names are many, shown to people."""

from __future__ import annotations

import numpy as np
import orjson
import pytest
from msgspec.structs import replace

from models.calendar import Calendar
from models.clusterer import Delta, Review
from models.features import View
from models.features.tally import FAVOURITES, Tally
from models.names import Names
from models.profiles import ROW
from streams.cli.review import print_review
from streams.codec.output_records import Difference, Favourite, SegmentReview
from streams.outbox import DELTAS
from streams.records import CLICKS, CUSTOMERS
from streams.reviewing import AUDIENCE
from streams.shop.record import ShopRecord
from streams.sizes import Segment
from tests.engine_runs import HOUR_MS, Driver, driven, in_chunks, record
from tests.oracle.synthetic import DAY_MS, START_MS, stream


def rows(count: int) -> View:
    """Return customers of segment 2, the i-th with the favourite category i."""
    r = np.zeros(count, ROW)
    r["behaviour"] = 2
    r["category"][:, 0] = np.arange(1, count + 1)
    r["category_weight"][:, 0] = 1.0
    r["last_seen"] = START_MS
    return View(r, np.full(count, START_MS), Calendar.utc())


def test_of_many_names_the_most_frequent_are_kept() -> None:
    """Twenty of a segment and partition, by customers and then by name."""
    names = Names()
    for i in range(40):
        names.code("category", f"c{i:02}")
    tally = Tally(AUDIENCE)
    tally.add(rows(40), 0)
    tally.add(rows(3), 0)
    kept = {name: n for name, n in tally.review(names).of(2).items() if name.startswith("category:")}

    assert len(kept) == FAVOURITES
    assert [name for name, n in kept.items() if n == 2] == ["category:c00", "category:c01", "category:c02"]
    assert "category:c19" in kept


def test_any_portions_give_the_same_review() -> None:
    """One customer at a time, all at once; in groups beside."""
    names = Names()
    for i in range(40):
        names.code("category", f"c{i:02}")
    everyone, inside = rows(40), np.arange(80).reshape(40, 2) % 3 > 0
    everyone.r["audience_bits"] = inside @ [1, 8]
    whole, parts = Tally(AUDIENCE), Tally(AUDIENCE)
    for _ in range(3):
        whole.add(everyone, 9)
        for i in range(40):
            one = View(everyone.r[i : i + 1], everyone.now[i : i + 1], Calendar.utc())
            parts.add(one, 9)

    assert whole.review(names).to_bytes() == parts.review(names).to_bytes()
    assert whole.review(names).of(AUDIENCE)["customers"] == 3 * inside[:, 0].sum()
    assert whole.review(names).of(AUDIENCE + 3)["category:c00"] == 3 * inside[0, 1]


def test_nobody_gives_nothing() -> None:
    """An empty partition has an empty review."""
    tally = Tally(AUDIENCE)
    tally.add(rows(0), 0)

    assert not tally.review(Names())


def told(driver: Driver) -> list[int]:
    """Return entered and left altogether by all deltas, and the customers counted last."""
    total = Review()
    for r in driver.written:
        if r.topic == DELTAS:
            total = total.plus(Delta.from_bytes(r.value or b"").review)
    return [
        sum(total.of(n).get(column, 0) for n in total.numbers.tolist())
        for column in ("entered", "left", "customers")
    ]


def moves(driver: Driver) -> int:
    """Return how often a customer has entered a behaviour segment."""
    found = [orjson.loads(value or b"{}")["properties"] for _, value in driver.changes()]
    return sum(p["segment_set"] == "behaviour" and p["change"] == "entered" for p in found)


def visit(names: str, at_ms: int) -> list[ShopRecord]:
    """Return two clicks of each customer."""
    return [record(CLICKS, name, f"{at_ms} {i}", at_ms + i) for name in names for i in range(2)]


@pytest.mark.parametrize("restart", [False, True])
def test_moves_wait_for_the_next_count_also_over_a_restart(*, restart: bool) -> None:
    """Each is told once, with the first count after it; who is erased leaves, and is counted no more."""
    driver = (
        Driver().feed(visit("abcdefgh", START_MS)).feed(visit("abcdefgh", START_MS + 2 * HOUR_MS)).commit()
    )
    before, early = moves(driver), told(driver)
    if restart:
        driver = driver.successor()
    driver.feed(visit("abcdefgh", START_MS + DAY_MS)).finish().commit()
    counted = told(driver)
    driver.feed([record(CUSTOMERS, "b", 1, START_MS + DAY_MS + HOUR_MS, erase=True)]).commit()
    driver.feed(visit("abcdefgh".replace("b", ""), START_MS + 2 * DAY_MS)).finish().commit()

    assert before >= 4
    assert early == [8, 0, 8]  # counted when the model was adopted
    assert counted[0] >= before
    assert counted[2] == 8
    assert told(driver)[2] == 7
    assert told(driver)[1] == counted[1] + moves(driver) - counted[0] + 1


def test_who_is_erased_leaves_all_audiences() -> None:
    """Each is told as one who left, and is counted in none of them from then on."""
    driver = driven(in_chunks(stream(seed=5, customers=25, days=12), 500))
    slab = driver.engine.slab
    part, key = next(
        (part, key)
        for part in driver.engine.parts.values()
        for key, row in part.index.items()
        if int(slab.rows["audience_bits"][row]).bit_count() > 1
    )
    bits, before = int(slab.rows["audience_bits"][part.index[key]]), part.flows.copy()
    driver.feed([record(CUSTOMERS, key.decode(), 1, part.stream_ms, erase=True)])
    left = part.flows - before

    assert {n - AUDIENCE for n, way in left if way == "left" and n >= AUDIENCE} == {
        slot for slot in range(32) if bits >> slot & 1
    }
    assert set(left.values()) == {1}


def test_people_see_what_the_customers_of_a_segment_do(capsys: pytest.CaptureFixture[str]) -> None:
    """Figures, favourites, and what sets the segment apart; nothing at all before the first count."""
    review = SegmentReview(
        revenue=571_320.4,
        revenue_share=0.1,
        orders=4420,
        average_order=129.26,
        conversion=0.12,
        bounce_share=0.41,
        coupon_share=None,
        campaign_click_through=0.03,
        campaign_conversion=0.11,
        churned_share=0.62,
        entered=48,
        left=31,
        top_categories=(Favourite("home", 0.31),),
        top_brands=(),
    )
    different = (Difference("orders_90d", 0.1, 1.9, -0.9), Difference("money_half90d", -0.001, 36.59, -1.4))
    segment = Segment("behaviour", "b-3", "Dormant", 10, 0.1, "", review, different)
    print_review([segment, Segment("audience", "vip", "VIP", 2, 0.1, "")])
    printed = capsys.readouterr().out

    assert "revenue 571,320 (10.0%), 4,420 orders of 129.26\n" in printed  # no coupon is known of
    assert "48 in, 31 out" in printed
    assert "categories: home 31%" in printed
    assert "unlike the others: orders (90 days) 0.10 (all: 1.90)" in printed
    assert " 0.00 (all: 36.59)" in printed  # not -0.00: a mean of nothing is a hair below zero in the model
    assert "brands" not in printed
    back = replace(review, revenue=-0.4, revenue_share=-0.0001, orders=0, average_order=None)
    print_review([Segment("behaviour", "b-2", "Back", 1, 0.1, "", back)])
    assert "revenue 0 (0.0%), 0 orders\n" in capsys.readouterr().out  # refunds alone: not -0.0%
    print_review([Segment("behaviour", "b-1", "New", 0, 0.0, "")])
    assert capsys.readouterr().out == ""

"""Hypothesis strategies of event streams."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from streams.records import CLICKS, CUSTOMERS, PURCHASES, VIEWS
from streams.shop.record import ShopRecord
from tests.engine_runs import HOUR_MS, record
from tests.oracle.synthetic import DAY_MS, START_MS

MINUTE_MS = 60_000
STEPS_MS = st.sampled_from(
    [0, 1, 999, 10 * MINUTE_MS, 31 * MINUTE_MS, 5 * HOUR_MS, DAY_MS, 9 * DAY_MS, 45 * DAY_MS]
)
DELAYS_MS = st.sampled_from([0, 0, 0, 0, 1, 20 * MINUTE_MS, 2 * DAY_MS, 40 * DAY_MS])
CUSTOMERS_OF = st.sampled_from(["ann", "bob", "cyd"])
SMALL = st.integers(0, 3)

ACTIONS = ("link", "search", "add_to_cart", "remove_from_cart", "wishlist", "campaign", "offer", "rating")
Draft = tuple[int, dict[str, Any]]
"""(topic, fields)."""


def _optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


_CONTEXT = {
    "session_id": st.sampled_from(["s1", "s2"]),
    "channel": SMALL.map("channel {}".format),
    "device": SMALL.map("device {}".format),
}
_LINES = st.lists(
    st.fixed_dictionaries(
        {"unit_price": st.integers(1, 9999).map(lambda cents: cents / 100)},
        optional={"category": SMALL.map("cat {}".format), "brand": SMALL.map("brand {}".format)},
    ),
    min_size=1,
    max_size=3,
)
CLICK = _optional(
    **_CONTEXT, action=st.sampled_from(ACTIONS), rating=st.integers(0, 10), offer_id=st.just("o")
)
VIEW = _optional(
    **_CONTEXT,
    category=SMALL.map("cat {}".format),
    brand=SMALL.map("brand {}".format),
    dwell_seconds=st.integers(0, 99),
)
ORDER = _optional(
    **_CONTEXT,
    items=_LINES,
    kind=st.sampled_from(["purchase", "purchase", "refund"]),
    campaign_id=st.just("x"),
)
TOLD = st.fixed_dictionaries(
    {
        "attributes": _optional(
            birth_year=st.integers(1950, 2000),
            city=SMALL.map("city {}".format),
            country=st.sampled_from(["DE", "FR"]),
            nps=st.integers(0, 10),
            consent_marketing=st.booleans(),
        )
    }
)
BEHAVIOUR: st.SearchStrategy[Draft] = (
    st.tuples(st.just(CLICKS), CLICK) | st.tuples(st.just(VIEWS), VIEW) | st.tuples(st.just(PURCHASES), ORDER)
)
ANY: st.SearchStrategy[Draft] = (
    BEHAVIOUR
    | BEHAVIOUR
    | st.tuples(st.just(CUSTOMERS), TOLD)
    | st.tuples(st.just(CUSTOMERS), st.just({"erase": True}))
)


@st.composite
def streams(
    draw: st.DrawFn,
    drafts: st.SearchStrategy[Draft] = ANY,
    *,
    delays: st.SearchStrategy[int] = DELAYS_MS,
    steps: st.SearchStrategy[int] = STEPS_MS,
    customers: st.SearchStrategy[str] = CUSTOMERS_OF,
    min_size: int = 1,
    max_size: int = 25,
) -> list[ShopRecord]:
    """Return records of a few customers in delivery order, some of them late by their delay."""
    event = st.tuples(customers, drafts, steps, delays)
    drawn = draw(st.lists(event, min_size=min_size, max_size=max_size))
    now_ms, records = START_MS, []
    for number, (customer, (topic, fields), step_ms, delay_ms) in enumerate(drawn):
        now_ms += step_ms
        records.append(record(topic, customer, number, now_ms - delay_ms, **fields))
    return records


@st.composite
def cut(draw: st.DrawFn, records: list[ShopRecord]) -> list[list[ShopRecord]]:
    """Return the records in chunks of random sizes."""
    at = sorted(draw(st.sets(st.integers(1, max(len(records) - 1, 1)), max_size=6)))
    return [records[a:b] for a, b in zip([0, *at], [*at, len(records)], strict=True)]

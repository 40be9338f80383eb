"""Day rings, the order ring and the slots of names, event by event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from models.calendar import Calendar
from models.events import Attributes, Events, Kind, Lines, Texts
from models.features import BY_NAME, View
from models.names import Names
from models.packed import Packed
from models.profiles import ROW, update
from streams.coding import to_columns

DAY_MS = 86_400_000
FIRST_DAY = 20_454
"""2026-01-01."""
EUR = 10_000


def events(given: Sequence[dict[str, Any]]) -> Events:
    """Return events of one customer; `day` and `ms` are their time, the rest are columns."""
    n = len(given)
    flag, zero = np.zeros(n, np.bool_), np.zeros(n, np.int64)

    def column(name: str, default: int, kind: Any = np.int64) -> Any:
        return np.array([e.get(name, default) for e in given], kind)

    def texts(name: str) -> Texts:
        return Texts.of(e.get(name) for e in given)

    return Events(
        source=np.arange(n), partition=np.zeros(n, np.int32), key=Packed.of([b"c"] * n),
        kind=column("kind", Kind.VIEW, np.uint8),
        time=(FIRST_DAY + column("day", 0)) * DAY_MS + column("ms", 0),
        event_hash=column("id", 0, np.uint64) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(1 << 32),
        session=zero.astype(np.uint64), action=zero.astype(np.uint8), campaign=flag, offer=flag,
        rating=np.full(n, -1, np.int32), dwell=column("dwell", 0), money=column("money", 0), discount=zero,
        items=zero, channel=texts("channel"), device=texts("device"), country=texts("country"),
        category=texts("category"), brand=texts("brand"), lines=Lines(zero[:0], Texts.of([]), Texts.of([])),
        attributes={i: e["told"] for i, e in enumerate(given) if "told" in e},
    )  # fmt: skip


class Customer:
    """A row and what is known of it."""

    def __init__(self) -> None:
        self.row = np.zeros(1, ROW)
        self.names = Names()
        self._done = 0

    def do(self, *given: dict[str, Any]) -> Customer:
        """Apply events in this order."""
        self._done += 1
        columns = to_columns(
            events([{"id": self._done, **e} for e in given]), {0: self.names}, Calendar.utc()
        )
        update(self.row, np.zeros(len(given), np.intp), columns)
        return self

    def feature(self, name: str, day: int) -> float:
        """Return a feature as of the end of a day."""
        now = np.array([(FIRST_DAY + day + 1) * DAY_MS - 1])
        return float(BY_NAME[name].value(View(self.row, now, Calendar.utc()))[0])

    def named(self, name: str, day: int) -> str | None:
        """Return the name that a feature stands for."""
        return self.names.name(BY_NAME[name].namespace or "", self.feature(name, day))


def orders(*days: int, money: int = EUR) -> list[dict[str, Any]]:
    """Return an order on each day."""
    return [{"kind": Kind.PURCHASE, "day": day, "money": money} for day in days]


@pytest.mark.parametrize("gap", [1, 29, 30, 31, 59, 60, 61, 400])
def test_views_of_before_a_gap(gap: int) -> None:
    """A view counts for 30 days, today included, and does not come back when its cell is used again."""
    customer = Customer().do({"day": 0}, {"day": 0}, {"day": gap})

    assert customer.feature("views_30d", gap) == (3 if gap < 30 else 1)
    assert customer.feature("views_1d", gap) == 1
    assert customer.feature("views_30d", gap + 30) == 0
    assert customer.feature("views_total", gap) == 3


def test_late_views() -> None:
    """A late view counts on its own day, one of before the ring in the total alone."""
    customer = Customer().do({"day": 100}, {"day": 71}, {"day": 70}, {"day": 94})

    assert customer.feature("views_30d", 100) == 3
    assert customer.feature("views_7d", 100) == 2
    assert customer.feature("views_1d", 100) == 1
    assert customer.feature("views_total", 100) == 4


def test_a_full_day_stays_full() -> None:
    """Counters of a day stop at what they can hold instead of starting over."""
    customer = Customer().do({"day": 0})
    customer.row["views_day"][0, FIRST_DAY % 30] = 0xFFFF
    customer.do({"day": 0})

    assert customer.feature("views_1d", 0) == 0xFFFF


def test_seventeen_order_days_are_exact() -> None:
    """The ring holds 17 days one by one, whatever their order."""
    days = [16, 3, 0, 7, 12, 1, 2, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15]
    customer = Customer().do(*orders(*days), *orders(3))

    assert customer.feature("orders_exact", 16) == 1
    assert customer.feature("orders_30d", 16) == 18
    assert customer.feature("orders_30d", 16 + 29) == 2 - 1
    assert customer.feature("money_30d", 3 + 30) == 18 - 5


@pytest.mark.parametrize("late", [[], [-300], [-250, -320], [-270], [-200, -199]])
def test_sixteen_days_in_a_window_are_exact(late: list[int]) -> None:
    """Orders of 16 days in a window are exact after any number of older days, late ones included."""
    old, new = range(-300, -200, 7), range(0, 80, 5)
    customer = Customer().do(*orders(*old), *orders(*new), *orders(*late))
    assert len(new) == 16

    assert customer.feature("orders_90d", 79) == 16
    assert customer.feature("money_90d", 79) == 16
    assert customer.feature("orders_30d", 79) == sum(day > 49 for day in new)
    assert customer.feature("orders_exact", 79) == 0
    assert customer.feature("orders_exact", 79 + 365) == 1
    assert customer.feature("orders_total", 79) == len(old) + 16 + len(late)


def test_a_merged_window_says_so() -> None:
    """Of more than 17 days in a window the oldest count at the newest of theirs, and the flag is off."""
    customer = Customer().do(*orders(*range(20)))

    assert customer.feature("orders_exact", 19) == 0
    assert customer.feature("orders_30d", 19) == 20
    assert customer.feature("orders_30d", 3 + 29) == 16 + 4
    assert customer.feature("orders_30d", 3 + 30) == 16
    assert customer.feature("money_365d", 19) == 20


def test_refunds_are_negative_at_their_own_time() -> None:
    """A refund lowers the windows of its own day and leaves gross money and orders alone."""
    refund = {"kind": Kind.REFUND, "day": 40, "money": 3 * EUR}
    customer = Customer().do(*orders(0, money=5 * EUR), refund)

    assert customer.feature("money_30d", 40) == -3
    assert customer.feature("money_90d", 40) == 2
    assert customer.feature("money_total", 40) == 5
    assert customer.feature("refunds_total", 40) == 3
    assert customer.feature("orders_90d", 40) == 1


def test_what_is_refunded_is_no_interest() -> None:
    """The lines of a refund tell of no interest. Caught a bug: they weighed as much as those of orders."""
    customer = Customer()
    given = events([{"category": "hats"}, {"kind": Kind.REFUND}])
    given.lines = Lines(np.array([1, 1]), Texts.of(["shoes", "shoes"]), Texts.of([None, None]))
    update(customer.row, np.zeros(2, np.intp), to_columns(given, {0: customer.names}, Calendar.utc()))

    assert customer.named("top_category", 0) == "hats"
    assert customer.feature("top_category_share", 0) == 1


def test_slots_keep_the_heavy_names() -> None:
    """A favourite stays through a hundred others, and its weight is too high by the lightest slot at most."""
    views = [{"category": "hats"} if i % 3 == 0 else {"category": f"cat {i}"} for i in range(300)]
    customer = Customer().do(*views)

    assert customer.named("top_category", 0) == "hats"
    lightest = customer.row["category_weight"][0].min()
    assert 100 <= customer.row["category_weight"][0].max() <= 100 + lightest
    assert customer.row["category_weight"][0].sum() == pytest.approx(300)
    assert customer.feature("top_category_share", 0) >= 1 / 3


def test_channels_and_devices() -> None:
    """The commonest is the main one; of more than 4 channels, 4 are counted."""
    used = [{"channel": c, "device": "tv"} for c in ["web", "app", "app", "mail", "store", "app", "kiosk"]]
    customer = Customer().do(*used, {"device": "phone"})

    assert customer.named("channel_main", 0) == "app"
    assert customer.named("device_main", 0) == "tv"
    assert customer.feature("channels", 0) == 4


def told(ms: int, **attributes: Any) -> dict[str, Any]:
    """Return an event that tells attributes."""
    return {"kind": Kind.ATTRIBUTES, "ms": ms, "told": Attributes(**attributes)}


def test_last_write_wins_to_the_millisecond() -> None:
    """The newest value by event time stays; at the same time the one delivered last; each by itself."""
    customer = Customer().do(
        told(1000, city="Bonn", nps=3),
        told(1001, city="Lyon"),
        told(1000, city="Rome", nps=0),
        told(999, nps=9, birth_year=1990),
    )

    assert customer.named("city", 0) == "Lyon"
    assert customer.feature("nps", 0) == 0
    assert customer.feature("age", 0) == 36
    assert np.isnan(customer.feature("consent_marketing", 0))
    assert customer.do(told(0, consent_marketing=False)).feature("consent_marketing", 0) == 0


def test_attributes_are_no_visit() -> None:
    """What is told about a customer is not a thing that they did."""
    customer = Customer().do(told(5, city="Bonn"))

    assert np.isnan(customer.feature("days_since_seen", 0))
    assert customer.feature("sessions_total", 0) == 0


def test_the_last_eight_ids_are_known() -> None:
    """An id among the last 8 accepted ones is ignored; the ninth is a new event."""
    customer = Customer()
    given = events([{}] * 9)
    columns = to_columns(given, {0: customer.names}, Calendar.utc())
    update(customer.row, np.zeros(9, np.intp), columns)
    again = update(customer.row, np.zeros(9, np.intp), columns.take(np.array([1, 2, 3, 4, 5, 6, 7, 8, 0])))

    assert again.accepted.tolist() == [False] * 8 + [True]
    assert customer.feature("views_total", 0) == 10

"""Orders and refunds: totals, decayed sums, and a ring of days with orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.calendar import DAY_MS
from models.events import I64, Bool, Kind
from models.profiles.layout import ORDER_HALF_LIVES_D

if TYPE_CHECKING:  # a cycle: update imports this module
    from models.profiles.update import Columns

_PURCHASE = int(Kind.PURCHASE)  # an enum's attribute costs a microsecond
ORDER_PER_MS = 1 / (np.array(ORDER_HALF_LIVES_D, np.float64) * DAY_MS)


def add(r: NDArray[np.void], c: Columns) -> None:
    """Add one purchase or refund per row; in place.

    A refund is a negative amount at its own time: gross and order counts leave it out, windows and decayed
    sums contain it.
    """
    bought = c.kind == _PURCHASE
    net = np.where(bought, c.money, -c.money)
    r["orders"] += bought
    r["refunds"] += ~bought
    r["items"] = np.minimum(r["items"].astype(np.int64) + np.where(bought, c.items, 0), 0xFFFFFFFF)
    r["coupon_orders"] += bought & c.offer
    r["campaign_orders"] += bought & c.campaign
    r["money_gross"] += np.where(bought, c.money, 0)
    r["money_refunded"] += np.where(bought, 0, c.money)
    r["money_discounted"] += np.where(bought, c.discount, 0)
    earlier = np.where(r["first_order"] == 0, c.time, np.minimum(r["first_order"], c.time))
    r["first_order"] = np.where(bought, earlier, r["first_order"])
    r["last_order"] = np.where(bought, np.maximum(r["last_order"], c.time), r["last_order"])
    _decay_and_add(r, c.time, bought, net)
    _add_to_ring(r, c.day, net, bought, bought & c.campaign)


def _decay_and_add(r: NDArray[np.void], time: I64, bought: Bool, net: I64) -> None:
    age = np.where(r["order_decay_at"] > 0, time - r["order_decay_at"], 0)[:, None]
    fade = np.exp2(-(np.maximum(age, 0) * ORDER_PER_MS))
    weight = np.exp2(-(np.maximum(-age, 0) * ORDER_PER_MS))
    r["orders_half"] = r["orders_half"] * fade + weight * bought[:, None]
    r["money_half"] = r["money_half"] * fade + weight * net[:, None]
    r["order_decay_at"] = np.maximum(r["order_decay_at"], time)


def _add_to_ring(r: NDArray[np.void], day: I64, net: I64, bought: Bool, campaign: Bool) -> None:
    days = r["order_day"].astype(np.int64)
    same = days == day[:, None]
    full = ~(same.any(axis=1) | (days == 0).any(axis=1))
    if full.any():
        day = _merge_oldest(r, np.flatnonzero(full), day)
        days = r["order_day"].astype(np.int64)
        same = days == day[:, None]
    place = np.where(same.any(axis=1), same.argmax(axis=1), (days == 0).argmax(axis=1))
    m = np.arange(len(r))
    r["order_day"][m, place] = day
    r["order_money"][m, place] += net
    r["order_count"][m, place] = np.minimum(r["order_count"][m, place] + bought.astype(np.int64), 0xFFFF)
    r["order_campaigns"][m, place] = np.minimum(
        r["order_campaigns"][m, place] + campaign.astype(np.int64), 0xFF
    )


def _merge_oldest(r: NDArray[np.void], full: NDArray[np.intp], day: I64) -> I64:
    """Make room in full rings: the two oldest of their entries and the new day become one, at the newer day.

    Returns:
        (n,) the day under which each row's new entry goes: its own, or that of the entry it has joined.
    """
    ranked = np.argsort(r["order_day"][full], axis=1, kind="stable")
    oldest, second = ranked[:, 0], ranked[:, 1]
    joins = day[full] < r["order_day"][full, second].astype(np.int64)
    r["merged"][full] = 1
    day = day.copy()
    rows, slot = full[joins], oldest[joins]
    day[rows] = np.maximum(day[rows], r["order_day"][rows, slot].astype(np.int64))
    r["order_day"][rows, slot] = day[rows]
    rows, source, target = full[~joins], oldest[~joins], second[~joins]
    r["order_money"][rows, target] += r["order_money"][rows, source]
    for name, most in (("order_count", 0xFFFF), ("order_campaigns", 0xFF)):
        total = r[name][rows, target].astype(np.int64) + r[name][rows, source]
        r[name][rows, target] = np.minimum(total, most)
        r[name][rows, source] = 0
    r["order_money"][rows, source] = 0
    r["order_day"][rows, source] = 0
    return day

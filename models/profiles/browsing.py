"""Counts of clicks and views, by day and decayed, and the slots of channels, devices and interests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.calendar import DAY_MS
from models.events import F64, I32, I64, Action, Bool, Kind
from models.profiles.layout import BROWSE_HALF_LIVES_D, INTEREST_HALF_LIFE_D, RING_DAYS

if TYPE_CHECKING:  # a cycle: update imports this module
    from models.profiles.update import Columns

_VIEW, _CLICK = int(Kind.VIEW), int(Kind.CLICK)  # an enum's attribute costs a microsecond
_SEARCH, _WISHLIST = int(Action.SEARCH), int(Action.WISHLIST)
_ADD_TO_CART, _REMOVE_FROM_CART = int(Action.ADD_TO_CART), int(Action.REMOVE_FROM_CART)
_CAMPAIGN, _OFFER = int(Action.CAMPAIGN), int(Action.OFFER)
_RINGS = ("views_day", "clicks_day", "dwell_day", "sessions_day", "carts_day", "campaigns_day")
_CELLS = np.arange(RING_DAYS)
_BROWSE_PER_MS = 1 / (np.array(BROWSE_HALF_LIVES_D, np.float64) * DAY_MS)
INTEREST_PER_MS = 1 / (INTEREST_HALF_LIFE_D * DAY_MS)
_COUNT_MAX = 0xFFFF


def roll_days(r: NDArray[np.void], day: I64) -> None:
    """Move the rings on to a newer day and clear what has fallen out; in place."""
    head = r["ring_day"].astype(np.int64)
    newer = np.flatnonzero(day > head)
    if not len(newer):
        return
    ahead = (_CELLS - head[newer, None] - 1) % RING_DAYS  # days after the head that a cell stands for next
    stale = ahead < (day - head)[newer, None]
    for ring in _RINGS:
        cells = r[ring][newer]
        cells[stale] = 0
        r[ring][newer] = cells
    r["ring_day"][newer] = day[newer]


def add_to_day(r: NDArray[np.void], ring: str, day: I64, amount: I64 | Bool, most: int) -> None:
    """Add to the cell of a day that is still in the ring; a full cell stays at `most`; in place."""
    hit = np.flatnonzero((amount > 0) & (day > r["ring_day"].astype(np.int64) - RING_DAYS))
    if len(hit):
        cell = day[hit] % RING_DAYS
        r[ring][hit, cell] = np.minimum(r[ring][hit, cell] + amount[hit].astype(np.int64), most)


def decay(r: NDArray[np.void], time: I64) -> None:
    """Let the browsing sums age to the event's time, where that is newer; in place."""
    age = time - r["last_seen"]
    aging = np.flatnonzero((age > 0) & (r["last_seen"] > 0))
    if len(aging):
        factor = np.exp2(-(age[aging, None] * _BROWSE_PER_MS))
        r["views_half"][aging] *= factor
        r["clicks_half"][aging] *= factor


def count(r: NDArray[np.void], c: Columns) -> None:
    """Count one event per row in totals, days and decayed sums; in place."""
    view = c.kind == _VIEW
    click = c.kind == _CLICK
    late = np.maximum(r["last_seen"] - c.time, 0)
    weight = np.exp2(-(late[:, None] * _BROWSE_PER_MS))
    r["views_half"] += np.where(view[:, None], weight, 0.0)
    r["clicks_half"] += np.where(click[:, None], weight, 0.0)
    r["views"] += view
    r["clicks"] += click
    add_to_day(r, "views_day", c.day, view, 0xFFFF)
    add_to_day(r, "clicks_day", c.day, click, 0xFFFF)
    r["last_view"] = np.where(view, np.maximum(r["last_view"], c.time), r["last_view"])
    r["last_click"] = np.where(click, np.maximum(r["last_click"], c.time), r["last_click"])
    r["weekend"] += c.weekend
    r["evening"] += c.evening
    if click.any():
        _count_actions(r, c, click)
    add_to_counts(r, "channel", c.channel)
    add_to_counts(r, "device", c.device)


def _count_actions(r: NDArray[np.void], c: Columns, click: Bool) -> None:
    adds = click & (c.action == _ADD_TO_CART)
    campaign = click & ((c.action == _CAMPAIGN) | c.campaign)
    rated = click & (c.rating >= 0)
    r["searches"] += click & (c.action == _SEARCH)
    r["cart_adds"] += adds
    r["cart_removes"] += click & (c.action == _REMOVE_FROM_CART)
    r["wishlists"] += click & (c.action == _WISHLIST)
    r["campaign_clicks"] += campaign
    r["offer_clicks"] += click & ((c.action == _OFFER) | c.offer)
    r["ratings"] += rated
    r["rating_sum"] += np.where(rated, c.rating, 0)
    r["last_cart_add"] = np.where(adds, np.maximum(r["last_cart_add"], c.time), r["last_cart_add"])
    add_to_day(r, "carts_day", c.day, adds, 0xFF)
    add_to_day(r, "campaigns_day", c.day, campaign, 0xFF)


def add_to_counts(r: NDArray[np.void], slots: str, code: I32) -> None:
    """Count a channel or device; a new one takes a free slot or the rarest (space saving); in place."""
    hit = np.flatnonzero(code)
    if not len(hit):
        return
    counts = slots + "_count"
    held = r[slots][hit]
    have = r[counts][hit].astype(np.int64)
    place = _place(held, have, code[hit])
    rows = np.arange(len(hit))
    held[rows, place] = code[hit]
    have[rows, place] = np.minimum(have[rows, place] + 1, _COUNT_MAX)
    r[slots][hit] = held
    r[counts][hit] = have


def _place(held: NDArray[np.uint16], weight: F64 | I64, code: I32) -> NDArray[np.intp]:
    """Return the slot of each code: its own, else a free one, else the lightest, whose weight it inherits.

    Metwally, Agrawal, El Abbadi 2005 (space saving): a weight is too high by at most the lightest one.
    """
    same = held == code[:, None]
    worth = np.where(held == 0, -1, weight)
    return np.where(same.any(axis=1), same.argmax(axis=1), worth.argmin(axis=1))


def add_interests(r: NDArray[np.void], c: Columns) -> None:
    """Add what each event says of categories and brands; in place."""
    age = np.where(r["interest_at"] > 0, c.time - r["interest_at"], 0)
    fade = np.exp2(-(np.maximum(age, 0) * INTEREST_PER_MS))
    for name in ("category_weight", "brand_weight"):
        r[name] *= fade[:, None]
    for name in ("category_total", "brand_total"):
        r[name] *= fade
    weight = np.exp2(-(np.maximum(-age, 0) * INTEREST_PER_MS))
    r["interest_at"] = np.maximum(r["interest_at"], c.time)
    first, last = c.interest[:, 0], c.interest[:, 1]
    for rank in range(int((last - first).max())):
        hit = np.flatnonzero(first + rank < last)
        entry = first[hit] + rank
        amount = weight[hit] * c.interest_weight[entry]
        _add_interest(r, "category", hit, c.interest_category[entry], amount)
        _add_interest(r, "brand", hit, c.interest_brand[entry], amount)


def _add_interest(r: NDArray[np.void], what: str, hit: NDArray[np.intp], code: I32, amount: F64) -> None:
    known = code != 0
    hit, code, amount = hit[known], code[known], amount[known]
    if not len(hit):
        return
    held = r[what][hit]
    weight = r[what + "_weight"][hit]
    place = _place(held, weight, code)
    rows = np.arange(len(hit))
    held[rows, place] = code
    weight[rows, place] += amount
    r[what][hit] = held
    r[what + "_weight"][hit] = weight
    r[what + "_total"][hit] += amount

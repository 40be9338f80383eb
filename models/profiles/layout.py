"""The row of a customer: two blocks of bytes, `hot` (every event) and `cold` (orders, interests, attributes).

The order of the fields is the format of the changelog: a change of it is a new SCHEMA_VERSION.
Times are epoch milliseconds, 0 for never; days count from 1970-01-01; money is in 1/10,000.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SCHEMA_VERSION = 1
"""Version of the row's format, the first byte of each changelog value."""

RING_DAYS = 30
"""Days kept one by one for browsing counts; what is older counts in totals and decayed sums only."""
RECENT_IDS = 8
"""Accepted event ids remembered per customer against duplicates."""
ORDER_DAYS = 17
"""Entries of the order ring: 16 days with orders exactly, and one older entry that holds the rest."""
CATEGORY_SLOTS = 6
BRAND_SLOTS = 4
CHANNEL_SLOTS = 4
DEVICE_SLOTS = 3
AUDIENCES = 32
"""Audiences a row has room for."""

BROWSE_HALF_LIVES_D = (1, 7, 30, 90)
ORDER_HALF_LIVES_D = (30, 90)
INTEREST_HALF_LIFE_D = 90

ATTRIBUTE_FIELDS = ("birth_year", "gender", "country", "city", "loyalty_tier", "consent_marketing", "nps")
"""Attributes in the order of `attribute_ms`; each is overwritten by a newer occurred_at only."""
COUNTRY = ATTRIBUTE_FIELDS.index("country")

PENDING_VIEW = 1
"""Flag: the last event was a view whose dwell time ends with the next event of the session."""
SINGLE_EVENT = 2
"""Flag: the current session has one event so far (it counts as a bounce until it has two)."""

_HOT = [
    ("first_seen", "<i8"),
    ("last_seen", "<i8"),  # newest event; also the reference time of the browsing decays
    ("last_view", "<i8"),
    ("last_click", "<i8"),
    ("last_cart_add", "<i8"),
    ("behaviour_since", "<i8"),
    ("ids", "<u8", RECENT_IDS),
    ("session", "<u8"),  # last session id seen, hashed
    ("rating_sum", "<i8"),  # in 1/1000
    ("session_ms", "<i8"),
    ("dwell_ms", "<i8"),
    ("views_half", "<f8", len(BROWSE_HALF_LIVES_D)),
    ("clicks_half", "<f8", len(BROWSE_HALF_LIVES_D)),
    ("events", "<u4"),  # accepted events of any kind; modulo RECENT_IDS it is the next place in ids
    ("views", "<u4"),
    ("clicks", "<u4"),
    ("searches", "<u4"),
    ("cart_adds", "<u4"),
    ("cart_removes", "<u4"),
    ("wishlists", "<u4"),
    ("campaign_clicks", "<u4"),
    ("offer_clicks", "<u4"),
    ("ratings", "<u4"),
    ("sessions", "<u4"),
    ("bounces", "<u4"),
    ("weekend", "<u4"),
    ("evening", "<u4"),
    ("sequence", "<u4"),  # change records emitted for the customer so far
    ("behaviour", "<u4"),  # number of the behaviour segment, 0 for none
    ("model_version", "<u4"),
    ("definitions_version", "<u4"),
    ("views_day", "<u2", RING_DAYS),
    ("clicks_day", "<u2", RING_DAYS),
    ("dwell_day", "<u2", RING_DAYS),  # seconds
    ("channel", "<u2", CHANNEL_SLOTS),
    ("channel_count", "<u2", CHANNEL_SLOTS),
    ("device", "<u2", DEVICE_SLOTS),
    ("device_count", "<u2", DEVICE_SLOTS),
    ("ring_day", "<u2"),  # newest day in the rings
    ("learned_day", "<u2"),  # newest day on which the clusterer learnt from this customer
    ("sessions_day", "u1", RING_DAYS),
    ("carts_day", "u1", RING_DAYS),
    ("campaigns_day", "u1", RING_DAYS),
    ("flags", "u1"),
    ("hot_pad", "u1"),
]
_COLD = [
    ("first_order", "<i8"),
    ("last_order", "<i8"),
    ("money_gross", "<i8"),
    ("money_refunded", "<i8"),
    ("money_discounted", "<i8"),
    ("order_decay_at", "<i8"),
    ("interest_at", "<i8"),
    ("order_money", "<i8", ORDER_DAYS),  # net of the day
    ("orders_half", "<f8", len(ORDER_HALF_LIVES_D)),
    ("money_half", "<f8", len(ORDER_HALF_LIVES_D)),
    ("category_weight", "<f8", CATEGORY_SLOTS),
    ("brand_weight", "<f8", BRAND_SLOTS),
    ("category_total", "<f8"),
    ("brand_total", "<f8"),
    ("orders", "<u4"),
    ("refunds", "<u4"),
    ("items", "<u4"),
    ("coupon_orders", "<u4"),
    ("campaign_orders", "<u4"),
    ("audience_bits", "<u4"),
    ("audience_since_s", "<u4", AUDIENCES),  # entered (bit set) or left (bit clear), epoch seconds
    ("attribute_low", "<u4", len(ATTRIBUTE_FIELDS)),  # occurred_at in ms, low and high part
    ("attribute_high", "<u2", len(ATTRIBUTE_FIELDS)),
    ("order_day", "<u2", ORDER_DAYS),  # 0: free
    ("order_count", "<u2", ORDER_DAYS),
    ("category", "<u2", CATEGORY_SLOTS),
    ("brand", "<u2", BRAND_SLOTS),
    ("birth_year", "<u2"),
    ("gender", "<u2"),
    ("country", "<u2"),
    ("city", "<u2"),
    ("loyalty_tier", "<u2"),
    ("order_campaigns", "u1", ORDER_DAYS),
    ("consent_marketing", "u1"),
    ("nps", "i1"),
    ("merged", "u1"),  # 1: the oldest entry of the order ring holds several days
]

HOT = np.dtype(_HOT)
COLD = np.dtype(_COLD)
ROW = np.dtype(_HOT + _COLD)
HOT_BYTES = HOT.itemsize
COLD_BYTES = COLD.itemsize
ROW_BYTES = ROW.itemsize
MAX_ROW_BYTES = 1216
"""Budget of a row: restore, sweep and changelog cost follow from it."""

_VOID = np.dtype((np.void, ROW_BYTES))


def gather(rows: NDArray[np.void], index: NDArray[np.intp]) -> NDArray[np.void]:
    """Return a copy of the rows at `index`; as opaque bytes, which is several times faster than by fields."""
    return rows.view(_VOID).take(index).view(ROW)


def scatter(rows: NDArray[np.void], index: NDArray[np.intp], values: NDArray[np.void]) -> None:
    """Write rows at `index`."""
    rows.view(_VOID)[index] = values.view(_VOID)

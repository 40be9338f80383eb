"""Apply events to rows one after the other: compiled, see `models.compiled`.

`r` is a row, a record of dtype `layout.ROW`, changed in place; `e` an event, a record of dtype
`columns.EVENT`. Both stand for memory, not for copies. Rings and slots are as long as the row's fields.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from models.calendar import DAY_MS
from models.compiled import bare, bare_kernel
from models.events import F64, I32, I64, U64, Bool
from models.profiles.columns import Times, Told

Row: TypeAlias = Any
Event: TypeAlias = Any
Cells: TypeAlias = Any  # an array that is a field of a row

# These codes are the format of rows and columns (`models.events`, `layout`): they stay as they are.
CLICK, VIEW, PURCHASE, REFUND = 0, 1, 2, 3
SEARCH, ADD_TO_CART, REMOVE_FROM_CART, WISHLIST, CAMPAIGN, OFFER = 1, 2, 3, 4, 5, 6
PENDING_VIEW, SINGLE_EVENT = 1, 2
BIRTH_YEAR, GENDER, COUNTRY, CITY, LOYALTY_TIER, CONSENT_MARKETING, NPS = 0, 1, 2, 3, 4, 5, 6
NPS_SHIFT = 1000
"""Added to an NPS value in attribute columns, where -1 means not given."""
SESSION_GAP_MS = 30 * 60_000
"""Silence that ends a session without id, and the longest dwell time taken from a gap."""
U8_MAX, U16_MAX, U32_MAX = 0xFF, 0xFFFF, 0xFFFFFFFF


@bare_kernel
def apply_events(
    slab: Row,
    words: U64,
    rows: I64,
    order: I64,
    events: Event,
    told: Told,
    times: Times,
    before: U64,
    after: U64,
    accepted: Bool,
    late: Bool,
) -> None:
    """Apply n events of g customers in the given order.

    Args:
        slab: all rows.
        words: (rows, w) the same memory as 64-bit words.
        rows: (n,) the row of each event's customer.
        order: (n,) the events, those of a customer together and in delivery order.
        events: (n,)
        told: by the events.
        times: how time counts.
        before: (g, w) receives each customer's row before the first event.
        after: (n, w) receives the row after each event.
        accepted: (n,) receives whether the event's id was new to the customer.
        late: (n,) receives whether the event was older than the customer's newest one.
    """
    group = 0
    for place in range(len(order)):
        i = order[place]
        at = rows[i]
        if place == 0 or at != rows[order[place - 1]]:
            for word in range(words.shape[1]):  # so memory is waited for once, not place by place
                before[group, word] = words[at, word]
            group += 1
        r, e = slab[at], events[i]
        late[i] = e.time < r.last_seen
        accepted[i] = _is_new(r, e.event_hash)
        if accepted[i]:
            r.ids[r.events % len(r.ids)] = e.event_hash
            r.events += 1
            _set_attributes(r, e, told.attributes)
            if e.kind <= REFUND:
                _behave(r, e, told, times)
        for word in range(words.shape[1]):
            after[i, word] = words[at, word]


@bare
def _is_new(r: Row, event_hash: int) -> bool:
    """Return whether an id is not among the last accepted ones."""
    for known in r.ids:  # noqa: SIM110 - compiled: `any` of a generator is not
        if known == event_hash:
            return False
    return True


@bare
def _behave(r: Row, e: Event, told: Told, times: Times) -> None:
    """Apply a click, view, purchase or refund."""
    _roll_days(r, e.day)
    _advance_session(r, e, times)
    _decay(r, e.time, times.browse)
    if e.kind == VIEW:
        _count_view(r, e, times.browse)
    elif e.kind == CLICK:
        _count_click(r, e, times.browse)
    else:
        _add_order(r, e, times.order)
    r.weekend += e.weekend
    r.evening += e.evening
    _count_name(r.channel, r.channel_count, e.channel)
    _count_name(r.device, r.device_count, e.device)
    if e.told_to > e.told_from and e.kind != REFUND:
        _add_interests(r, e, told, times.interest)
    r.first_seen = e.time if r.first_seen == 0 else min(r.first_seen, e.time)
    r.last_seen = max(r.last_seen, e.time)


@bare
def _roll_days(r: Row, day: int) -> None:
    """Move the rings on to a newer day and clear what has fallen out."""
    head, size = r.ring_day, len(r.views_day)
    for newer in range(head + 1, min(day, head + size) + 1):
        cell = newer % size
        r.views_day[cell] = 0
        r.clicks_day[cell] = 0
        r.dwell_day[cell] = 0
        r.sessions_day[cell] = 0
        r.carts_day[cell] = 0
        r.campaigns_day[cell] = 0
    r.ring_day = max(head, day)


@bare
def _add_to_day(r: Row, ring: Cells, day: int, amount: int, most: int) -> None:
    """Add to the cell of a day that is still in the ring; a full cell stays at `most`."""
    if day > np.int64(r.ring_day) - len(ring):
        cell = day % len(ring)
        ring[cell] = min(np.int64(ring[cell]) + amount, most)


@bare
def _advance_session(r: Row, e: Event, times: Times) -> None:
    """Open, lengthen or leave the session, before last_seen moves on.

    A session without id ends after 30 minutes of silence; one with an id lasts as long as its id is the
    newest. Late events and refunds open none. So sessions, and dwell times that a view does not state,
    depend on the order of delivery.
    """
    if e.time >= r.last_seen:
        if _is_other_session(r, e) and e.kind != REFUND:
            r.sessions += 1
            r.bounces += 1
            _add_to_day(r, r.sessions_day, e.day, 1, U8_MAX)
            r.flags = SINGLE_EVENT
        elif e.kind != REFUND:
            _go_on(r, e, times)
            r.flags = 0
        else:
            r.flags &= SINGLE_EVENT
        if e.kind == VIEW and e.dwell < 0:
            r.flags |= PENDING_VIEW
        if e.session != 0:
            r.session = e.session
    if e.kind == VIEW and e.dwell > 0:
        r.dwell_ms += e.dwell
        _add_to_day(r, r.dwell_day, e.day, (e.dwell + 500) // 1000, U16_MAX)


@bare
def _is_other_session(r: Row, e: Event) -> bool:
    """Return whether an event belongs to another session than the newest one."""
    if r.sessions == 0:
        return True
    if e.session != 0 and r.session != 0:
        return bool(e.session != r.session)
    return bool(r.last_seen == 0 or e.time - r.last_seen > SESSION_GAP_MS)


@bare
def _go_on(r: Row, e: Event, times: Times) -> None:
    """Lengthen the session up to an event."""
    gap = e.time - r.last_seen
    r.session_ms += gap
    if r.flags & SINGLE_EVENT:
        r.bounces -= 1
    if r.flags & PENDING_VIEW:
        dwell = min(gap, SESSION_GAP_MS)
        r.dwell_ms += dwell
        offset = times.offsets[np.searchsorted(times.transitions, r.last_seen, side="right")]
        day = (r.last_seen + offset) // DAY_MS  # as `Calendar.day`
        _add_to_day(r, r.dwell_day, day, (dwell + 500) // 1000, U16_MAX)


@bare
def _decay(r: Row, time: int, per_ms: F64) -> None:
    """Let the browsing sums age to the event's time, where that is newer."""
    if 0 < r.last_seen < time:
        age = time - r.last_seen
        for j in range(len(per_ms)):
            factor = np.exp2(-(age * per_ms[j]))
            r.views_half[j] *= factor
            r.clicks_half[j] *= factor


@bare
def _add_aged(r: Row, sums: Cells, time: int, per_ms: F64) -> None:
    """Count one event in decayed sums as of last_seen; a late one counts less."""
    late = max(r.last_seen - time, 0)
    for j in range(len(per_ms)):
        sums[j] += np.exp2(-(late * per_ms[j])) if late else 1.0


@bare
def _count_view(r: Row, e: Event, per_ms: F64) -> None:
    _add_aged(r, r.views_half, e.time, per_ms)
    r.views += 1
    _add_to_day(r, r.views_day, e.day, 1, U16_MAX)
    r.last_view = max(r.last_view, e.time)


@bare
def _count_click(r: Row, e: Event, per_ms: F64) -> None:
    _add_aged(r, r.clicks_half, e.time, per_ms)
    r.clicks += 1
    _add_to_day(r, r.clicks_day, e.day, 1, U16_MAX)
    r.last_click = max(r.last_click, e.time)
    if e.action == SEARCH:
        r.searches += 1
    elif e.action == ADD_TO_CART:
        r.cart_adds += 1
        r.last_cart_add = max(r.last_cart_add, e.time)
        _add_to_day(r, r.carts_day, e.day, 1, U8_MAX)
    elif e.action == REMOVE_FROM_CART:
        r.cart_removes += 1
    elif e.action == WISHLIST:
        r.wishlists += 1
    if e.action == CAMPAIGN or e.campaign:
        r.campaign_clicks += 1
        _add_to_day(r, r.campaigns_day, e.day, 1, U8_MAX)
    if e.action == OFFER or e.offer:
        r.offer_clicks += 1
    if e.rating >= 0:
        r.ratings += 1
        r.rating_sum += e.rating


@bare
def _slot(slots: Cells, weights: Cells, code: int) -> int:
    """Return the slot of a code: its own, else a free one, else the lightest, whose weight it inherits.

    Free ones are the last. Metwally, Agrawal, El Abbadi 2005 (space saving): a weight is too high by at most
    the lightest one.
    """
    for i in range(len(slots)):
        if slots[i] == code or slots[i] == 0:
            return i
    lightest = 0
    for i in range(1, len(slots)):
        if weights[i] < weights[lightest]:
            lightest = i
    return lightest


@bare
def _count_name(slots: Cells, counts: Cells, code: int) -> None:
    """Count a channel or device."""
    if code != 0:
        i = _slot(slots, counts, code)
        slots[i] = code
        counts[i] = min(np.int64(counts[i]) + 1, U16_MAX)


@bare
def _add_interests(r: Row, e: Event, told: Told, per_ms: float) -> None:
    """Add what an event says of categories and brands."""
    age = e.time - r.interest_at if r.interest_at > 0 else 0
    if age > 0:
        fade = np.exp2(-(age * per_ms))
        for i in range(len(r.category_weight)):
            r.category_weight[i] *= fade
        for i in range(len(r.brand_weight)):
            r.brand_weight[i] *= fade
        r.category_total *= fade
        r.brand_total *= fade
    aged = np.exp2(age * per_ms) if age < 0 else 1.0
    r.interest_at = max(r.interest_at, e.time)
    for entry in range(e.told_from, e.told_to):
        amount = aged * told.weight[entry]
        if told.category[entry] != 0:
            i = _slot(r.category, r.category_weight, told.category[entry])
            r.category[i] = told.category[entry]
            r.category_weight[i] += amount
            r.category_total += amount
        if told.brand[entry] != 0:
            i = _slot(r.brand, r.brand_weight, told.brand[entry])
            r.brand[i] = told.brand[entry]
            r.brand_weight[i] += amount
            r.brand_total += amount


@bare
def _add_order(r: Row, e: Event, per_ms: F64) -> None:
    """Add a purchase or refund.

    A refund is a negative amount at its own time: only windows and decayed sums contain it.
    """
    bought = e.kind == PURCHASE
    if bought:
        net = e.money
        r.orders += 1
        r.items = min(np.int64(r.items) + e.items, U32_MAX)
        r.coupon_orders += e.offer
        r.campaign_orders += e.campaign
        r.money_gross += e.money
        r.money_discounted += e.discount
        r.first_order = e.time if r.first_order == 0 else min(r.first_order, e.time)
        r.last_order = max(r.last_order, e.time)
    else:
        net = -e.money
        r.refunds += 1
        r.money_refunded += e.money
    age = e.time - r.order_decay_at if r.order_decay_at > 0 else 0
    for j in range(len(per_ms)):
        fade, weight = np.exp2(-(max(age, 0) * per_ms[j])), np.exp2(-(max(-age, 0) * per_ms[j]))
        r.orders_half[j] = r.orders_half[j] * fade + weight * bought
        r.money_half[j] = r.money_half[j] * fade + weight * net
    r.order_decay_at = max(r.order_decay_at, e.time)
    i = _order_entry(r, e.day)
    r.order_money[i] += net
    if bought:
        r.order_count[i] = min(np.int64(r.order_count[i]) + 1, U16_MAX)
        if e.campaign:
            r.order_campaigns[i] = min(np.int64(r.order_campaigns[i]) + 1, U8_MAX)


@bare
def _order_entry(r: Row, day: int) -> int:
    """Return the entry of a day in the order ring, a new one if need be: the free ones are the last."""
    for i in range(len(r.order_day)):
        if r.order_day[i] == day or r.order_day[i] == 0:
            r.order_day[i] = day
            return i
    return _merge_oldest(r, day)


@bare
def _merge_oldest(r: Row, day: int) -> int:
    """Make room in a full ring: its two oldest entries and the new day become one, at the newer day.

    Return the entry that the new day's orders go to: its own, or the oldest, which it has joined.
    """
    oldest, second = 1, 0
    for i in range(len(r.order_day)):
        if r.order_day[i] < r.order_day[oldest]:
            oldest, second = i, oldest
        elif r.order_day[oldest] < r.order_day[i] < r.order_day[second]:
            second = i
    r.merged = 1
    if day < r.order_day[second]:
        r.order_day[oldest] = max(np.int64(r.order_day[oldest]), day)
        return oldest
    r.order_money[second] += r.order_money[oldest]
    r.order_count[second] = min(np.int64(r.order_count[second]) + r.order_count[oldest], U16_MAX)
    r.order_campaigns[second] = min(np.int64(r.order_campaigns[second]) + r.order_campaigns[oldest], U8_MAX)
    r.order_day[oldest] = day
    r.order_money[oldest], r.order_count[oldest], r.order_campaigns[oldest] = 0, 0, 0
    return oldest


@bare
def _set_attributes(r: Row, e: Event, values: I32) -> None:
    """Overwrite what an event says of the customer, each attribute by a newer time only."""
    if e.country != 0 and _is_newer(r, COUNTRY, e.time):
        r.country = e.country
    if e.attribute < 0:
        return
    given = values[e.attribute]
    if given[BIRTH_YEAR] >= 0 and _is_newer(r, BIRTH_YEAR, e.time):
        r.birth_year = given[BIRTH_YEAR]
    if given[GENDER] >= 0 and _is_newer(r, GENDER, e.time):
        r.gender = given[GENDER]
    if given[COUNTRY] >= 0 and _is_newer(r, COUNTRY, e.time):
        r.country = given[COUNTRY]
    if given[CITY] >= 0 and _is_newer(r, CITY, e.time):
        r.city = given[CITY]
    if given[LOYALTY_TIER] >= 0 and _is_newer(r, LOYALTY_TIER, e.time):
        r.loyalty_tier = given[LOYALTY_TIER]
    if given[CONSENT_MARKETING] >= 0 and _is_newer(r, CONSENT_MARKETING, e.time):
        r.consent_marketing = given[CONSENT_MARKETING]
    if given[NPS] >= 0 and _is_newer(r, NPS, e.time):
        r.nps = given[NPS] - NPS_SHIFT


@bare
def _is_newer(r: Row, which: int, time: int) -> bool:
    """Return whether an attribute was not set by something newer, and take note of the time if so."""
    known = (np.int64(r.attribute_high[which]) << 32) | np.int64(r.attribute_low[which])
    if time < known:
        return False
    r.attribute_low[which] = time & U32_MAX
    r.attribute_high[which] = time >> 32
    return True

"""Sessions, bounces and time spent: what depends on which event came before.

A session without id ends after 30 minutes of silence; one with an id lasts as long as its id is the newest
of the customer. Events older than the customer's newest one never open, end or lengthen a session, so these
figures (and the dwell time of views that do not state it) depend on the order of delivery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.events import I64, Kind
from models.profiles.browsing import add_to_day
from models.profiles.layout import PENDING_VIEW, SINGLE_EVENT

if TYPE_CHECKING:  # a cycle: update imports this module
    from models.profiles.update import Columns

_REFUND, _VIEW = int(Kind.REFUND), int(Kind.VIEW)  # an enum's attribute costs a microsecond
SESSION_GAP_MS = 30 * 60_000
"""Silence that ends a session without id, and the longest dwell time taken from a gap."""


def seconds(milliseconds: I64) -> I64:
    """Return whole seconds, half a second rounded up."""
    return (milliseconds + 500) // 1000


def advance_session(r: NDArray[np.void], c: Columns) -> None:
    """Open, lengthen or leave the session of each row by one event; in place, before last_seen moves on."""
    visit = c.kind != _REFUND  # a refund is the shop's act: it opens no session
    forward = c.time >= r["last_seen"]
    gap = c.time - r["last_seen"]
    silent = (r["last_seen"] == 0) | (gap > SESSION_GAP_MS)
    named = (c.session != 0) & (r["session"] != 0)
    other = np.where(named, c.session != r["session"], silent)
    opens = visit & forward & ((r["sessions"] == 0) | other)
    goes_on = visit & forward & ~opens

    flags = r["flags"]
    r["session_ms"] += np.where(goes_on, gap, 0)
    r["bounces"] -= goes_on & (flags & SINGLE_EVENT != 0)
    pending = goes_on & (flags & PENDING_VIEW != 0)
    if pending.any():
        dwell = np.where(pending, np.minimum(gap, SESSION_GAP_MS), 0)
        r["dwell_ms"] += dwell
        add_to_day(r, "dwell_day", c.calendar.day(r["last_seen"]), seconds(dwell), 0xFFFF)
    r["sessions"] += opens
    r["bounces"] += opens
    add_to_day(r, "sessions_day", c.day, opens, 0xFF)
    waits = (c.kind == _VIEW) & (c.dwell < 0)
    kept = flags & np.where(goes_on, 0, SINGLE_EVENT)
    moved = kept | np.where(opens, SINGLE_EVENT, 0) | np.where(waits, PENDING_VIEW, 0)
    r["flags"] = np.where(forward, moved, flags)
    r["session"] = np.where(forward & (c.session != 0), c.session, r["session"])

    stated = (c.kind == _VIEW) & (c.dwell > 0)
    if stated.any():
        dwell = np.where(stated, c.dwell, 0)
        r["dwell_ms"] += dwell
        add_to_day(r, "dwell_day", c.day, seconds(dwell), 0xFFFF)

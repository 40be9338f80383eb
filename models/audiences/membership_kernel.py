"""Deciding customers event by event: compiled, see `models.compiled`."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from models.compiled import kernel
from models.events import I64, Bool

U32: TypeAlias = Any  # np.uint32
SLOTS = 32
"""Bits of a mask."""
_ROOM = 256


@kernel
def walk(
    order: I64,
    start: I64,
    decided: Bool,
    now_ms: I64,
    enter: U32,
    leave: U32,
    mask: int,
    wait_s: I64,
    bits: U32,
    since_s: U32,
    held: U32,
) -> I64:
    """Decide g customers after each of their events, as `models.audiences.membership` says.

    Args:
        order: (m,) the events, sorted by customer.
        start: (g,) first position of each customer's events in `order`.
        decided: (n,)
        now_ms: (n,) epoch milliseconds of each event.
        enter: (n,) bits of the audiences whose `enter` is true.
        leave: (n,) bits of those whose `leave` is true.
        mask: bits of the audiences that are decided.
        wait_s: (2, SLOTS) seconds by slot after entering and after leaving, 0 for none.
        bits: (g,) what each customer holds; changes.
        since_s: (g, SLOTS) since when, epoch seconds, 0 for never; changes.
        held: (n,) the bits of the mask receive what is held after each event.

    Returns:
        (f, 4) event, slot, whether it was entered, and since when it had been left or entered.
    """
    found, used = np.empty((_ROOM, 4), np.int64), 0
    for g in range(len(start)):
        now_in = np.int64(bits[g])
        end = start[g + 1] if g + 1 < len(start) else len(order)
        for place in range(start[g], end):
            i = order[place]
            goes, comes = np.int64(leave[i]), np.int64(enter[i])
            turning = ((now_in & goes) | (comes & ~(now_in | goes))) & mask if decided[i] else 0
            for slot in range(SLOTS if turning else 0):
                if turning >> slot & 1 == 0:
                    continue
                inside, now_s, since = now_in >> slot & 1, now_ms[i] // 1000, np.int64(since_s[g, slot])
                wait = wait_s[1 - inside, slot]
                if wait > 0 and since > 0 and now_s - since < wait:
                    continue
                if used == len(found):
                    more = np.empty((2 * used, 4), np.int64)
                    more[:used] = found
                    found = more
                found[used, 0], found[used, 1], found[used, 2], found[used, 3] = i, slot, 1 - inside, since
                used += 1
                now_in ^= 1 << slot
                since_s[g, slot] = now_s
            held[i] = (held[i] & ~mask) | (now_in & mask)
        bits[g] = now_in
    return found[:used]

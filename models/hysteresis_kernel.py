"""Deciding customers event by event: compiled, see `models.compiled`."""

from __future__ import annotations

import numpy as np

from models.compiled import kernel
from models.events import F64, I64, Bool


@kernel
def walk(
    distances: F64,
    numbers: I64,
    margin: float,
    min_stay_ms: int,
    order: I64,
    start: I64,
    decided: Bool,
    when: I64,
    held: I64,
    since: I64,
    moves: I64,
) -> tuple[int, int, int]:
    """Decide g customers after each of their events, see `models.hysteresis.decide`.

    Args:
        distances: (n, k) from each event's row to the segments.
        numbers: (k,) of the segments.
        margin: share by which another segment must be nearer.
        min_stay_ms: 0 for none.
        order: (m,) the events, sorted by customer.
        start: (g,) first position of each customer's events in `order`.
        decided: (n,)
        when: (n,) time of each event.
        held: (g,) number that each customer holds; changes.
        since: (g,) since when; changes.
        moves: (3, m) receives event, number held before and number held from then on.

    Returns:
        The number of moves; decisions that the margin, and that only the minimum stay has kept from one.
    """
    found, by_margin, by_stay = 0, 0, 0
    for g in range(len(start)):
        end = start[g + 1] if g + 1 < len(start) else len(order)
        for place in range(start[g], end):
            i = order[place]
            if not decided[i]:
                continue
            nearest, own, known = 0, np.inf, False
            for k in range(len(numbers)):
                if distances[i, k] < distances[i, nearest]:
                    nearest = k
                if numbers[k] == held[g]:
                    own, known = distances[i, k], True
            least = distances[i, nearest]
            if known and not least < (1.0 - margin) * own:
                by_margin += least < own
            elif known and min_stay_ms > 0 and when[i] - since[g] < min_stay_ms:
                by_stay += 1
            else:
                moves[0, found], moves[1, found], moves[2, found] = i, held[g], numbers[nearest]
                held[g], since[g] = numbers[nearest], when[i]
                found += 1
    return found, by_margin, by_stay

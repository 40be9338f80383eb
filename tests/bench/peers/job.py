"""The small job of the Python peers: six numbers of state per customer, the nearest of eight centroids.

`KafkaStreamsPeer.java` does the same, number by number. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, log1p
from typing import Any

CENTROIDS = (
    (0.5, 0.7, 0.0),
    (1.0, 1.4, 3.0),
    (1.5, 2.0, 3.4),
    (2.0, 2.6, 4.0),
    (2.4, 3.1, 4.6),
    (2.8, 3.5, 5.1),
    (3.3, 4.0, 5.7),
    (3.9, 4.6, 6.2),
)
"""Of log(1 + clicks), log(1 + views), log(1 + money)."""

State = list[float]
"""Clicks, views, purchases, money, last seen (epoch ms), segment."""


def new_state() -> State:
    """Return the state of a customer of whom nothing is known."""
    return [0.0, 0.0, 0.0, 0.0, 0.0, -1.0]


def step(state: State, event: Mapping[str, Any]) -> bool:
    """Update the state with an event; return whether the customer goes from one segment to another."""
    if "order_id" in event:
        state[2] += 1
        for line in event["items"]:
            state[3] += line["quantity"] * line["unit_price"]
    elif "action" in event:
        state[0] += 1
    else:
        state[1] += 1
    state[4] = max(state[4], event["occurred_at"])
    segment = nearest(log1p(state[0]), log1p(state[1]), log1p(state[3]))
    changed = state[5] not in {-1.0, segment}
    state[5] = segment
    return changed


def nearest(x: float, y: float, z: float) -> int:
    """Return the index of the nearest centroid, the first of equals."""
    best, found = inf, 0
    for index, (a, b, c) in enumerate(CENTROIDS):
        distance = (x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2
        if distance < best:
            best, found = distance, index
    return found


def change(customer: str, before: float, state: State) -> dict[str, Any]:
    """Return what is emitted for a customer whose segment has changed."""
    return {"customer_id": customer, "from": int(before), "to": int(state[5]), "at": int(state[4])}

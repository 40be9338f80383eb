"""The review of the segments on its way to the merger: once a day and partition, as a difference.

At the first tick of each day, and of each model, all customers of a partition are counted, by behaviour
segment and by audience.
What has changed since the count before goes into a delta, with the moves since then: the sums over all deltas
are how things stand. The count itself stays in the changelog, and the moves in the meta row, so that a
restart neither loses nor doubles any.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import get_args

import numpy as np

from models.calendar import DAY_MS
from models.clusterer import NOTHING, Model, Review
from models.features.tally import Tally
from models.profiles.layout import AUDIENCES
from streams.partition import Flow, Partition

FLOWS: tuple[Flow, ...] = get_args(Flow)
AUDIENCE = 1 << 32
"""Number of the audience with slot 0 in reviews, the others follow; a slot is never given to another id."""


def tally_of(part: Partition) -> Tally | None:
    """Return an empty count for a sweep whose tick begins a day (of UTC) or a model, None for others."""
    if part.sweep is None:
        return None
    begins_day = part.tick_ms // DAY_MS > part.sweep.since_ms // DAY_MS
    return Tally(AUDIENCE) if begins_day or _version(part.model) != _version(part.sweep.model) else None


def _version(model: Model | None) -> int:
    return 0 if model is None else model.version


def flow(part: Partition, old: int, new: int, count: int = 1) -> None:
    """Take note of customers who moved from one behaviour segment to another; 0 is none."""
    if old:
        part.flows[old, "left"] += count
    if new:
        part.flows[new, "entered"] += count


def turn(part: Partition, slot: int, count: int = 1, *, entered: bool) -> None:
    """Take note of customers who entered an audience, or left it."""
    part.flows[AUDIENCE + slot, "entered" if entered else "left"] += count


def leave_all(part: Partition, r: np.void) -> None:
    """Take note of a customer who leaves for good."""
    flow(part, int(r["behaviour"]), 0)
    held = int(r["audience_bits"]) & in_force(part)
    part.flows.update((AUDIENCE + slot, "left") for slot in range(AUDIENCES) if held >> slot & 1)


def in_force(part: Partition) -> int:
    """Return the bits that stand for the audiences in force."""
    slots = () if part.rules is None else part.rules.definitions.slots.values()
    return sum(1 << slot for slot in slots)


def tell(part: Partition, tally: Tally) -> None:
    """Hand what has changed since the last count to the next delta."""
    review = tally.review(part.names)
    change = review.minus(part.standing).plus(_counted(part.flows))
    if change:
        part.accumulator.count(change)
    part.standing, part.flows, part.reviewed = review, Counter(), True


def kept(part: Partition) -> dict[str, dict[int, int]] | None:
    """Return the moves for the meta row."""
    if not part.flows:
        return None
    flows = sorted(part.flows.items())
    return {way: {n: count for (n, which), count in flows if which == way} for way in FLOWS}


def restored(flows: Mapping[str, Mapping[int, int]] | None) -> Counter[tuple[int, Flow]]:
    """Return the moves of a meta row."""
    found: Counter[tuple[int, Flow]] = Counter()
    for way in FLOWS if flows else ():
        found.update({(number, way): count for number, count in (flows or {}).get(way, {}).items()})
    return found


def _counted(flows: Counter[tuple[int, Flow]]) -> Review:
    if not flows:
        return NOTHING
    values = np.zeros((len(flows), len(FLOWS)), np.int64)
    for i, ((_, way), count) in enumerate(flows.items()):
        values[i, FLOWS.index(way)] = count
    return Review.counted(FLOWS, np.array([number for number, _ in flows]), values)

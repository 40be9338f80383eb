"""What the customers of each audience do, counted from the profiles of a deployment."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.calendar import DAY_MS
from models.clusterer import NOTHING, Review
from models.events import I64, Bool
from models.features import View
from models.features.tally import Tally
from models.profiles import gather
from streams.clock import Clock
from streams.codec.output_records import SegmentReview
from streams.engine import Engine
from streams.partition import Partition
from streams.reader import Reader
from streams.review_records import reviewed
from streams.reviewing import FLOWS
from streams.settings import Settings
from streams.snapshot import partitions

FLOW_DAYS = 7
"""Days of event time over which those who came and those who left are counted."""
SLICE = 65_536
"""Customers counted at a time."""
EVERYBODY = 0
"""Number of all customers; that of an audience is its slot and one."""


def audience_reviews(settings: Settings, reader: Reader, clock: Clock) -> dict[str, SegmentReview]:
    """Return what the customers of each audience do, by its id, as of the last commits; none without any.

    Who came and who left is told by each customer's last change: those who came and left again within the
    days only left.

    Raises:
        LiveSegmentsError: the topics cannot be read, or were written in another format.
    """
    standing, flows, slots = NOTHING, NOTHING, dict[str, int]()
    for engine in partitions(settings, reader, clock):
        for part in engine.parts.values():
            if part.rules is None:
                continue
            slots |= part.rules.definitions.slots
            tally = Tally()
            for view in _views(engine, part):
                tally.add(view, np.full(len(view.r), EVERYBODY))
                for slot in part.rules.definitions.slots.values():
                    inside, recent = _standing(view, slot)
                    at = np.flatnonzero(inside)
                    members = View(gather(view.r, at), view.now[at], view.calendar)
                    tally.add(members, np.full(len(at), slot + 1))
                    flows = flows.plus(_flow(slot + 1, inside[recent]))
            standing = standing.plus(tally.review(part.names))
    money = standing.of(EVERYBODY).get("money", 0)
    found = {name: reviewed(standing.of(slot + 1), flows.of(slot + 1), money) for name, slot in slots.items()}
    return {name: review for name, review in found.items() if review is not None}


def _views(engine: Engine, part: Partition) -> Iterator[View]:
    """Yield the customers of a partition, as of its stream time."""
    rows = np.fromiter(part.index.values(), np.intp, len(part.index))
    for start in range(0, len(rows), SLICE):
        r = gather(engine.slab.rows, rows[start : start + SLICE])
        yield View(r, np.maximum(r["last_seen"], part.stream_ms), engine.calendar)


def _standing(view: View, slot: int) -> tuple[Bool, Bool]:
    """Return (n,) who is in the audience of a slot, and whose last change of it was in the last days."""
    since_ms: I64 = view.r["audience_since_s"][:, slot].astype(np.int64) * 1000
    recent = (since_ms > 0) & (since_ms > view.now - FLOW_DAYS * DAY_MS)
    return (view.r["audience_bits"] >> np.uint32(slot)) & np.uint32(1) > 0, recent


def _flow(number: int, inside: Bool) -> Review:
    """Return how many of those who changed came, and how many left."""
    came = int(inside.sum())
    counts = {"entered": came, "left": len(inside) - came}
    return Review.counted(FLOWS, np.array([number]), np.array([[counts[way] for way in FLOWS]]))

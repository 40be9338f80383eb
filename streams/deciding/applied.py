"""Events that were applied to the profiles together, and how the customers stood after each."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.events import I64, Events
from models.profiles import Updated, gather, scatter
from streams.codec.json_columns import strings
from streams.codec.pieces import Pieces
from streams.codec.triggers import triggers_of
from streams.deciding.distinct import distinct
from streams.records import INPUT_TOPICS, RawBatch


@dataclass(slots=True)
class Applied:
    """n events between which no tick lies."""

    raw: RawBatch
    events: Events
    chosen: NDArray[np.intp]
    """(n,) index of each applied event in `events`."""
    partition: NDArray[np.int32]
    """(n,) partition number of each."""
    updated: Updated

    def groups_of(self, event: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.void]]:
        """Return each event's customer, as an index into `updated.rows`, and the row before the event."""
        updated = self.updated
        place = np.empty(len(updated.order), np.intp)
        place[updated.order] = np.arange(len(place))
        group = np.searchsorted(updated.start, place[event], side="right") - 1
        before = gather(updated.before, group)
        again = np.flatnonzero(place[event] > updated.start[group])
        scatter(before, again, gather(updated.after, updated.order[place[event[again]] - 1]))
        return group, before

    def triggers(self, event: NDArray[np.intp]) -> Pieces:
        """Return the input record behind each event."""
        raw = self.raw
        places, which = distinct(self.events.source[self.chosen[event]])
        at = np.array(places, np.intp)
        event_ids = strings([_decode_id(text).event_id for text in raw.value.take(at).filled()])
        made = triggers_of(
            INPUT_TOPICS, raw.topic[at], raw.partition[at], raw.offset[at], Pieces.of(event_ids)
        )
        return made.at(which)


class _EventId(msgspec.Struct):
    event_id: str


_decode_id = msgspec.json.Decoder(_EventId).decode


def running_max(values: I64, start: NDArray[np.intp]) -> I64:
    """Return the running maximum within groups that begin at `start`; values are not negative."""
    sizes = np.diff(np.append(start, len(values)))
    lift = np.repeat(np.arange(len(start)), sizes) * (int(values.max(initial=0)) + 1)
    return np.maximum.accumulate(values + lift) - lift

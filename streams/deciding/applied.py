"""Events that were applied to the profiles together, and how the customers stood after each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.events import I64, Events
from models.profiles import Updated, gather, scatter
from streams.codec.main_features import Json
from streams.codec.triggers import triggers_of
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
    _triggers: dict[int, Json] = field(default_factory=dict)
    """Those that somebody has asked for, by index of the record: an event may cause several changes."""

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

    def triggers(self, event: NDArray[np.intp]) -> Sequence[Json]:
        """Return the input record behind each event."""
        known, raw = self._triggers, self.raw
        places = self.events.source[self.chosen[event]].tolist()
        new = [at for at in dict.fromkeys(places) if at not in known]
        at = np.array(new, np.intp)
        topics = [INPUT_TOPICS[topic] for topic in raw.topic[at].tolist()]
        records = [*zip(topics, raw.partition[at].tolist(), raw.offset[at].tolist(), strict=True)]
        event_ids = [_decode_id(text).event_id for text in raw.value.take(at).filled()]
        known.update(zip(new, triggers_of(records, event_ids), strict=True))
        return [*map(known.__getitem__, places)]


class _EventId(msgspec.Struct):
    event_id: str


_decode_id = msgspec.json.Decoder(_EventId).decode


def running_max(values: I64, start: NDArray[np.intp]) -> I64:
    """Return the running maximum within groups that begin at `start`; values are not negative."""
    sizes = np.diff(np.append(start, len(values)))
    lift = np.repeat(np.arange(len(start)), sizes) * (int(values.max(initial=0)) + 1)
    return np.maximum.accumulate(values + lift) - lift

"""Erase customers: exits, tombstones, and a marker so that replayed history is ignored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.profiles import Slab
from streams.codec import profile_rows as rows_codec
from streams.codec.changes import Change, columns_of
from streams.codec.drafts import draft
from streams.codec.hashing import keyed64_many
from streams.codec.output_records import SegmentSet
from streams.ledger import Entry
from streams.observer import EngineObserver
from streams.outbox import audiences_of, name_of
from streams.partition import Partition
from streams.restoring import forget_row
from streams.reviewing import leave_all
from streams.rules import EngineRules
from streams.sweeper import Sweeper


@dataclass(slots=True)
class Eraser:
    """Removes customers from partitions."""

    slab: Slab
    sweeper: Sweeper
    observer: EngineObserver
    rules: EngineRules

    def erase(self, part: Partition, key: bytes, at_ms: int) -> Entry:
        """Remove a customer, as of an event time; an erasure that is known already is a duplicate."""
        mark = rows_codec.erased_hash(key, self.rules.erasure_key)
        before_ms, sequence = part.erased.get(mark, (0, 0))
        if at_ms <= before_ms:
            return Entry.DUPLICATE
        row = part.index.get(key)
        if row is not None:
            self.sweeper.first([part], [np.array([row])])
            self.sweeper.made(row)
            r = self.slab.rows[row]
            at_ms = max(at_ms, int(r["last_seen"]))  # what is removed stays away, newer events too
            exits = _exits(part, key, r, at_ms)
            sequence = int(r["sequence"]) + len(exits)
            decided_ms = max(at_ms, part.tick_ms)  # what was seen until then, the last decision included
            part.accumulator.forget(keyed64_many([key], self.rules.erasure_key), decided_ms + 1)
            self._tell(part, exits)
            part.vacated[row] = len(part.drafts)
            leave_all(part, r)
            forget_row(part, self.slab, key)
        part.gone.append(key)
        part.erased[mark] = (max(before_ms, at_ms), sequence)
        part.fresh_erased.append(mark)
        return Entry.COUNTED

    def _tell(self, part: Partition, exits: Sequence[Change]) -> None:
        """Keep change events for the commit."""
        if exits:
            changes = columns_of(exits)
            drafts = draft(changes, self.rules.run_id, self.rules.app_id)
            part.drafts.append(drafts)
            self.observer.changes(changes, drafts)


def _exits(part: Partition, key: bytes, r: np.void, at_ms: int) -> list[Change]:
    """Return the exits from all that the customer is in: the behaviour segment, then the audiences."""
    held: list[tuple[SegmentSet, str, str, int]] = []
    number = int(r["behaviour"])
    if number:
        held.append(("behaviour", f"b-{number}", name_of(part.model, number), int(r["behaviour_since"])))
    for audience in audiences_of(part.rules, r):
        name = part.rules.definitions.get(audience.segment_id).name if part.rules is not None else ""
        held.append(("audience", audience.segment_id, name, audience.since_ms))
    return [
        Change(
            customer_id=key.decode(),
            segment_set=segment_set,
            segment_id=segment_id,
            segment_name=name,
            entered=False,
            previous_segment=segment_id if segment_set == "behaviour" else None,
            since_ms=since_ms,
            timestamp_ms=max(at_ms, since_ms),
            sequence=int(r["sequence"]) + place,
            cause="erasure",
            reason=f"Left {name} because the customer's data was erased.",
            model_version=int(r["model_version"]),
            definitions_version=int(r["definitions_version"]),
        )
        for place, (segment_set, segment_id, name, since_ms) in enumerate(held, start=1)
    ]

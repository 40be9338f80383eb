"""Customer to row: which row of the slab the customer of each event has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.events import Events
from models.profiles import Slab
from streams.codec.profile_rows import erased_hash
from streams.ledger import Entry
from streams.partition import Partition
from streams.records import RawBatch
from streams.row_cache import NOT_HERE, RowCache
from streams.sweeper import Sweeper

_ERASED = -1
"""In the place of the row of an event from before the erasure of its customer."""


@dataclass(frozen=True, slots=True)
class Index:
    """Finds the rows of customers, and gives new ones a row."""

    slab: Slab
    sweeper: Sweeper
    erasure_key: str
    cache: RowCache = field(default_factory=RowCache)

    def rows(
        self, parts: Mapping[int, Partition], raw: RawBatch, events: Events, chosen: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the events to apply and their rows; events from before an erasure are left out.

        Args:
            parts: by number.
            raw: the records that the events come from.
            events: a chunk.
            chosen: (n,) index of the events that are due, ascending.
        """
        partition = events.partition[chosen]
        keys = events.key if len(chosen) == len(events) else events.key.take(chosen)
        held = [parts[number] for number in np.unique(partition).tolist()]
        owner = np.zeros(max(parts) + 1, np.int64)
        owner[[part.number for part in held]] = [0 if part.erased else part.generation for part in held]
        owners = owner[partition]
        rows = self.cache.find(keys, owners)
        new = np.flatnonzero(rows == NOT_HERE)
        for part in held:
            mine = new[partition[new] == part.number]
            asked = keys.take(mine).filled()
            if part.erased:
                rows[mine] = self._unerased(part, asked, raw, events, chosen[mine])
            else:
                rows[mine] = [self._made(part, key) for key in asked]
        self.cache.keep(keys.take(new), owners[new], rows[new])
        kept = np.flatnonzero(rows != _ERASED)
        return (chosen, rows) if len(kept) == len(rows) else (chosen[kept], rows[kept])

    def _made(self, part: Partition, key: bytes) -> int:
        """Return the row of a customer, a new one if they are new."""
        row = part.index.get(key)
        if row is None:
            row = part.index[key] = self.slab.new(part.number, key)
            self.sweeper.made(row)
        return row

    def _unerased(
        self,
        part: Partition,
        keys: list[bytes],
        raw: RawBatch,
        events: Events,
        chosen: NDArray[np.intp],
    ) -> list[int]:
        """Return the rows where customers were erased; who comes back goes on with the old sequence."""
        rows: list[int] = []
        for i, key in zip(chosen.tolist(), keys, strict=True):
            marker = part.erased.get(erased_hash(key, self.erasure_key))
            if marker is not None and events.time[i] <= marker[0]:
                part.ledger.add(Entry.ERASED, int(raw.topic[events.source[i]]))
                rows.append(_ERASED)
                continue
            known = key in part.index
            rows.append(self._made(part, key))
            if marker is not None and not known:
                self.slab.rows[rows[-1]]["sequence"] = marker[1]
        return rows

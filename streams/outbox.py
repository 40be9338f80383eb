"""What a commit writes: the changed rows of a partition and its output records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.audiences import Rules
from models.clusterer import Model
from models.profiles import HOT_BYTES, Slab
from streams.codec import profile_rows as codec
from streams.codec.change_records import ORIGINS, encode_drafts
from streams.codec.drafts import Drafts
from streams.codec.membership import (
    AudienceMembership,
    Behaviour,
    audiences_json,
    behaviours_json,
    encode_memberships,
)
from streams.codec.output_records import Origin
from streams.codec.pieces import Pieces
from streams.partition import NOWHERE, Partition
from streams.records import INPUT_TOPICS, Batch, Bundle, Content, Record, Rows
from streams.reviewing import kept

CHANGELOG = "profiles-changelog"
CHANGES = "segment-changes"
BACKFILL = "segment-changes-backfill"
MEMBERSHIPS = "segments"
DELTAS = "model-deltas"


class Deployment(Protocol):
    """What the outbox has to know of the deployment."""

    @property
    def app_id(self) -> str:
        """Name of the deployment."""
        ...

    @property
    def run_id(self) -> str:
        """The run that sends the records."""
        ...

    @property
    def origin(self) -> Origin | None:
        """Origin of all records; None: live or catchup, by age."""
        ...

    @property
    def catchup_after_ms(self) -> int:
        """Age at the commit from which a change is a catchup."""
        ...


def take(part: Partition, slab: Slab, rules: Deployment, received_at_ms: int) -> Batch:
    """Return what the partition has to write, and forget it.

    Raises:
        InvariantError: the partition's account does not balance; nothing is forgotten.
    """
    part.ledger.check(part.number)
    records: list[Content] = [*part.dead_letters]
    for key in part.gone:  # before the rows: the customer may have come back since
        records.append(Record(MEMBERSHIPS, part.number, key, None))
        records.append(Record(CHANGELOG, part.number, codec.HOT_PREFIX + key, None))
        records.append(Record(CHANGELOG, part.number, codec.COLD_PREFIX + key, None))
    records.extend(_rows(part, slab))
    records.extend(_changes(part, slab, rules, received_at_ms))
    for mark in part.fresh_erased:
        value = codec.encode_erased(*part.erased[mark])
        records.append(Record(CHANGELOG, part.number, codec.ERASED_PREFIX + mark, value))
    records.extend(
        Record(CHANGELOG, part.number, codec.name_key(space, code), name.encode())
        for space, code, name in part.names.fresh
    )
    origin = str(part.number).encode()
    records.extend(Record(DELTAS, 0, origin, delta.to_bytes()) for delta in part.accumulator.take())
    if part.reviewed:
        records.append(Record(CHANGELOG, part.number, codec.REVIEW_KEY, part.standing.to_bytes()))
    records.append(Record(CHANGELOG, part.number, codec.META_KEY, codec.encode_meta(_meta(part))))
    batch = Batch(records, part.pending)
    _forget(part)
    return batch


def _forget(part: Partition) -> None:
    part.pending, part.moved, part.reviewed = 0, False, False
    part.hot, part.cold, part.gone, part.fresh_erased = [], [], [], []
    part.drafts, part.vacated, part.dead_letters = [], {}, []
    part.names.fresh.clear()


def _rows(part: Partition, slab: Slab) -> Iterator[Rows]:
    """Yield the changelog records of the blocks that changed."""
    for prefix, dirty, block in (
        (codec.HOT_PREFIX, part.hot, slice(0, HOT_BYTES)),
        (codec.COLD_PREFIX, part.cold, slice(HOT_BYTES, None)),
    ):
        rows = _unique(dirty)
        if part.gone:
            rows = slab.in_use(rows)
        if len(rows):
            keys = slab.keys(rows.tolist())
            yield Rows(CHANGELOG, part.number, prefix, keys, codec.VERSION_BYTE, slab.bytes[rows, block])


def _unique(dirty: list[NDArray[np.intp]]) -> NDArray[np.intp]:
    """Return the rows, each once, ascending; NumPy's `unique` hashes them and takes ten times as long."""
    rows = np.sort(np.concatenate(dirty)) if dirty else np.empty(0, np.intp)
    return rows[np.diff(rows, prepend=-1) > 0]


def _changes(part: Partition, slab: Slab, rules: Deployment, received_at_ms: int) -> Iterator[Bundle]:
    """Yield the change records, in order, and what the customers who have changed are in."""
    if not part.drafts:
        return
    drafts = Drafts.joined(part.drafts)
    if part.vacated:
        _leave_out(part, drafts)
    encoded = encode_drafts(
        drafts,
        _origins(drafts, rules, received_at_ms),
        received_at_ms=received_at_ms,
        space_id=rules.app_id,
    )
    yield Bundle(BACKFILL if rules.origin == "backfill" else CHANGES, part.number, *encoded)
    yield from _memberships(part, slab, drafts)


def _leave_out(part: Partition, drafts: Drafts) -> None:
    """Tell nothing of what customers were in who have been erased; who comes back may get any row."""
    rows = np.array(sorted(part.vacated), np.intp)
    borders = np.cumsum([0, *map(len, part.drafts)])
    drafts.forget(rows, borders[[part.vacated[row] for row in rows.tolist()]])


def _origins(drafts: Drafts, rules: Deployment, received_at_ms: int) -> NDArray[np.intp]:
    """Return the origin of each change, as its place in ORIGINS."""
    if rules.origin is not None:
        return np.full(len(drafts), ORIGINS.index(rules.origin))
    # a new model decides silent customers as of now: what counts is when they were last there
    late = drafts.newest_ms < received_at_ms - rules.catchup_after_ms
    return np.where(late, ORIGINS.index("catchup"), ORIGINS.index("live"))


def _memberships(part: Partition, slab: Slab, drafts: Drafts) -> Iterator[Bundle]:
    """Yield what the customers who have changed are in, each as of their last change."""
    last = drafts.last_of_each()
    if not len(last):
        return
    rows = drafts.rows[last]
    numbers = slab.rows["behaviour"][rows].astype(np.int64)
    version = _version(part.model)
    segments = {
        number: Behaviour(f"b-{number}", name_of(part.model, number), version)
        for number in np.unique(numbers).tolist()
        if number
    }
    customers = drafts.customers.take(last)
    values = encode_memberships(
        customers,
        drafts.sequence[last],
        drafts.timestamp_ms[last],
        behaviours_json(segments, numbers, slab.rows["behaviour_since"][rows], drafts.sure[last]),
        _audiences(part.rules, slab, rows),
        Pieces.packed(drafts.features).at(last),
    )
    yield Bundle(MEMBERSHIPS, part.number, customers, values)


def _audiences(rules: Rules | None, slab: Slab, rows: NDArray[np.intp]) -> Pieces:
    """Return the audiences that each row's customer is in, by slot."""
    by_slot = {} if rules is None else rules.definitions.by_slot
    slots = np.array(list(by_slot), np.int64)
    held = slab.rows["audience_bits"][rows].astype(np.int64)[:, None] >> slots & 1
    row, place = np.nonzero(held)
    since_ms = slab.rows["audience_since_s"][rows[row], slots[place]].astype(np.int64) * 1000
    return audiences_json([one.id for one in by_slot.values()], place, since_ms, held.sum(axis=1))


def name_of(model: Model | None, number: int) -> str:
    """Return the name of a behaviour segment, also of one that is no more; without a model its id."""
    return f"b-{number}" if model is None else model.name_of(number)


def audiences_of(rules: Rules | None, row: np.void) -> list[AudienceMembership]:
    """Return the audiences that a row's customer is in, by slot."""
    if rules is None:
        return []
    bits, since_s = int(row["audience_bits"]), row["audience_since_s"]
    return [
        AudienceMembership(definition.id, int(since_s[slot]) * 1000)
        for slot, definition in rules.definitions.by_slot.items()
        if bits >> slot & 1
    ]


def _version(in_force: Model | Rules | None) -> int:
    return in_force.version if in_force is not None else 0


def _meta(part: Partition) -> codec.Meta:
    sweep = part.sweep
    return codec.Meta(
        stream_ms=part.stream_ms,
        anchor_ms=part.anchor_ms,
        tick_ms=part.tick_ms,
        sweep=None
        if sweep is None
        else codec.UnderWay(sweep.since_ms, _version(sweep.model), _version(sweep.rules)),
        model_version=_version(part.model),
        definitions_version=_version(part.rules),
        positions={t: p for t, p in zip(INPUT_TOPICS, part.positions, strict=True) if p != NOWHERE},
        counted=part.counted,
        dead=part.dead,
        duplicates=part.duplicates,
        erased=part.ignored,
        inputs=part.ledger.to_inputs(),
        flows=kept(part),
    )

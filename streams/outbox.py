"""What a commit writes: the changed rows of a partition and its output records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.audiences import Rules
from models.clusterer import Model
from models.profiles import HOT_BYTES, Slab, gather
from streams.codec import profile_rows as codec
from streams.codec.changes import Change, encode_change
from streams.codec.membership import AudienceMembership, Behaviour, encode_membership
from streams.codec.output_records import Origin
from streams.partition import NOWHERE, Partition
from streams.records import INPUT_TOPICS, Batch, Record
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
    records = list(part.dead_letters)
    for key in part.gone:  # before the rows: the customer may have come back since
        records.append(Record(MEMBERSHIPS, part.number, key, None))
        records.append(Record(CHANGELOG, part.number, codec.HOT_PREFIX + key, None))
        records.append(Record(CHANGELOG, part.number, codec.COLD_PREFIX + key, None))
    records.extend(_rows(part, slab))
    records.extend(_change(part.number, change, rules, received_at_ms) for change in part.changes)
    records.extend(_memberships(part, slab))
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
    part.changes, part.changed, part.dead_letters = [], {}, []
    part.names.fresh.clear()


def _rows(part: Partition, slab: Slab) -> list[Record]:
    """Return the changelog records of the blocks that changed."""
    records = []
    for prefix, dirty, block in (
        (codec.HOT_PREFIX, part.hot, slice(0, HOT_BYTES)),
        (codec.COLD_PREFIX, part.cold, slice(HOT_BYTES, None)),
    ):
        rows = slab.in_use(_unique(dirty))
        version = codec.VERSION_BYTE
        width = (block.stop or slab.bytes.shape[1]) - block.start
        data = slab.bytes[rows, block].tobytes()
        for i, key in enumerate(slab.keys(rows.tolist())):
            value = version + data[i * width : (i + 1) * width]
            records.append(Record(CHANGELOG, part.number, prefix + key, value))
    return records


def _unique(dirty: list[NDArray[np.intp]]) -> NDArray[np.intp]:
    return np.unique(np.concatenate(dirty)) if dirty else np.empty(0, np.intp)


def _change(partition: int, change: Change, rules: Deployment, received_at_ms: int) -> Record:
    # a new model decides silent customers as of now: what counts is when they were last there
    newest_ms = change.seen_ms if change.cause in {"model", "definition"} else change.timestamp_ms
    aged = received_at_ms - newest_ms > rules.catchup_after_ms
    origin: Origin = rules.origin or ("catchup" if aged else "live")
    value, headers = encode_change(
        change, received_at_ms=received_at_ms, origin=origin, run_id=rules.run_id, space_id=rules.app_id
    )
    topic = BACKFILL if origin == "backfill" else CHANGES
    return Record(topic, partition, change.customer_id.encode(), value, headers)


def _memberships(part: Partition, slab: Slab) -> Iterator[Record]:
    """Yield what the customers who have changed are in, each as of their last change."""
    rows = gather(slab.rows, np.array([part.index[key] for key in part.changed], np.intp))
    names = {} if part.model is None else {info.number: info.name for info in part.model.segments}
    slots = [] if part.rules is None else list(part.rules.definitions.by_slot.items())
    audiences: dict[int, list[tuple[int, str]]] = {}
    """By the bits of a row: slot and id of the audiences."""
    columns = zip(
        part.changed.items(),
        rows["behaviour"].tolist(),
        rows["behaviour_since"].tolist(),
        rows["audience_bits"].tolist(),
        rows["audience_since_s"].tolist(),
        strict=True,
    )
    version = _version(part.model)
    for (key, held), number, since_ms, bits, entered_s in columns:
        change, behaviour = held.change, None
        if number:
            name = names.get(number, f"b-{number}")
            behaviour = Behaviour(f"b-{number}", name, since_ms, held.confidence, version)
        if bits not in audiences:
            audiences[bits] = [(slot, found.id) for slot, found in slots if bits >> slot & 1]
        value = encode_membership(
            customer_id=change.customer_id,
            sequence=change.sequence,
            updated_at_ms=change.timestamp_ms,
            behaviour=behaviour,
            audiences=[AudienceMembership(id_, entered_s[slot] * 1000) for slot, id_ in audiences[bits]],
            features=change.features,
        )
        yield Record(MEMBERSHIPS, part.number, key, value)


def name_of(model: Model | None, number: int) -> str:
    """Return the name of a behaviour segment, its id when the model does not know it."""
    known = model is not None and number in model.numbers
    return model.segment(number).name if model is not None and known else f"b-{number}"


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

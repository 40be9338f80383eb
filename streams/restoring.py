"""Read the changelog back into a partition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.clusterer import Review
from models.profiles import HOT_BYTES, Slab
from streams.codec import profile_rows as codec
from streams.ledger import Ledger
from streams.partition import NOWHERE, Partition
from streams.records import INPUT_TOPICS
from streams.reviewing import restored
from streams.sweep import Sweep
from streams.versions import Versions

_HOT, _COLD = codec.HOT_PREFIX[0], codec.COLD_PREFIX[0]
_SPAN = {_HOT: slice(0, HOT_BYTES), _COLD: slice(HOT_BYTES, None)}
_Blocks = dict[bytes, bytes]
"""Keys as in the changelog, with the last value of each."""


def restore(
    part: Partition,
    slab: Slab,
    keys: Sequence[bytes],
    values: Sequence[bytes | None],
) -> None:
    """Apply changelog records in order.

    Blocks between two tombstones are put into the slab at once, the last one of each customer.

    Args:
        part: changed in place.
        slab: takes the rows.
        keys: of the records.
        values: of the records; None deletes.

    Raises:
        LiveSegmentsError: a record was written in another format.
    """
    hot: _Blocks = {}
    cold: _Blocks = {}
    for key, value in zip(keys, values, strict=True):
        kind = key[0] if key else 0
        if value is None:
            _put(part, slab, hot, cold)
            _delete(part, slab, key)
        elif kind == _HOT:
            hot[key] = value
        elif kind == _COLD:
            cold[key] = value
        else:
            _other(part, key, value)
    _put(part, slab, hot, cold)


def _put(part: Partition, slab: Slab, hot: _Blocks, cold: _Blocks) -> None:
    """Write blocks into the customers' rows, new ones where there are none, and forget them."""
    for blocks, kind in ((hot, _HOT), (cold, _COLD)):
        if blocks:
            rows = _rows(part, slab, [key[1:] for key in blocks])
            slab.bytes[rows, _SPAN[kind]] = codec.decode_blocks(list(blocks.values()), hot=kind == _HOT)
            blocks.clear()


def _rows(part: Partition, slab: Slab, customers: list[bytes]) -> list[int]:
    """Return the customers' rows; those who have none get one."""
    index = part.index
    fresh = [customer for customer in customers if customer not in index]
    if fresh:
        index.update(zip(fresh, slab.new_many(part.number, fresh), strict=True))
    return [index[customer] for customer in customers]


def _delete(part: Partition, slab: Slab, key: bytes) -> None:
    """Apply a tombstone; a customer's row goes with the hot block."""
    customer = key[1:]
    row = part.index.get(customer)
    if row is not None and key[:1] == codec.HOT_PREFIX:
        forget_row(part, slab, customer)
    elif row is not None and key[:1] == codec.COLD_PREFIX:
        slab.bytes[row, HOT_BYTES:] = 0


def _other(part: Partition, key: bytes, value: bytes) -> None:
    """Apply a record that is no block of a customer."""
    prefix = key[:1]
    if prefix == codec.NAME_PREFIX:
        space, code = codec.decode_name_key(key)
        part.names.put(space, code, value.decode())
    elif prefix == codec.ERASED_PREFIX:
        part.erased[key[1:]] = codec.decode_erased(value)
    elif key == codec.REVIEW_KEY:
        part.standing = Review.from_bytes(value)
    elif key == codec.META_KEY:
        part.meta = codec.decode_meta(value)


def finish(part: Partition, known: Versions) -> None:
    """End a restore: take over what the last meta row says, if there is one.

    Args:
        part: changed in place.
        known: the versions of models and definitions; those that the row names are among them, unless
            they are too old.
    """
    meta, part.meta, part.restoring = part.meta, None, False
    if meta is None:
        return
    part.stream_ms, part.anchor_ms, part.tick_ms = meta.stream_ms, meta.anchor_ms, meta.tick_ms
    part.positions = [meta.positions.get(topic, NOWHERE) for topic in INPUT_TOPICS]
    outcomes = (meta.counted, meta.dead, meta.duplicates, meta.erased)
    part.ledger = Ledger.restored(meta.inputs, outcomes)
    part.flows = restored(meta.flows)
    part.model = known.model_of(meta.model_version)
    part.rules = known.rules_of(meta.definitions_version)
    learning, part.sweep = part.model, None
    if meta.sweep is not None:  # its rows are listed when all are restored
        learning = known.model_of(meta.sweep.model_version)
        rules = known.rules_of(meta.sweep.definitions_version)
        part.sweep = Sweep(meta.sweep.since_ms, learning, rules, np.empty(0, np.intp))
    if learning is not None:
        part.accumulator.adopt(learning)


def forget_row(part: Partition, slab: Slab, key: bytes) -> None:
    """Drop a customer's row; the commit leaves out what of it was to be written."""
    slab.release(part.number, part.forget(key))

"""Read the changelog back into a partition."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from models.clusterer import Model
from models.profiles import HOT_BYTES, Slab
from streams.codec import profile_rows as codec
from streams.partition import NOWHERE, Partition
from streams.records import INPUT_TOPICS

_BLOCKS = frozenset({codec.HOT_PREFIX, codec.COLD_PREFIX})


def restore(
    part: Partition,
    slab: Slab,
    model_of: Callable[[int], Model | None],
    keys: Sequence[bytes],
    values: Sequence[bytes | None],
) -> None:
    """Apply changelog records in order.

    Args:
        part: changed in place.
        slab: takes the rows.
        model_of: gives the model of a version.
        keys: of the records.
        values: of the records; None deletes.

    Raises:
        LiveSegmentsError: a record was written in another format.
    """
    for key, value in zip(keys, values, strict=True):
        prefix = key[:1]
        if prefix in _BLOCKS:
            _block(part, slab, key[1:], value, hot=prefix == codec.HOT_PREFIX)
        elif value is None:
            continue
        elif prefix == codec.NAME_PREFIX:
            space, code = codec.decode_name_key(key)
            part.names.put(space, code, value.decode())
        elif prefix == codec.ERASED_PREFIX:
            part.erased[key[1:]] = codec.decode_erased(value)
        elif key == codec.META_KEY:
            _meta(part, codec.decode_meta(value), model_of)


def _block(part: Partition, slab: Slab, customer: bytes, value: bytes | None, *, hot: bool) -> None:
    row = part.index.get(customer)
    if value is None:
        if row is not None and hot:
            forget_row(part, slab, customer)
        elif row is not None:
            slab.bytes[row, HOT_BYTES:] = 0
        return
    codec.check_block(value, hot=hot)
    if row is None:
        row = part.index[customer] = slab.new(part.number, customer)
    block = slice(0, HOT_BYTES) if hot else slice(HOT_BYTES, None)
    slab.bytes[row, block] = np.frombuffer(value, np.uint8, offset=1)


def _meta(part: Partition, meta: codec.Meta, model_of: Callable[[int], Model | None]) -> None:
    part.stream_ms, part.anchor_ms, part.tick_ms = meta.stream_ms, meta.anchor_ms, meta.tick_ms
    part.positions = [meta.positions.get(topic, NOWHERE) for topic in INPUT_TOPICS]
    part.counted, part.dead = meta.counted, meta.dead
    part.duplicates, part.ignored = meta.duplicates, meta.erased
    part.model = model_of(meta.model_version) if meta.model_version else None
    if part.model is not None:
        part.accumulator.adopt(part.model)


def forget_row(part: Partition, slab: Slab, key: bytes) -> None:
    """Drop a customer's row; the commit leaves out what of it was to be written."""
    slab.release(part.number, part.index.pop(key))

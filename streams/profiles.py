"""All that is known of customers, as tables: for Parquet files and for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from models.features import FEATURES, View, evaluate
from models.profiles import gather
from streams.deciding.columns import value_of
from streams.deciding.records import scalar
from streams.engine import Engine
from streams.partition import Partition

SLICE = 65_536
"""Customers per table."""


def tables(engine: Engine, at_ms: int | None = None) -> Iterator[pa.Table]:
    """Yield every customer's features and memberships, partition by partition.

    Columns: customer_id, sequence, behaviour, behaviour_name, behaviour_since, model_version, audiences, and
    one per feature; unknown values are null.

    Args:
        engine: with restored or processed partitions.
        at_ms: the time to look at them; None: each partition's stream time. A customer is never looked at
            as of before their last event.
    """
    for number in sorted(engine.parts):
        part = engine.parts[number]
        keys = sorted(part.index)
        for start in range(0, max(len(keys), 1), SLICE):  # an empty table has the columns too
            yield _table(engine, part, keys[start : start + SLICE], at_ms)


def _table(engine: Engine, part: Partition, keys: list[bytes], at_ms: int | None) -> pa.Table:
    rows = np.array([part.index[key] for key in keys], np.intp)
    r = gather(engine.slab.rows, rows)
    now = np.maximum(r["last_seen"], part.stream_ms if at_ms is None else at_ms)
    segments = {s.number: s.name for s in part.model.segments} if part.model else {}
    numbers = r["behaviour"].tolist()
    since = np.where(r["behaviour"] > 0, r["behaviour_since"], 0).astype("datetime64[ms]")
    columns: dict[str, Any] = {
        "customer_id": pa.array([key.decode() for key in keys], pa.string()),
        "sequence": pa.array(r["sequence"].astype(np.int64)),
        "behaviour": pa.array([f"b-{n}" if n else None for n in numbers], pa.string()),
        "behaviour_name": pa.array([segments.get(n) for n in numbers], pa.string()),
        "behaviour_since": pa.array(since, pa.timestamp("ms", "UTC"), mask=r["behaviour"] == 0),
        "model_version": pa.array(r["model_version"].astype(np.int64)),
        "audiences": pa.array(_audiences(part, r["audience_bits"].tolist()), pa.list_(pa.string())),
    }
    values = evaluate(View(r, now, engine.calendar, value_of(part.model)))
    for feature in FEATURES:
        column = values[feature.name]
        if feature.namespace is not None:
            columns[feature.name] = pa.array(
                [scalar(feature, v, part.names) for v in column.tolist()], pa.string()
            )
        else:
            columns[feature.name] = pa.array(column, pa.float64(), mask=np.isnan(column))
    return pa.table(columns)


def _audiences(part: Partition, held: list[int]) -> list[list[str]]:
    """Return the audiences that each customer is in, by slot."""
    by_slot = {} if part.rules is None else part.rules.definitions.by_slot
    named = {
        bits: [definition.id for slot, definition in by_slot.items() if bits >> slot & 1]
        for bits in set(held)
    }
    return [named[bits] for bits in held]

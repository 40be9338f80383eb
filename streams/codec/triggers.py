"""The input records behind changes as JSON: made once for all changes that a record causes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.events import I64
from streams.codec.json_columns import json_of
from streams.codec.pieces import Pieces, join


def triggers_of(
    topics: Sequence[str], topic: NDArray[np.integer], partition: I64, offset: I64, event_ids: Pieces
) -> Pieces:
    """Return n input records as changes name them.

    Args:
        topics: names.
        topic: (n,) places of the records' topics among them.
        partition: (n,)
        offset: (n,)
        event_ids: (n,) the event_id of each, as JSON without its quotes.
    """
    names = [f'{{"topic":{json_of(name)},"partition":' for name in topics]
    made = join(
        len(topic),
        Pieces.one_of(names, topic),
        Pieces.numbers(partition),
        ',"offset":',
        Pieces.numbers(offset),
        ',"event_id":"',
        event_ids,
        '"}',
    )
    return Pieces.packed(made)

"""The input records behind changes as JSON: made once for all changes that a record causes."""

from __future__ import annotations

from collections.abc import Sequence

from streams.codec.json_columns import json_of, strings
from streams.codec.main_features import Json


def triggers_of(records: Sequence[tuple[str, int, int]], event_ids: Sequence[str]) -> list[Json]:
    """Return input records as changes name them.

    Args:
        records: topic, partition and offset of each.
        event_ids: the event_id of each.
    """
    names = {topic: json_of(topic) for topic, _, _ in records}
    return [
        Json(f'{{"topic":{names[topic]},"partition":{partition},"offset":{offset},"event_id":"{event_id}"}}')
        for (topic, partition, offset), event_id in zip(records, strings(event_ids), strict=True)
    ]

"""Where a partition begins and ends, asked while its broker may just have been away."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

_ELECTED_SOON = frozenset({KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE})
_PAUSE_S = 0.1


def bounds_of(consumer: Consumer, place: TopicPartition, timeout_s: float) -> tuple[int, int]:
    """Return a partition's first offset and its end as the consumer's isolation level sees it.

    A leader that is being elected is waited for. librdkafka hands that on as an error: it asks the broker
    that led the partition when it last looked.

    Args:
        consumer: asks; need not be assigned the partition.
        place: topic and partition.
        timeout_s: bounds each request, and the wait for a leader.

    Raises:
        KafkaException: the broker does not answer in time, or refuses.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            first, end = consumer.get_watermark_offsets(place, timeout=timeout_s)
        except KafkaException as error:
            if error.args[0].code() not in _ELECTED_SOON or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return int(first), int(end)

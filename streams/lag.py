"""How many input records the workers have not committed yet, asked from outside."""

from __future__ import annotations

import time
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streams.bounds import bounds_of
from streams.errors import BrokerUnreachableError
from streams.records import INPUT_TOPICS
from streams.security import librdkafka_security
from streams.settings import Settings
from streams.topics import topic_name

ANSWER_S = 15.0
"""Bounds each request, and the wait for a broker that is about to look after the group."""
_SOON = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    }
)


class Lag:
    """Compares what the group has committed with the ends of the input topics; use it with `with`.

    Args:
        settings: the deployment's.
    """

    def __init__(self, settings: Settings) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.kafka_bootstrap,
                "client.id": "live-segments-lag",
                "group.id": settings.app_id,  # asked for its offsets, never joined
                "enable.auto.commit": False,
                "log_level": 0,
                **librdkafka_security(settings),
            }
        )
        self._places = [
            TopicPartition(topic_name(settings, topic), partition)
            for topic in INPUT_TOPICS
            for partition in range(settings.partitions)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._consumer.close()

    def left(self) -> int:
        """Return the number of records between the committed offsets and the ends.

        Raises:
            BrokerUnreachableError: the broker does not answer.
        """
        deadline = time.monotonic() + ANSWER_S
        while True:
            try:
                committed = self._consumer.committed(self._places, timeout=ANSWER_S)
                return sum(
                    bounds_of(self._consumer, place, ANSWER_S)[1] - max(place.offset, 0)
                    for place in committed
                )
            except KafkaException as error:
                reason = error.args[0]
                if reason.code() not in _SOON or time.monotonic() > deadline:
                    raise BrokerUnreachableError(
                        f"Kafka does not say what is committed: {reason.str()}; is it up?"
                    ) from error
                time.sleep(0.1)

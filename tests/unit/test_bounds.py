"""The ends of a partition are asked again while its leader is being elected, and only then."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams.bounds import bounds_of

PLACE = TopicPartition("clicks", 0)


class Client:
    """Answers with these errors first, then with bounds."""

    def __init__(self, *errors: int) -> None:
        self.errors = list(errors)

    def get_watermark_offsets(self, _place: TopicPartition, timeout: float) -> tuple[int, int]:
        """Answer as a confluent consumer does."""
        assert timeout in {0, 5}
        if self.errors:
            raise KafkaException(KafkaError(self.errors.pop(0)))
        return 3, 8


def asked(client: Any) -> tuple[int, int]:
    return bounds_of(client, PLACE, 5)


def test_a_leader_that_is_being_elected_is_waited_for() -> None:
    assert asked(Client(KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)) == (3, 8)


def test_any_other_error_is_the_callers() -> None:
    client = Client(KafkaError._ALL_BROKERS_DOWN, KafkaError.NOT_LEADER_FOR_PARTITION)
    with pytest.raises(KafkaException) as caught:
        asked(client)
    assert caught.value.args[0].code() == KafkaError._ALL_BROKERS_DOWN
    assert len(client.errors) == 1


def test_a_leader_that_is_never_elected_is_given_up() -> None:
    client: Any = Client(*[KafkaError.LEADER_NOT_AVAILABLE] * 10)
    with pytest.raises(KafkaException):
        bounds_of(client, PLACE, 0)

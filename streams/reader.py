"""Read topics for the tools: committed records only, without a group, so no worker notices.

A Kafka consumer that joins no group takes nothing from anybody and leaves no trace. Everything here reads up
to the end as of then: records of a transaction that is still open are not there yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from confluent_kafka import KafkaException as KafkaFailure

from streams.admin import Admin
from streams.bounds import bounds_of
from streams.errors import BrokerUnreachableError, LiveSegmentsError, UsageError
from streams.security import librdkafka_security
from streams.settings import Settings
from streams.topics import topic_name

FETCH_RECORDS = 5_000
"""Records handed over at once."""
SILENCE_S = 30.0
"""A broker that sends nothing for so long, with records left to send, is given up."""
ANSWER_S = 4.0
"""A broker that takes longer counts as away."""
_BEGINNING, _END = -2, -1


@dataclass(slots=True)
class Row:
    """One record."""

    topic: str
    """Without the deployment's prefix."""
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes
    value: bytes | None


class Reader:
    """A consumer without a group; use it with `with`.

    Args:
        settings: the deployment's.

    Raises:
        BrokerUnreachableError: no broker answers.
        UsageError: no broker is named.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._partitions = Admin(settings).metadata().copies
        self._consumer = Consumer(_configuration(settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._consumer.close()

    def all_of(self, topic: str, partitions: Iterable[int] | None = None) -> Iterator[Row]:
        """Yield the records of a topic, or of some of its partitions, up to the end; in order per partition.

        Raises:
            UsageError: the topic is missing.
            BrokerUnreachableError: the broker is lost.
        """
        yield from self._to_end(topic, dict.fromkeys(self._numbers(topic, partitions), _BEGINNING))

    def latest(self, topic: str, partitions: Iterable[int] | None = None) -> dict[bytes, bytes]:
        """Return the last value of each key; deleted ones are left out.

        Raises:
            UsageError: the topic is missing.
            BrokerUnreachableError: the broker is lost.
        """
        found: dict[bytes, bytes] = {}
        for row in self.all_of(topic, partitions):
            if row.value is None:
                found.pop(row.key, None)
            else:
                found[row.key] = row.value
        return found

    def latest_rows(self, topic: str) -> dict[bytes, Row]:
        """Return the last record of each key, as `latest` does their values."""
        found: dict[bytes, Row] = {}
        for row in self.all_of(topic):
            found.pop(row.key, None)
            if row.value is not None:
                found[row.key] = row
        return found

    def last(self, topic: str, count: int) -> list[bytes]:
        """Return the values of the last records of a topic with one partition, oldest first.

        Raises:
            UsageError: the topic is missing.
            BrokerUnreachableError: the broker is lost.
        """
        name = topic_name(self._settings, topic)
        self._numbers(topic, None)
        low, high = self._ask_bounds(name)
        window = 4 * count  # every other offset may be the end of a transaction
        while True:
            start = max(low, high - window)
            values = [row.value for row in self._to_end(topic, {0: start}) if row.value is not None]
            if len(values) >= count or start == low:
                return values[-count:]
            window *= 4

    def follow(self, topics: Iterable[str], *, from_beginning: bool = False) -> Iterator[Row | None]:
        """Yield records as they come, without end; None whenever there is none for half a second.

        The consumer is in place when the first item has been yielded: what is written from then on is seen.

        Raises:
            UsageError: a topic is missing.
            LiveSegmentsError: the broker refuses.
        """
        start = _BEGINNING if from_beginning else _END
        places = []
        for topic in topics:
            name = topic_name(self._settings, topic)
            for number in self._numbers(topic, None):
                at = start if from_beginning else self._ask_bounds(name, number)[1]
                places.append(TopicPartition(name, number, at))
        self._consumer.assign(places)
        yield None
        while True:
            messages = self._consumer.consume(FETCH_RECORDS, 0.5)
            rows: list[Row | None] = [self._row(message) for message in messages if _is_record(message)]
            yield from rows or [None]

    def answers(self) -> bool:
        """Return whether a broker answers now; asks for at most `ANSWER_S`."""
        try:
            self._consumer.list_topics(next(iter(self._partitions), None), timeout=ANSWER_S)
        except KafkaFailure:
            return False
        return True

    def _numbers(self, topic: str, partitions: Iterable[int] | None) -> list[int]:
        name = topic_name(self._settings, topic)
        if name not in self._partitions:
            raise UsageError(
                f"topic {name} is missing; run `live-segments topics create`, or correct the prefix"
            )
        return list(range(len(self._partitions[name]))) if partitions is None else list(partitions)

    def _ask_bounds(self, name: str, partition: int = 0) -> tuple[int, int]:
        try:
            return bounds_of(self._consumer, TopicPartition(name, partition), 15)
        except KafkaFailure as error:
            raise self._lost(error.args[0]) from error

    def _to_end(self, topic: str, starts: dict[int, int]) -> Iterator[Row]:
        """Yield from each partition's start to its last stable offset."""
        name = topic_name(self._settings, topic)
        self._consumer.assign([TopicPartition(name, number, at) for number, at in starts.items()])
        left = set(starts)
        silent_s = 0.0
        try:
            while left:
                messages = self._consumer.consume(FETCH_RECORDS, 0.2)
                silent_s = 0.0 if messages else silent_s + 0.2
                if silent_s > SILENCE_S:
                    raise self._lost(None)
                for message in messages:
                    if _is_record(message):
                        yield self._row(message)
                    else:
                        left.discard(message.partition())
        finally:
            self._consumer.unassign()

    def _row(self, message: Message) -> Row:
        _, timestamp_ms = message.timestamp()
        return Row(
            (message.topic() or "").removeprefix(self._settings.topic_prefix),
            message.partition() or 0,
            message.offset() or 0,
            timestamp_ms,
            message.key() or b"",
            message.value(),
        )

    def _lost(self, error: KafkaError | None) -> BrokerUnreachableError:
        why = error.str() if error is not None else f"silent for {SILENCE_S:g} s"
        return BrokerUnreachableError(
            f"lost Kafka at {self._settings.kafka_bootstrap} ({why}); start it, or correct KAFKA_BOOTSTRAP"
        )


def _is_record(message: Message) -> bool:
    """Return whether it is a record; false at the end of a partition.

    Raises:
        LiveSegmentsError: the broker refuses.
    """
    error = message.error()
    if error is None:
        return True
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - public constant with an underscore
        return False
    raise LiveSegmentsError(f"Kafka refuses: {error.str()}")


def _configuration(settings: Settings) -> dict[str, object]:
    return {
        "bootstrap.servers": settings.kafka_bootstrap,
        "client.id": "live-segments-tools",
        # the client wants a name; it joins no group and stores no offset
        "group.id": f"{settings.app_id}-tools",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 100,
        "log_level": 0,
        **librdkafka_security(settings),
    }

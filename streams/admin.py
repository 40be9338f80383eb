"""Admin requests to Kafka with bounded times, and errors that say what to do."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from streams.delayed import delayed
from streams.errors import BrokerUnreachableError, LiveSegmentsError, UsageError
from streams.security import librdkafka_security
from streams.settings import Settings

log = logging.getLogger(__name__)

REQUEST_TIMEOUT_S = 15.0
"""Bounds each request to the broker, and the wait until new topics have leaders.

Longer than the 9 s after which Kafka by default notices that a node is dead: until then the other
nodes may still send us to it.
"""
PATIENCE_S = 4.0
"""After so long without an answer to the first question who asks is told that we wait."""
_MOCK = "mockCluster"
"""Start of the cluster id of librdkafka's mock cluster, the embedded broker."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a cluster has."""

    copies: dict[str, list[int]]
    """By topic: the number of copies of each of its partitions."""
    brokers: int
    embedded: bool
    """The embedded broker answers neither requests to make topics nor for their configuration."""


class Admin:
    """A connection for admin requests; every method raises what `_ask` raises."""

    def __init__(self, settings: Settings, timeout_s: float = REQUEST_TIMEOUT_S) -> None:
        if settings.kafka_bootstrap is None:
            raise UsageError("KAFKA_BOOTSTRAP is not set; name the brokers as HOST:PORT")
        self._bootstrap = settings.kafka_bootstrap
        self._security = librdkafka_security(settings)
        self._timeout_s = timeout_s
        self._last_error = ""
        self._client = self._connect(settings.kafka_bootstrap)

    def _connect(self, bootstrap: str) -> AdminClient:
        return AdminClient(
            {
                "bootstrap.servers": bootstrap,
                "log_level": 0,  # our one line says it, librdkafka would say it for each attempt
                "error_cb": self._remember,
                "reconnect.backoff.max.ms": 500,
                "topic.metadata.refresh.interval.ms": 1000,  # hears soon when a dead node is replaced
                **self._security,
            }
        )

    def _remember(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - public constant with an underscore
            self._last_error = error.str()

    def metadata(self) -> Metadata:
        """Return the topics and the number of brokers."""
        found = self._topics()
        copies = {
            name: [len(part.replicas) for _, part in sorted(topic.partitions.items())]
            for name, topic in found.topics.items()
        }
        return Metadata(copies, len(found.brokers), str(found.cluster_id).startswith(_MOCK))

    def create(self, topics: Iterable[NewTopic]) -> list[str]:
        """Create topics and return the names of those that were not there already."""
        futures = self._client.create_topics(
            list(topics), operation_timeout=self._timeout_s, request_timeout=self._timeout_s
        )
        return [name for name, future in futures.items() if self._created(future)]

    def _created(self, future: Any) -> bool:
        try:
            self._ask(future.result)
        except LiveSegmentsError as error:
            if _code(error) != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
            return False
        return True

    def wait_for(self, names: list[str]) -> None:
        """Wait until every node of the cluster knows these topics, with a leader for each partition.

        A node that does not answer is passed over: it learns of them before it serves again.
        """
        deadline = time.monotonic() + self._timeout_s
        nodes = self._topics().brokers.values() if names else ()
        for address in [f"{node.host}:{node.port}" for node in nodes]:
            while not self._knows(address, names):
                if time.monotonic() > deadline:
                    raise BrokerUnreachableError(
                        f"the new topics have no leader after {self._timeout_s:g} s; are all brokers up?"
                    )
                time.sleep(0.05)

    def _knows(self, address: str, names: list[str]) -> bool:
        # a client of its own each time: one that has learned of other nodes would ask any of them
        try:
            found = self._connect(address).list_topics(timeout=1).topics
        except KafkaException:
            return True
        return all(name in found and _has_leaders(found[name]) for name in names)

    def configs(self, names: list[str]) -> dict[str, dict[str, str]]:
        """Return the configuration of topics by name, defaults included."""
        if not names:
            return {}
        asked = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        deadline = time.monotonic() + self._timeout_s
        while True:
            futures = self._client.describe_configs(asked, request_timeout=self._timeout_s)
            try:
                answers = {resource.name: self._ask(future.result) for resource, future in futures.items()}
            except LiveSegmentsError as error:
                # one node told us of a topic and another, which was asked now, has yet to hear of it
                if _code(error) != KafkaError.UNKNOWN_TOPIC_OR_PART or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                break
        return {name: {key: entry.value for key, entry in answer.items()} for name, answer in answers.items()}

    def _topics(self) -> Any:
        with self._patience():
            return self._ask(lambda: self._client.list_topics(timeout=self._timeout_s))

    @contextmanager
    def _patience(self) -> Iterator[None]:
        """Say that we wait when the block takes longer than `PATIENCE_S`, and may take longer yet."""
        left_s = self._timeout_s - PATIENCE_S
        if left_s <= 0:
            yield
            return
        told = ("no answer from Kafka at %s yet; waiting %g s more", self._bootstrap, left_s)
        with delayed(PATIENCE_S, lambda: log.warning(*told)):
            yield

    def _ask(self, request: Callable[[], Any]) -> Any:
        """Return the answer to a request.

        Raises:
            BrokerUnreachableError: no answer in time; with the reason of the last attempt.
            LiveSegmentsError: the broker refuses; with its reason.
        """
        try:
            return request()
        except KafkaException as error:
            reason = error.args[0]
            if reason.code() not in _UNREACHABLE:
                raise LiveSegmentsError(f"Kafka refuses: {reason.str()}") from error
            self._client.poll(0)  # lets `_remember` hear why
            raise BrokerUnreachableError(
                f"no answer from Kafka at {self._bootstrap} in {self._timeout_s:g} s "
                f"({self._last_error or reason.str()}); start it, or correct KAFKA_BOOTSTRAP"
            ) from error


_UNREACHABLE = frozenset(
    {
        KafkaError._TRANSPORT,  # noqa: SLF001 - public constants with an underscore, here and below
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.BROKER_NOT_AVAILABLE,
    }
)


def _code(error: LiveSegmentsError) -> int | None:
    """Return Kafka's code of the error that `_ask` turned into this one."""
    cause = error.__cause__
    return cause.args[0].code() if isinstance(cause, KafkaException) else None


def _has_leaders(topic: Any) -> bool:
    return topic.error is None and all(part.leader >= 0 for part in topic.partitions.values())

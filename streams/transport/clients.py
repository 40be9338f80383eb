"""Kafka clients with the product's settings."""

from __future__ import annotations

from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import ProducerFenced

from streams.errors import UsageError
from streams.security import aiokafka_security
from streams.settings import Settings
from streams.transport.record_batch import MAX_BATCH_BYTES

_FENCED = frozenset({"InvalidProducerEpoch", "InvalidProducerIdMapping", "InvalidTxnState"})


def connection(settings: Settings) -> dict[str, Any]:
    """Return where the brokers are and how to sign in, as aiokafka's keyword arguments.

    Raises:
        UsageError: no brokers are named.
    """
    if not settings.kafka_bootstrap:
        raise UsageError(
            "KAFKA_BOOTSTRAP is not set: name the brokers as HOST:PORT, or run `live-segments demo`"
        )
    brokers = [part.strip() for part in settings.kafka_bootstrap.split(",")]
    return {"bootstrap_servers": brokers, **aiokafka_security(settings)}


def new_producer(settings: Settings, transactional_id: str | None) -> AIOKafkaProducer:
    """Return a producer that is not started; without an id it is idempotent only."""
    options: dict[str, Any] = {"enable_idempotence": True}
    if transactional_id is not None:
        options = {
            "transactional_id": transactional_id,
            "transaction_timeout_ms": settings.transaction_timeout_ms,
        }
    return AIOKafkaProducer(
        **connection(settings),
        **options,
        acks="all",
        linger_ms=0,
        max_request_size=8 * MAX_BATCH_BYTES,
        retry_backoff_ms=20,  # a broker refuses writes for some ms after a commit: the next try comes soon
        request_timeout_ms=20_000,
    )


def new_reader(settings: Settings, *, committed: bool, max_wait_ms: int = 100) -> AIOKafkaConsumer:
    """Return a consumer without group that is not started, for bulk reading of one topic."""
    return AIOKafkaConsumer(
        **connection(settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed" if committed else "read_uncommitted",
        check_crcs=False,  # the embedded broker's transaction markers have none; TCP has its own
        max_partition_fetch_bytes=4 << 20,
        fetch_max_bytes=32 << 20,
        fetch_max_wait_ms=max_wait_ms,
    )


def is_fenced(error: BaseException | None) -> bool:
    """Return whether somebody else owns the transactional id now, or the broker ended the transaction."""
    while error is not None:
        if isinstance(error, ProducerFenced) or type(error).__name__ in _FENCED:
            return True
        error = error.__cause__
    return False

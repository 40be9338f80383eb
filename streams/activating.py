"""Ask a deployment to put definitions in force, and see that it does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from models.audiences import Definitions, DefinitionsError, successor
from streams.codec.activation import KEY, encode_activation, is_definitions
from streams.errors import BrokerUnreachableError, InputFileError, LiveSegmentsError
from streams.reader import Reader
from streams.security import librdkafka_security
from streams.settings import Settings
from streams.snapshot import tail_of_models
from streams.topics import topic_name

CONFIRM_S = 30.0
"""A request that no broker has confirmed by then is given up."""
WAIT_S = 60.0
"""How long a worker has to put definitions in force."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a version of the definitions changes."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def difference(previous: Definitions | None, made: Definitions) -> Difference:
    """Return the ids of the audiences that are new, not as before, and no more."""
    before = {} if previous is None else {d.id: d for d in previous.audiences}
    after = {d.id: d for d in made.audiences}
    return Difference(
        added=tuple(name for name in after if name not in before),
        changed=tuple(name for name in after if name in before and after[name] != before[name]),
        removed=tuple(name for name in before if name not in after),
    )


def in_force(reader: Reader) -> Definitions | None:
    """Return the newest definitions of a deployment, None before its first start.

    Raises:
        LiveSegmentsError: they are of a newer program, or the topic cannot be read.
    """
    found = [value for value in tail_of_models(reader) if is_definitions(value)]
    return _read(found[-1]) if found else None


def following(previous: Definitions | None, parsed: Definitions) -> Definitions | None:
    """Return what would come in force after `previous`, None when it says the same.

    Raises:
        InputFileError: there is no room for its audiences.
    """
    try:
        return successor(previous, parsed)
    except DefinitionsError as error:
        raise InputFileError(str(error)) from error


def activate(
    settings: Settings, reader: Reader, parsed: Definitions, wait_s: float = WAIT_S
) -> tuple[Definitions, Difference] | None:
    """Put definitions in force and return them with what they change, None when they are already.

    Raises:
        InputFileError: there is no room for its audiences.
        BrokerUnreachableError: the broker is lost.
        LiveSegmentsError: no worker has put them in force in time.
    """
    previous = in_force(reader)
    if following(previous, parsed) is None:
        return None
    newest = 0 if previous is None else previous.version
    rows = reader.follow(["models"])
    next(rows)  # from here on nothing is missed
    _send(settings, encode_activation(parsed))
    deadline = time.monotonic() + wait_s
    for row in rows:
        if row is not None and row.value is not None and is_definitions(row.value):
            made = _read(row.value)
            if made.version > newest and made.digest == parsed.digest:
                return made, difference(previous, made)
        if time.monotonic() > deadline:
            break
    raise LiveSegmentsError(
        f"the request is on {topic_name(settings, 'model-deltas')}, but no worker has put it in force within "
        f"{wait_s:g} s: start one, or look for `definitions` in the log of the one that runs"
    )


def _read(value: bytes) -> Definitions:
    try:
        return Definitions.from_bytes(value)
    except DefinitionsError as error:
        raise LiveSegmentsError(f"the definitions in force are of a newer program: {error}") from error


def _send(settings: Settings, value: bytes) -> None:
    """Send a request and wait until all copies have it."""
    failed: list[KafkaError] = []

    def note(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failed.append(error)

    producer = Producer(_configuration(settings))
    producer.produce(topic_name(settings, "model-deltas"), value, key=KEY, partition=0, on_delivery=note)
    left = producer.flush(CONFIRM_S)
    if left or failed:
        why = failed[0].str() if failed else f"not confirmed within {CONFIRM_S:g} s"
        raise BrokerUnreachableError(f"Kafka at {settings.kafka_bootstrap} did not take the request ({why})")


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "bootstrap.servers": settings.kafka_bootstrap,
        "client.id": "live-segments-definitions",
        "acks": "all",
        "enable.idempotence": True,
        "message.timeout.ms": int(CONFIRM_S * 1000),
        "log_level": 0,
        **librdkafka_security(settings),
    }

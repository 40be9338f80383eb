"""The group's committed offsets, asked for by ourselves.

aiokafka 0.14 asks with version 3 of the request and does not look at the answer's own error code: while a
coordinator is being loaded, or is another one by now, it takes the empty answer for "nothing committed".
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterable
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
    for_code,
)
from aiokafka.protocol.commit import OffsetFetchRequest

log = logging.getLogger(__name__)

RETRY_S = 0.05
SAY_EVERY = 100
"""Tries between two lines in the log."""
_ELSEWHERE = (GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError)


async def committed_offsets(
    coordinator: Any, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, int]:
    """Return the offset that the group has committed for each partition, 0 where there is none.

    Args:
        coordinator: aiokafka's, of a consumer that has joined the group.
        partitions: to ask for.

    Raises:
        KafkaError: not allowed, or the answer makes no sense; what passes by itself is waited for.
    """
    asked = list(partitions)
    for tries in itertools.count(1):
        if tries % SAY_EVERY == 0:
            log.warning("the group coordinator has not told committed offsets for %g s", tries * RETRY_S)
        await coordinator.ensure_coordinator_known()
        try:
            return await _ask(coordinator, asked)
        except GroupLoadInProgressError:
            pass
        except KafkaError as error:
            if not error.retriable:
                raise
        await asyncio.sleep(RETRY_S)
    raise AssertionError("unreachable: it tries for ever")


async def _ask(coordinator: Any, asked: list[TopicPartition]) -> dict[TopicPartition, int]:
    by_topic: dict[str, list[int]] = {}
    for tp in asked:
        by_topic.setdefault(tp.topic, []).append(tp.partition)
    answer = await coordinator._send_req(  # noqa: SLF001 - see the module
        OffsetFetchRequest(coordinator.group_id, list(by_topic.items()))
    )
    _check(coordinator, getattr(answer, "error_code", 0))
    found: dict[TopicPartition, int] = {}
    for topic, parts in answer.topics:
        for partition, offset, _metadata, code in parts:
            _check(coordinator, code)
            found[TopicPartition(topic, partition)] = max(0, offset)
    missing = [tp for tp in asked if tp not in found]
    if missing:
        raise KafkaError(f"the group coordinator says nothing about {missing}")
    return found


def _check(coordinator: Any, code: int) -> None:
    """Raise the error of a code, if it is one; who is not the coordinator any more is not asked again."""
    if code:
        error = for_code(code)
        if error in _ELSEWHERE:
            coordinator.coordinator_dead()
        raise error()

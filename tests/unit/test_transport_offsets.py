"""The group's offsets: an answer that is an error is never taken for "nothing committed"."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError

from streams.errors import LiveSegmentsError, StaleStateError
from streams.transport import protocol
from streams.transport.life import Life
from streams.transport.offsets import committed_offsets
from streams.transport.protocol import Step

LOADING, UNAVAILABLE, NOT_COORDINATOR, REFUSED = 14, 15, 16, 30
PLACES = [TopicPartition("clicks", 0), TopicPartition("clicks", 1)]


@dataclass
class Answer:
    """What a broker says: topics with their partitions, and an error of its own."""

    topics: list[tuple[str, list[tuple[int, int, str, int]]]] = field(default_factory=list)
    error_code: int = 0


GOOD = Answer([("clicks", [(0, 70, "", 0), (1, -1, "", 0)])])


@dataclass
class Coordinator:
    """Gives answers one after the other."""

    answers: list[Answer]
    group_id: str = "group"
    asked: int = 0
    dead: int = 0

    async def ensure_coordinator_known(self) -> None:
        """Know it."""

    async def _send_req(self, request: Any) -> Answer:
        assert request
        self.asked += 1
        return self.answers.pop(0)

    def coordinator_dead(self) -> None:
        """Note that it has to be looked for."""
        self.dead += 1


def ask(*answers: Answer) -> tuple[dict[TopicPartition, int], Coordinator]:
    """Return what is found, and the coordinator."""
    coordinator = Coordinator(list(answers))
    return asyncio.run(committed_offsets(coordinator, PLACES)), coordinator


def test_a_partition_without_an_offset_is_at_the_beginning() -> None:
    assert ask(GOOD)[0] == {PLACES[0]: 70, PLACES[1]: 0}


@pytest.mark.parametrize(("code", "dead"), [(LOADING, 0), (UNAVAILABLE, 1), (NOT_COORDINATOR, 1)])
def test_an_answer_without_topics_that_is_an_error_is_asked_for_again(code: int, dead: int) -> None:
    """So says a broker that has just become the coordinator, or is it no longer."""
    found, coordinator = ask(Answer(error_code=code), GOOD)

    assert found[PLACES[0]] == 70
    assert (coordinator.asked, coordinator.dead) == (2, dead)


def test_an_error_of_one_partition_is_asked_for_again() -> None:
    half = Answer([("clicks", [(0, 70, "", 0), (1, -1, "", NOT_COORDINATOR)])])

    assert ask(half, GOOD)[1].asked == 2


def test_an_answer_that_leaves_out_a_partition_is_no_answer() -> None:
    with pytest.raises(KafkaError, match="says nothing about"):
        ask(Answer([("clicks", [(0, 70, "", 0)])]))


def test_what_is_refused_is_refused() -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        ask(Answer(error_code=REFUSED))


def steps_after(error: LiveSegmentsError) -> list[type[Step]]:
    """Return the steps that follow when the restored state does not fit the offsets."""
    part = Life(0, 1)
    steps = protocol.bring_up(part, lambda: True)
    seen: list[type[Step]] = []
    answer: Any = None
    raising = False
    with contextlib.suppress(LiveSegmentsError):
        while True:
            step = steps.throw(error) if raising else steps.send(answer)
            raising = isinstance(step, protocol.Check)
            answer = [0] if isinstance(step, protocol.ReadOffsets) else None
            seen.append(type(step))
    assert raising == (seen[-1] is protocol.Check)
    return seen[seen.index(protocol.Check) + 1 :]


def test_offsets_that_contradict_the_state_are_not_written_back() -> None:
    assert steps_after(LiveSegmentsError("another topic")) == []


def test_a_part_goes_on_where_its_state_ends_and_commits_that() -> None:
    """A coordinator that was loaded badly has shown offsets of long ago for minutes."""
    part = Life(0, 2)
    steps = protocol.bring_up(part, lambda: True)
    answers: dict[type[Step], object] = {protocol.ReadOffsets: [3, 9], protocol.Check: [7, 9]}
    step = next(steps)
    while not isinstance(step, protocol.SeekAndActivate):
        step = steps.send(answers.get(type(step)))
    part.activate(0.0)

    assert part.expected == [7, 9]
    assert part.moved() == {0: 7}


def test_offsets_that_are_newer_than_the_state_may_be_those_of_the_next_owner() -> None:
    assert steps_after(StaleStateError("newer")) == [protocol.ProveOwnership]

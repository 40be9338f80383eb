"""Who has which partition: pure, decided by the group's leader from what all members say.

A partition moves in two rebalances, so that it is never without an owner for longer than a rebalance
takes: at the first, its next owner is told to stand by, and reads the changelog while the present owner
goes on; at the second, which it asks for when it is near, it takes over. What nobody has is opened at
once. The idea is that of Kafka Streams' warm-up replicas (KIP-441).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec
from aiokafka import TopicPartition

from streams.transport.life import OutOfStepError


class Member(msgspec.Struct, frozen=True):
    """What a member says of itself when it joins."""

    owned: frozenset[int] = frozenset()
    """Partitions that are open here."""
    near: frozenset[int] = frozenset()
    """Partitions of which it has the state, but for the last records, or that it is about to open."""
    merger: bool = False
    """The merger is here."""
    leaving: bool = False
    """It is about to stop, and goes on as long as it has partitions."""
    generation: int = -1
    """The group's, in which it was told what it owns: the newest one is right."""


class Portion(msgspec.Struct, frozen=True):
    """What a member gets."""

    active: frozenset[int] = frozenset()
    standby: frozenset[int] = frozenset()
    """Partitions to stand by for, until the next rebalance."""
    merger: bool = False
    others: int = 0
    """Members that are not about to leave, beside this one."""


def numbers_of(partitions: Iterable[TopicPartition], inputs: Collection[str]) -> set[int]:
    """Return the numbers of assigned partitions.

    Raises:
        OutOfStepError: the topics of a partition number are spread over workers.
    """
    topics: dict[int, set[str]] = {}
    for tp in partitions:
        topics.setdefault(tp.partition, set()).add(tp.topic)
    for number, names in topics.items():
        if names != set(inputs):
            raise OutOfStepError(f"partition {number} was assigned without {sorted(set(inputs) - names)}")
    return set(topics)


def share_out(members: Mapping[str, Member], numbers: Collection[int]) -> dict[str, Portion]:
    """Share the partitions: evenly, moving as few as possible, and none before its next owner is near.

    Args:
        members: by id; at least one.
        numbers: the partitions.

    Returns:
        The portion of each member. Each number is active at exactly one.
    """
    takers = sorted(name for name in members if not members[name].leaving)
    staying = takers or sorted(members)
    owners = _owners(members, numbers)
    aim = _aim(members, staying, owners, numbers)
    active: dict[str, set[int]] = {name: set() for name in members}
    standby: dict[str, set[int]] = {name: set() for name in members}
    for number in numbers:
        owner, next_owner = owners.get(number), aim[number]
        if owner is None or owner == next_owner or number in members[next_owner].near:
            active[next_owner].add(number)
        else:
            active[owner].add(number)
            standby[next_owner].add(number)
    merger = _merger(members, staying, active)
    return {
        name: Portion(
            frozenset(active[name]),
            frozenset(standby[name]),
            merger == name,
            len(set(takers) - {name}),
        )
        for name in members
    }


def _owners(members: Mapping[str, Member], numbers: Collection[int]) -> dict[int, str]:
    """Return who has which partition open; of several the one with the newest word of the group."""
    owners: dict[int, str] = {}
    for name in sorted(members, key=lambda name: (members[name].generation, name)):
        owners.update(dict.fromkeys(members[name].owned & frozenset(numbers), name))
    return owners


def _aim(
    members: Mapping[str, Member], staying: list[str], owners: Mapping[int, str], numbers: Collection[int]
) -> dict[int, str]:
    """Return who shall have which partition in the end."""
    held = {name: [number for number in sorted(numbers) if owners.get(number) == name] for name in staying}
    least, more = divmod(len(numbers), len(staying))
    by_size = sorted(staying, key=lambda name: (-len(held[name]), -len(members[name].near), name))
    room = {name: least + (i < more) for i, name in enumerate(by_size)}
    aim: dict[int, str] = {}
    for name in staying:  # what is near to others is given away first
        wanted = frozenset().union(*(members[other].near for other in staying if other != name))
        for number in sorted(held[name], key=lambda number: (number in wanted, number))[: room[name]]:
            aim[number] = name
            room[name] -= 1
    free = sorted(set(numbers) - aim.keys())
    for prefers_near in (True, False):
        for number in free:
            takers = [
                name
                for name in by_size
                if room[name] and number not in aim and (number in members[name].near or not prefers_near)
            ]
            if takers:
                aim[number] = max(takers, key=lambda name: room[name])
                room[aim[number]] -= 1
    return aim


def _merger(members: Mapping[str, Member], staying: list[str], active: Mapping[str, Collection[int]]) -> str:
    """Return who has the merger: who had it, or else who has the fewest partitions."""
    having = [name for name in staying if members[name].merger]
    if having:
        return max(having, key=lambda name: (members[name].generation, name))
    return min(staying, key=lambda name: (len(active[name]), name))

"""The group's assignor: members say what they have, the leader shares out, by `sharing`.

Faust's own assignor knows which partitions are whose, but neither moves them in two steps nor is told
that a member is about to leave.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from aiokafka import TopicPartition
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from faust.assignor import PartitionAssignor
from faust.assignor.client_assignment import ClientAssignment

from streams.transport.sharing import Member, Portion, share_out

VERSION = 0
"""Of the consumer protocol's own envelope."""


class Assignor(PartitionAssignor):
    """Assigns all inputs of a partition number to one member, and the deltas of the model to one."""

    def __init__(self, app: Any, replicas: int = 0) -> None:
        super().__init__(app, replicas)
        self.portion = Portion()
        """As of the last rebalance."""

    @property
    def name(self) -> str:
        """Return the name of the strategy: all members must have the same."""
        return "live-segments"

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """Return what this member says when it joins."""
        says = self.app.member()
        return ConsumerProtocolMemberMetadata(VERSION, list(topics), msgspec.json.encode(says))

    def _assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Share out what the members subscribe to; this member is the leader."""
        says = {
            name: msgspec.json.decode(metadata.user_data, type=Member) for name, metadata in members.items()
        }
        inputs, deltas = self._topics(cluster, members)
        numbers = {tp.partition for tp in inputs}
        return {
            name: _assignment(portion, inputs, deltas) for name, portion in share_out(says, numbers).items()
        }

    def _topics(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> tuple[list[TopicPartition], list[TopicPartition]]:
        """Return the partitions of the inputs, and those of the deltas."""
        inputs: list[TopicPartition] = []
        deltas: list[TopicPartition] = []
        for topic in sorted({topic for metadata in members.values() for topic in metadata.subscription}):
            kind = deltas if topic == self.app.delta_topic else inputs
            kind += [TopicPartition(topic, p) for p in sorted(cluster.partitions_for_topic(topic) or ())]
        return inputs, deltas

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Take note of what this member got."""
        self.portion = msgspec.json.decode(assignment.user_data, type=Portion)
        actives: dict[str, list[int]] = {}
        for tp in assignment.partitions():
            actives.setdefault(tp.topic, []).append(tp.partition)
        self._assignment = ClientAssignment(actives=actives, standbys={})  # for Faust's pages
        self._active_tps = self._assignment.active_tps
        self._topic_groups = dict.fromkeys(actives, 0)


def _assignment(
    portion: Portion, inputs: Iterable[TopicPartition], deltas: Iterable[TopicPartition]
) -> ConsumerProtocolMemberAssignment:
    mine = [tp for tp in inputs if tp.partition in portion.active] + (list(deltas) if portion.merger else [])
    by_topic: dict[str, list[int]] = {}
    for tp in mine:
        by_topic.setdefault(tp.topic, []).append(tp.partition)
    return ConsumerProtocolMemberAssignment(VERSION, sorted(by_topic.items()), msgspec.json.encode(portion))

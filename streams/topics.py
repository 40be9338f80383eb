"""Every topic once: name, partitions, retention and purpose; created and checked from here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from confluent_kafka.admin import NewTopic

from streams.admin import REQUEST_TIMEOUT_S, Admin
from streams.errors import LiveSegmentsError, UsageError
from streams.settings import Settings
from streams.words import counted

_HOUR, _DAY = 3_600_000, 86_400_000
FOREVER = -1

_ARRIVAL = {
    # Retention and the rolling of segments count from arrival. With the producer's times a history of last
    # year would be deleted as it is written, and a mix of old and new would roll a segment for each batch.
    "message.timestamp.type": "LogAppendTime",
}
_COMPACTED = {
    # A restore reads the compacted part and the dirty rest. A cleaning starts when the dirty share reaches r
    # and writes the live rows anew: the log stays below 1/(1-r) of them, for 1/r bytes rewritten a byte.
    # 0.3: 1.4 times the live rows, 3.3 bytes (the default 0.5: 2 times, 2 bytes; 0.1: 1.1 times, 10 bytes).
    "min.cleanable.dirty.ratio": "0.3",
    # The newest segment is never compacted, so it is small, and a quiet partition rolls it all the same.
    "segment.bytes": str(64 * 2**20),
    "segment.ms": str(_HOUR),
    # An erased customer's old rows are gone from the disk within a day, however little is written.
    "max.compaction.lag.ms": str(_DAY),
    # Batches stay as the worker compressed them; the broker does not spend CPU on doing it again.
    "compression.type": "producer",
}
_RESTORED = {
    # A restore reads the changelog whole, so what is written more than once costs silence at a takeover.
    # 1,000,000 customers are 510 MB of live rows on disk (two of 255 bytes each, compressed), in 8 partitions
    # 64 MB each. At 5,000 row writes/s of 600 bytes 1.3 MB/s come in, and at most this is read beside them:
    # the newest segments 8 * 4 MiB = 34 MB, the dirty rest 0.2/0.8 * 510 = 128 MB, and 20 MB that arrive
    # while the cleaner rests (15 s): 1.36 times the live rows (segments of 64 MiB and 0.3: 2.5 times). The
    # cleaner pays with 5 bytes a byte: 6.5 MB/s.
    "min.cleanable.dirty.ratio": "0.2",
    "segment.bytes": str(4 * 2**20),
    # Tombstones of erased customers go after a day: no restore or export takes that long.
    "delete.retention.ms": str(_DAY),
}
_TOMBSTONE_WEEK = {
    # A reader that was away for less than a week still sees each erasure.
    "delete.retention.ms": str(7 * _DAY)
}


@dataclass(frozen=True, slots=True)
class Topic:
    """What a topic is declared to be; `name` is without the deployment's prefix."""

    name: str
    meaning: str
    partitions: Literal["input", 1] = "input"
    """As many as each input topic, so that a partition number is one unit of state; or a single one."""
    cleanup: Literal["delete", "compact"] = "delete"
    retention_ms: int = FOREVER
    """Least time a record is kept, from its arrival; without effect on a compacted topic."""
    config: Mapping[str, str] = field(default_factory=dict)
    """Further settings of Kafka; checked on topics that are ours."""
    ours: bool = True
    """False: shops own it and may keep it longer or otherwise; only what we rely on is checked."""

    def partition_count(self, settings: Settings) -> int:
        """Return how many partitions the topic has under these settings."""
        return settings.partitions if self.partitions == "input" else self.partitions

    def kafka_config(self, settings: Settings) -> dict[str, str]:
        """Return the configuration the topic is created with."""
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            # one copy may be away and nothing that was confirmed is lost
            "min.insync.replicas": "2" if settings.replication_factor >= 3 else "1",
            **self.config,
        }


TOPICS: tuple[Topic, ...] = (
    Topic("clicks", "clicks of customers", retention_ms=90 * _DAY, config=_ARRIVAL, ours=False),
    Topic("product-views", "product views of customers", retention_ms=90 * _DAY, config=_ARRIVAL, ours=False),
    Topic("purchases", "orders and refunds", retention_ms=730 * _DAY, config=_ARRIVAL, ours=False),
    # keeps the producer's times: a null value erases at the record's timestamp
    Topic(
        "customers",
        "attributes, consent and erasure; the last record of a customer counts",
        cleanup="compact",
        config={**_COMPACTED, **_TOMBSTONE_WEEK},
        ours=False,
    ),
    Topic(
        "profiles-changelog",
        "state of every customer, as rows: what a worker restores from",
        cleanup="compact",
        config={**_ARRIVAL, **_COMPACTED, **_RESTORED},
    ),
    Topic(
        "segments",
        "current membership of every customer",
        cleanup="compact",
        config={**_ARRIVAL, **_COMPACTED, **_TOMBSTONE_WEEK},
    ),
    Topic(
        "segment-changes",
        "a customer entered or left a segment",
        retention_ms=30 * _DAY,
        config=_ARRIVAL,
    ),
    Topic(
        "segment-changes-backfill",
        "the same from replays, so that no campaign starts again",
        retention_ms=30 * _DAY,
        config=_ARRIVAL,
    ),
    Topic(
        "dead-letters",
        "records that could not be used, with reason and raw bytes",
        retention_ms=30 * _DAY,
        config=_ARRIVAL,
    ),
    Topic(
        "segment-definitions",
        "what each segment is: name, rule or centre, size, lineage",
        partitions=1,
        cleanup="compact",
        config={**_ARRIVAL, **_COMPACTED, **_TOMBSTONE_WEEK},
    ),
    Topic(
        "model-deltas",
        "what the workers learned and counted, and requests for definitions, for the merger",
        partitions=1,
        retention_ms=7 * _DAY,
        config=_ARRIVAL,
    ),
    Topic(
        "models",
        "numbered models and definitions, each in full",
        partitions=1,
        retention_ms=FOREVER,
        config={**_ARRIVAL, "max.message.bytes": str(4 * 2**20)},
    ),
)
"""All topics, the four inputs first. Everything that is per customer has the inputs' partition count."""


def topic_name(settings: Settings, name: str) -> str:
    """Return the name of a declared topic in this deployment.

    Raises:
        KeyError: no topic of this name is declared.
    """
    if name not in _BY_NAME:
        raise KeyError(name)
    return settings.topic_prefix + name


_BY_NAME = {topic.name: topic for topic in TOPICS}


def create_topics(settings: Settings, timeout_s: float = REQUEST_TIMEOUT_S) -> list[str]:
    """Create the declared topics that are missing and return their names, in the order of the declaration.

    Topics that are there are left as they are (see `check_topics`), so it may be called again at any
    time, also by several processes at once. On return every new topic has a leader. Each request takes
    at most `timeout_s`.

    Raises:
        UsageError: the replication factor is above the number of brokers.
        BrokerUnreachableError: no answer in time.
        LiveSegmentsError: the broker refuses; with its reason.
    """
    admin = Admin(settings, timeout_s)
    present = admin.metadata()
    missing = {topic_name(settings, topic.name): topic for topic in TOPICS}
    for name in present.copies:
        missing.pop(name, None)
    if not missing:
        return []
    if present.embedded:
        raise LiveSegmentsError(
            f"the embedded broker makes no topics on request and has no {next(iter(missing))}; "
            "start it with the same topic prefix"
        )
    if settings.replication_factor > present.brokers:
        raise UsageError(
            f"LIVE_SEGMENTS_REPLICATION_FACTOR={settings.replication_factor}: "
            f"the cluster has {present.brokers} broker(s); allowed is at most {present.brokers}"
        )
    created = admin.create(
        NewTopic(
            name,
            num_partitions=topic.partition_count(settings),
            replication_factor=settings.replication_factor,
            config=topic.kafka_config(settings),
        )
        for name, topic in missing.items()
    )
    admin.wait_for(created)
    return created


def check_topics(settings: Settings, timeout_s: float = REQUEST_TIMEOUT_S) -> list[str]:
    """Return one line for each way in which the broker's topics differ from the declared ones.

    On the embedded broker only names and partition counts are compared: it has no configuration.

    Raises:
        BrokerUnreachableError: no answer in time.
    """
    admin = Admin(settings, timeout_s)
    present = admin.metadata()
    declared = {topic_name(settings, topic.name): topic for topic in TOPICS}
    known = [name for name in declared if name in present.copies]
    configs = {} if present.embedded else admin.configs(known)
    lines = []
    for name, topic in declared.items():
        if name not in known:
            lines.append(f"{name}: missing; `live-segments topics create` makes it")
            continue
        lines += _partition_differences(settings, topic, name, present.copies[name])
        if name in configs:
            lines += _config_differences(settings, topic, name, configs[name])
    return lines


def _partition_differences(settings: Settings, topic: Topic, name: str, copies: list[int]) -> Iterator[str]:
    declared = topic.partition_count(settings)
    if len(copies) != declared:
        yield f"{name}: {counted(len(copies), 'partition')}, declared {declared}"
    if topic.ours and copies and min(copies) < settings.replication_factor:
        found = counted(min(copies), "copy", "copies")
        yield f"{name}: {found}, declared {settings.replication_factor}"


def _config_differences(
    settings: Settings, topic: Topic, name: str, found: Mapping[str, str]
) -> Iterator[str]:
    declared = topic.kafka_config(settings)
    retention = int(declared.pop("retention.ms"))
    cleanup = declared.pop("cleanup.policy")
    if found.get("cleanup.policy") != cleanup:
        yield f"{name}: cleanup.policy is {found.get('cleanup.policy')}, declared {cleanup}"
    if not topic.ours:
        return
    kept = int(found.get("retention.ms", FOREVER))
    if cleanup == "delete" and kept != FOREVER and (retention == FOREVER or kept < retention):
        least = "for ever" if retention == FOREVER else f"at least {retention}"
        yield f"{name}: retention.ms is {kept}, declared {least}"
    for key, value in declared.items():
        if found.get(key) != value:
            yield f"{name}: {key} is {found.get(key)}, declared {value}"

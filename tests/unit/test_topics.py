"""The declared topics keep the rules that state and subscribers rely on."""

from __future__ import annotations

import pytest

from streams.errors import UsageError
from streams.records import INPUT_TOPICS
from streams.settings import Settings
from streams.topics import FOREVER, TOPICS, Topic, check_topics, topic_name

BY_NAME = {topic.name: topic for topic in TOPICS}
DAY_MS = 86_400_000


def test_the_names_are_those_of_the_contract() -> None:
    """Exactly these topics exist; inputs come first, in the order of their numbers in a batch."""
    assert [topic.name for topic in TOPICS] == [
        *INPUT_TOPICS,
        "profiles-changelog",
        "segments",
        "segment-changes",
        "segment-changes-backfill",
        "dead-letters",
        "segment-definitions",
        "model-deltas",
        "models",
    ]


def test_everything_per_customer_has_the_partitions_of_the_inputs() -> None:
    """Only the topics of the merger have one partition; all others move with the input's count."""
    settings = Settings(partitions=12)
    counts = {topic.name: topic.partition_count(settings) for topic in TOPICS}

    single = {name for name, count in counts.items() if count == 1}
    assert single == {"segment-definitions", "model-deltas", "models"}
    assert set(counts.values()) == {1, 12}


def test_what_is_the_latest_state_is_compacted_and_nothing_else() -> None:
    """Events are never compacted (a customer's clicks share a key), state always is."""
    compacted = {topic.name for topic in TOPICS if topic.cleanup == "compact"}

    assert compacted == {"customers", "profiles-changelog", "segments", "segment-definitions"}


def test_retention_is_as_promised() -> None:
    """Changes are kept for 30 days, models for ever."""
    assert BY_NAME["segment-changes"].retention_ms == 30 * DAY_MS
    assert BY_NAME["models"].retention_ms == FOREVER


@pytest.mark.parametrize(
    "topic", [topic for topic in TOPICS if topic.cleanup == "delete"], ids=lambda t: t.name
)
def test_retention_counts_from_arrival(topic: Topic) -> None:
    """What is deleted by age ages by the broker's clock, or a replayed history would vanish at once."""
    assert topic.kafka_config(Settings())["message.timestamp.type"] == "LogAppendTime"


@pytest.mark.parametrize(
    "topic", [topic for topic in TOPICS if topic.cleanup == "compact"], ids=lambda t: t.name
)
def test_an_erased_customer_is_gone_from_the_disk_within_a_day(topic: Topic) -> None:
    """Compaction of old rows is forced after at most a day, and the newest segment is rolled before that."""
    config = topic.kafka_config(Settings())

    assert int(config["max.compaction.lag.ms"]) <= DAY_MS
    assert int(config["segment.ms"]) < DAY_MS


@pytest.mark.parametrize(("copies", "in_sync"), [(1, "1"), (2, "1"), (3, "2")])
def test_three_copies_need_two_in_sync(copies: int, in_sync: str) -> None:
    """With three copies a confirmed record is on two; with fewer one broker may be away."""
    config = BY_NAME["segments"].kafka_config(Settings(replication_factor=copies))

    assert config["min.insync.replicas"] == in_sync


def test_the_prefix_is_put_before_each_name() -> None:
    """A deployment's topics carry its prefix; an undeclared name is a mistake."""
    assert topic_name(Settings(topic_prefix="eu."), "segments") == "eu.segments"
    with pytest.raises(KeyError):
        topic_name(Settings(), "segmnets")


def test_without_an_address_the_setting_is_named() -> None:
    """Checking topics without KAFKA_BOOTSTRAP says so instead of trying some default."""
    with pytest.raises(UsageError, match="KAFKA_BOOTSTRAP"):
        check_topics(Settings())


def test_a_restore_reads_little_more_than_the_live_rows() -> None:
    """Of 1,000,000 customers (510 MB on disk): newest segments and dirty rest add at most 0.4 of them."""
    live_bytes = 510e6
    (changelog,) = [topic for topic in TOPICS if topic.name == "profiles-changelog"]
    config = changelog.kafka_config(Settings(partitions=8))

    newest = 8 * int(config["segment.bytes"])
    dirty = float(config["min.cleanable.dirty.ratio"])

    assert newest + dirty / (1 - dirty) * live_bytes <= 0.4 * live_bytes
    assert config["cleanup.policy"] == "compact"
    assert config["delete.retention.ms"] == "86400000"

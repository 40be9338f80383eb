"""What a worker checks before it starts."""

from __future__ import annotations

import socket

import pytest

from streams.admin import Metadata
from streams.errors import InterlockError, UsageError
from streams.settings import Settings
from streams.topics import TOPICS, topic_name
from streams.worker import check_topics, free_port


def found(settings: Settings, **partitions: int) -> Metadata:
    """Return a cluster that has all topics, some with other partition counts (0: missing)."""
    sizes = {
        topic.name: partitions.get(topic.name.replace("-", "_"), topic.partition_count(settings))
        for topic in TOPICS
    }
    return Metadata(
        {topic_name(settings, name): [1] * size for name, size in sizes.items() if size},
        brokers=1,
        embedded=False,
    )


def test_topics_that_fit_are_accepted() -> None:
    settings = Settings(partitions=6)

    check_topics(settings, found(settings))


@pytest.mark.parametrize("name", ["clicks", "product_views", "purchases", "customers", "profiles_changelog"])
def test_an_input_with_another_partition_count_is_refused_with_both_counts(name: str) -> None:
    settings = Settings(partitions=6)

    with pytest.raises(InterlockError, match=f"{name.replace('_', '-')} has 5, not 6"):
        check_topics(settings, found(settings, **{name: 5}))


def test_missing_topics_are_named() -> None:
    settings = Settings(topic_prefix="shop.")

    with pytest.raises(UsageError, match=r"shop\.clicks, shop\.models; run `live-segments topics create`"):
        check_topics(settings, found(settings, clicks=0, models=0))


def test_a_web_port_that_is_taken_is_refused_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"LIVE_SEGMENTS_WEB_PORT={port}"):
            free_port(Settings(web_port=port))


def test_web_port_0_gives_a_free_port() -> None:
    assert free_port(Settings(web_port=0)) > 0

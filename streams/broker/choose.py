"""Which broker is used when none is named."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Literal

from streams.broker.embedded import Embedded
from streams.broker.handle import Broker, External
from streams.broker.jars import have_jars
from streams.broker.kafka import Kafka
from streams.errors import LiveSegmentsError
from streams.settings import Settings, load_settings
from streams.topics import TOPICS, topic_name

BrokerKind = Literal["auto", "kafka", "embedded"]
_log = logging.getLogger(__name__)


def start_broker(
    kind: BrokerKind = "auto",
    data_dir: Path | None = None,
    brokers: int = 1,
    settings: Settings | None = None,
) -> Broker:
    """Start a broker and return it when it answers.

    `auto`: the cluster that the settings name; else a real Kafka when Java and Maven (or the jars)
    are there; else the embedded one, which says loudly what it cannot show. `kafka` and `embedded`
    start that kind whatever the settings name. The embedded one has the declared topics from the
    start, because it cannot be asked for them later; on the others call `create_topics`.

    Args:
        kind: what to start.
        data_dir: where a real Kafka keeps its data; a temporary folder when not given.
        brokers: nodes of a real Kafka: 1, or 3 for chaos.
        settings: read from the environment when not given.

    Raises:
        LiveSegmentsError: it did not start; with the reason from its own log.
    """
    settings = load_settings() if settings is None else settings
    cache = Path(settings.cache)
    if kind == "auto" and settings.kafka_bootstrap is not None:
        return External(settings.kafka_bootstrap)
    if kind == "kafka":
        return Kafka(cache, data_dir, brokers)
    if kind == "auto" and can_run_kafka(cache):
        try:
            return Kafka(cache, data_dir, brokers)
        except LiveSegmentsError as error:
            _log.warning("no real Kafka: %s", error)
    return _start_embedded(settings)


def can_run_kafka(cache: Path) -> bool:
    """Return whether Java is there, and Kafka's jars or the means to fetch them."""
    return shutil.which("java") is not None and (have_jars(cache) or shutil.which("mvn") is not None)


def _start_embedded(settings: Settings) -> Broker:
    topics = {topic_name(settings, topic.name): topic.partition_count(settings) for topic in TOPICS}
    broker = Embedded(topics)
    _log.warning("%s", broker.limits)
    return broker

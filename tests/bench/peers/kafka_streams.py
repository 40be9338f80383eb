"""Kafka Streams in Java: RocksDB, exactly once v2; with its defaults, and tuned in good faith."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from streams.broker.jars import fetch_jars, kafka_version
from streams.errors import LiveSegmentsError
from streams.settings import load_settings
from tests.bench.peers.candidate import EVENTS, OUT, Candidate, Place, Start, UnavailableError

SOURCE = Path(__file__).with_name("KafkaStreamsPeer.java")
POM = Path(__file__).with_name("pom.xml")
COMPILE_S = 120
TUNED = (
    "commit.interval.ms=1000",  # a tenth of the transactions; ours commits as rarely when it is behind
    "statestore.cache.max.bytes=104857600",  # the hot customers fit: one write a commit
    "producer.linger.ms=20",
    "producer.batch.size=262144",
    "producer.compression.type=lz4",
    "consumer.max.poll.records=5000",
    "consumer.fetch.min.bytes=65536",
)


def classpath() -> str:
    """Return the class path with the peer compiled.

    Raises:
        UnavailableError: there is no Java compiler, or the jars cannot be fetched.
    """
    javac = shutil.which("javac")
    if javac is None:
        raise UnavailableError("no Java compiler")
    try:
        jars = fetch_jars(Path(load_settings().cache), POM)
    except LiveSegmentsError as error:
        raise UnavailableError("the jars cannot be fetched") from error
    classes = jars / "classes"
    compiled = classes / SOURCE.name
    path = f"{jars}/*:{classes}"
    if not compiled.is_file() or compiled.read_bytes() != SOURCE.read_bytes():
        classes.mkdir(exist_ok=True)
        subprocess.run(
            [javac, "-cp", path, "-d", str(classes), str(SOURCE)],
            check=True, timeout=COMPILE_S, capture_output=True,
        )  # fmt: skip
        shutil.copyfile(SOURCE, compiled)
    return path


def start(options: Sequence[str], java: Sequence[str], place: Place) -> Start:
    """Start the peer with settings of Kafka Streams and of Java."""
    settings = [
        f"bootstrap.servers={place.bootstrap}",
        f"application.id={place.group}",
        f"state.dir={place.folder}",
        *options,
    ]
    return Start(("java", *java, "-cp", classpath(), SOURCE.stem, EVENTS, OUT, *settings))


_TITLE = f"Kafka Streams {kafka_version(POM)}, Java, RocksDB"
DEFAULTS = Candidate("kafka-streams", f"{_TITLE}, defaults", "small", "exactly once", partial(start, (), ()))
TUNED_UP = Candidate(
    "kafka-streams-tuned",
    f"{_TITLE}, tuned",
    "small",
    "exactly once",
    partial(start, TUNED, ("-XX:+UseParallelGC", "-Xmx1g")),
)

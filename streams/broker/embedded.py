"""A broker inside this process: librdkafka's mock cluster, for the demo and for machines without Java."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

import confluent_kafka.cimpl

from streams.broker.handle import Broker
from streams.errors import LiveSegmentsError

_PRODUCER = 0
"""RD_KAFKA_PRODUCER of rdkafka.h: the kind of client that carries the mock cluster."""


class Embedded(Broker):
    """One node that other processes may use too, gone with everything in it when this process ends.

    Topics are those given here; a topic that is asked for by another name comes into being with four
    partitions. The functions of rdkafka_mock.h are called directly, because Python's client neither
    makes topics in a mock cluster nor tells its address.
    """

    kind = "embedded"
    transactions = False
    limits = (
        "EMBEDDED BROKER, for a look only: transactions are hollow, so at least once, not exactly once; "
        "no compaction; keeps the last 100,000 batches or 5 MiB of each partition, in memory only. "
        "A real one: `demo --broker kafka` (needs Java and Maven), or set KAFKA_BOOTSTRAP."
    )

    def __init__(self, topics: Mapping[str, int] | None = None) -> None:
        self._lib = _library()
        message = ctypes.create_string_buffer(512)
        conf = self._lib.rd_kafka_conf_new()
        # or it warns that this client knows no broker: it is the broker
        self._lib.rd_kafka_conf_set(conf, b"log_level", b"0", message, len(message))
        client = self._lib.rd_kafka_new(_PRODUCER, conf, message, len(message))
        if not client:
            raise LiveSegmentsError(f"the embedded broker did not start: {message.value.decode()}")
        cluster = self._lib.rd_kafka_mock_cluster_new(client, 1)
        if not cluster:
            self._lib.rd_kafka_destroy(client)
            raise LiveSegmentsError("the embedded broker did not start: no port on 127.0.0.1")
        self._client, self._cluster = client, cluster
        self.bootstrap = self._lib.rd_kafka_mock_cluster_bootstraps(cluster).decode()
        quick_start = getattr(self._lib, "rd_kafka_mock_group_initial_rebalance_delay_ms", None)
        if quick_start is not None:  # else a first consumer waits 3 s
            quick_start(ctypes.c_void_p(cluster), ctypes.c_int32(0))
        for name, partitions in (topics or {}).items():
            self.create_topic(name, partitions)

    def create_topic(self, name: str, partitions: int) -> None:
        """Make a topic.

        Raises:
            LiveSegmentsError: it is there already, or the broker is stopped.
        """
        if not self._cluster or self._lib.rd_kafka_mock_topic_create(
            self._cluster, name.encode(), partitions, 1
        ):
            raise LiveSegmentsError(f"the embedded broker did not make topic {name}: is it there already?")

    def stop(self) -> None:
        """End the broker; everything in it is lost."""
        if self._cluster:
            self._lib.rd_kafka_mock_cluster_destroy(self._cluster)
            self._lib.rd_kafka_destroy(self._client)
            self._cluster = self._client = None


def _library() -> Any:
    """Return librdkafka as Python's client has loaded it, with the types of what is called here.

    Raises:
        LiveSegmentsError: this build of the client does not show these functions.
    """
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    functions: dict[str, tuple[Any, list[Any]]] = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (number, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, number]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
    }
    library = ctypes.CDLL(confluent_kafka.cimpl.__file__)  # finds the functions of what it is linked to
    for name, (result, arguments) in functions.items():
        function = getattr(library, name, None)
        if function is None:
            raise LiveSegmentsError(
                f"confluent-kafka has no {name} here, so there is no embedded broker; set KAFKA_BOOTSTRAP"
            )
        function.restype, function.argtypes = result, arguments
    return library

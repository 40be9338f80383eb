"""A real Apache Kafka of one or three nodes on this machine, for tests, trials and chaos runs."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.broker.handle import Broker
from streams.broker.jars import fetch_jars
from streams.broker.nodes import (
    Node,
    format_storage,
    last_lines,
    make_nodes,
    start_process,
    write_configuration,
)
from streams.broker.scratch import Scratch
from streams.errors import LiveSegmentsError

START_TIMEOUT_S = 60
"""A node that has not answered by then has failed."""
STOP_TIMEOUT_S = 10
"""How long an orderly stop may take before the process is killed."""


def find_java() -> str:
    """Return the path of java.

    Raises:
        LiveSegmentsError: there is none on the PATH.
    """
    java = shutil.which("java")
    if java is None:
        raise LiveSegmentsError(
            "Java is needed to start a Kafka; install a JRE (17 or later), or set KAFKA_BOOTSTRAP"
        )
    return java


class Kafka(Broker):
    """A Kafka cluster whose nodes may be killed, stopped, frozen and started again one by one.

    Without a data folder it lives in a temporary one that goes when it stops. Nodes are numbered from 1.
    `advertised` names the port of a proxy for each node: clients that come through one stay behind them.
    """

    kind = "kafka"

    def __init__(
        self,
        cache: Path,
        data_dir: Path | None = None,
        brokers: int = 1,
        config: Mapping[str, str] | None = None,
        advertised: Sequence[int] = (),
    ) -> None:
        self._java = find_java()
        self._jars = fetch_jars(cache)
        self._scratch = Scratch() if data_dir is None else None
        folder = self._scratch.path if self._scratch else Path(data_dir or "").absolute()
        self.nodes = make_nodes(folder, brokers, advertised)
        self.bootstrap = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        try:
            for node in self.nodes:
                write_configuration(node, self.nodes, config or {})
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda node: format_storage(node, self._java, self._jars), self.nodes))
            for node in self.nodes:
                self._processes[node.number] = start_process(node, self._java, self._jars)
            self.wait_until_up()
        except BaseException:
            self._kill_all()
            raise

    @property
    def pids(self) -> tuple[int, ...]:
        """Return the process ids of the nodes that run, in the order of their numbers."""
        return tuple(p.pid for _, p in sorted(self._processes.items()) if p.poll() is None)

    def wait_until_up(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until every node that was started answers itself and knows all the others.

        Raises:
            LiveSegmentsError: a node ended, or the time is over; with the end of its log.
        """
        deadline = time.monotonic() + timeout_s
        expected = set(self._processes)
        for number, process in self._processes.items():
            address = f"127.0.0.1:{self._node(number).port}"
            while not _known_to(address) >= expected:
                if process.poll() is not None:
                    self._fail(number, f"ended with code {process.returncode} at its start")
                if time.monotonic() > deadline:
                    self._fail(number, f"did not answer in {timeout_s:g} s")
                time.sleep(0.05)

    def _fail(self, number: int, how: str) -> None:
        raise LiveSegmentsError(
            f"Kafka node {number} {how}; its log ends: {last_lines(self.nodes[number - 1])}"
        )

    def start_node(self, number: int, *, wait: bool = True) -> int:
        """Start a node that was stopped or killed, with its data; return its process id."""
        if number in self._processes and self._processes[number].poll() is None:
            raise LiveSegmentsError(f"Kafka node {number} runs already")
        process = start_process(self._node(number), self._java, self._jars)
        self._processes[number] = process
        if wait:
            self.wait_until_up()
        return process.pid

    def kill_node(self, number: int) -> None:
        """End a node at once, as a crash does; it is gone on return."""
        process = self._processes.pop(number)
        process.kill()
        process.wait()

    def stop_node(self, number: int) -> None:
        """End a node in good order, or at once if that takes longer than `STOP_TIMEOUT_S`."""
        process = self._processes.pop(number)
        process.send_signal(signal.SIGCONT)  # a frozen one hears nothing
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def freeze_node(self, number: int) -> None:
        """Stop a node's clock: connections stay open and nothing answers."""
        self._processes[number].send_signal(signal.SIGSTOP)

    def thaw_node(self, number: int) -> None:
        """Let a frozen node go on."""
        self._processes[number].send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop all nodes; in good order when their data is kept."""
        if self._scratch is None:
            for number in list(self._processes):
                self.stop_node(number)
        self._kill_all()

    def _kill_all(self) -> None:
        for number in list(self._processes):
            self.kill_node(number)
        if self._scratch is not None:
            self._scratch.remove()

    def _node(self, number: int) -> Node:
        return self.nodes[number - 1]


def _known_to(address: str) -> set[int]:
    """Return the nodes that the one at an address knows; none while it does not answer."""
    # a client of its own each time: one that has learned of other nodes would ask any of them
    admin = AdminClient({"bootstrap.servers": address, "log_level": 0, "reconnect.backoff.max.ms": 100})
    try:
        return set(admin.list_topics(timeout=1).brokers)
    except KafkaException:
        return set()

"""How a node of the test Kafka is configured, formatted and started."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streams.errors import LiveSegmentsError

CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"
"""Any 16 bytes in base64; a test cluster never meets another one."""
LOG_NAME = "broker.log"
_LOG4J = """status = warn
appender.stdout.type = Console
appender.stdout.name = STDOUT
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = info
rootLogger.appenderRef.stdout.ref = STDOUT
"""


@dataclass(frozen=True, slots=True)
class Node:
    """One process that is broker and controller, with its folder and its ports on 127.0.0.1."""

    number: int
    folder: Path
    port: int
    controller_port: int
    proxied_port: int = 0
    """A second listener for clients that come through a proxy; 0: none."""
    advertised_port: int = 0
    """Where the proxy in front of the second listener listens: what those clients are told."""

    @property
    def properties(self) -> Path:
        """Return the path of its configuration."""
        return self.folder / "server.properties"

    @property
    def log(self) -> Path:
        """Return the path of what it wrote on stdout and stderr."""
        return self.folder / LOG_NAME


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody listens on.

    They lie below the range from which the system takes the ports of outgoing connections, so a node
    that is down for a while finds its port free when it comes back.
    """
    ports: list[int] = []
    candidates = random.SystemRandom().sample(range(20_000, 32_000), 400)
    for port in candidates:
        if len(ports) == count:
            break
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
    if len(ports) < count:
        raise LiveSegmentsError("no free port between 20000 and 32000 on 127.0.0.1; end what listens there")
    return ports


def make_nodes(folder: Path, count: int, advertised: Sequence[int] = ()) -> list[Node]:
    """Return `count` nodes below a folder, with fresh ports; their folders are made.

    With `advertised`, the port of a proxy for each node, each has a second listener behind its proxy.
    """
    ports = free_ports(3 * count)
    nodes = []
    for i in range(count):
        port, controller, proxied = ports[3 * i : 3 * i + 3]
        behind = (proxied, advertised[i]) if advertised else (0, 0)
        nodes.append(Node(i + 1, folder / f"node-{i + 1}", port, controller, *behind))
    for node in nodes:
        node.folder.mkdir(parents=True, exist_ok=True)
    return nodes


def write_configuration(node: Node, nodes: list[Node], extra: Mapping[str, str]) -> None:
    """Write a node's server.properties and log4j2.properties; `extra` goes last and wins."""
    copies = min(3, len(nodes))
    in_sync = 2 if copies == 3 else 1
    values = {
        "process.roles": "broker,controller",
        "node.id": str(node.number),
        "controller.quorum.voters": ",".join(f"{n.number}@127.0.0.1:{n.controller_port}" for n in nodes),
        "listeners": f"PLAINTEXT://127.0.0.1:{node.port},CONTROLLER://127.0.0.1:{node.controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{node.port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        **_proxied_listener(node),
        "log.dirs": str(node.folder / "data"),
        # topics are made by `topics create`; a typing error must not make one
        "auto.create.topics.enable": "false",
        "default.replication.factor": str(copies),
        "min.insync.replicas": str(in_sync),
        # few partitions: each costs start-up time, and one process has nothing to spread
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": str(copies),
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": str(copies),
        "transaction.state.log.min.isr": str(in_sync),
        "share.coordinator.state.topic.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": str(copies),
        "share.coordinator.state.topic.min.isr": str(in_sync),
        # a first consumer starts at once instead of after 3 s
        "group.initial.rebalance.delay.ms": "0",
        # recorded history comes with the timestamps of its time, however old
        "log.message.timestamp.before.max.ms": str(2**63 - 1),
        # a killed node is noticed in 6 s instead of 9, and may come back then
        "broker.session.timeout.ms": "6000",
        "unclean.leader.election.enable": "false",
        # 128 MiB by default: a quarter of this heap
        "log.cleaner.dedupe.buffer.size": str(16 * 2**20),
        **extra,
    }
    node.properties.write_text("".join(f"{key}={value}\n" for key, value in values.items()), encoding="utf-8")
    (node.folder / "log4j2.properties").write_text(_LOG4J, encoding="utf-8")


def _proxied_listener(node: Node) -> dict[str, str]:
    """Return the properties that add the listener behind a proxy; none without one."""
    if not node.proxied_port:
        return {}
    own, controller = f"127.0.0.1:{node.port}", f"127.0.0.1:{node.controller_port}"
    return {
        "listeners": f"PLAINTEXT://{own},CONTROLLER://{controller},PROXIED://127.0.0.1:{node.proxied_port}",
        "advertised.listeners": f"PLAINTEXT://{own},PROXIED://127.0.0.1:{node.advertised_port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT",
    }


def format_storage(node: Node, java: str, jars: Path) -> None:
    """Prepare a node's data folder; one that is prepared already is left as it is.

    Raises:
        LiveSegmentsError: the tool failed; with the last lines it wrote.
    """
    tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted"]
    command = [
        *_java(node, java, jars, "64m", "-XX:TieredStopAtLevel=1"),
        *tool,
        "-t",
        CLUSTER_ID,
        "-c",
        str(node.properties),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - java by its path, our arguments
    if done.returncode != 0:
        said = " / ".join((done.stdout + done.stderr).splitlines()[-3:])
        raise LiveSegmentsError(f"Kafka could not prepare {node.folder}: {said}")


def start_process(node: Node, java: str, jars: Path) -> subprocess.Popen[bytes]:
    """Start a node's process in a session of its own, so that Ctrl-C reaches its owner first.

    Where `setpriv` is there (Linux) the system kills it when the thread that starts it ends; elsewhere
    it outlives an owner that is killed with -9.
    """
    setpriv = shutil.which("setpriv")
    guard = [setpriv, "--pdeathsig", "KILL"] if setpriv else []
    command = [*guard, *_java(node, java, jars, "512m"), "kafka.Kafka", str(node.properties)]
    with node.log.open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - java by its path, our arguments
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=node.folder,
        )


def last_lines(node: Node, count: int = 8) -> str:
    """Return the end of a node's log as one line: errors where there are some, else whatever came last."""
    lines = node.log.read_text(encoding="utf-8", errors="replace").splitlines() if node.log.exists() else []
    worst = [line for line in lines if " ERROR " in line or " FATAL " in line or "Exception" in line]
    return " / ".join((worst or lines)[-count:]) or "nothing"


def _java(node: Node, java: str, jars: Path, heap: str, *options: str) -> list[str]:
    # the serial collector starts fastest and leaves the other cores to what is measured
    logs = node.folder / "log4j2.properties"
    return [
        java,
        f"-Xmx{heap}",
        "-XX:+UseSerialGC",
        *options,
        f"-Dlog4j2.configurationFile={logs}",
        "-cp",
        f"{jars}/*",
    ]

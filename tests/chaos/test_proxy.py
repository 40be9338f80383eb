"""The proxy carries bytes unchanged, later when told to, and cuts when told to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from tests.chaos.proxy import Proxy


@pytest.fixture
def echo() -> Iterator[int]:
    """Answer whatever comes, and return the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                while data := connection.recv(65536):
                    connection.sendall(data)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    with closing(Proxy(1)) as started:
        started.send("target", 1, echo)
        yield started


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.ports[0]), timeout=10)


def told(connection: socket.socket, data: bytes) -> bytes:
    """Send bytes and return as many of the answer."""
    connection.sendall(data)
    answer = b""
    while len(answer) < len(data) and (more := connection.recv(65536)):
        answer += more
    return answer


def test_what_comes_back_is_what_was_sent(proxy: Proxy) -> None:
    data = bytes(range(256)) * 400
    with connect(proxy) as connection:
        assert told(connection, data) == data


def test_a_delay_holds_each_way_and_keeps_the_order(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        told(connection, b"before")
        proxy.send("delay", 1, 100)
        until_delayed = time.monotonic() + 10
        while True:
            started = time.monotonic()
            assert told(connection, b"0123456789" * 100) == b"0123456789" * 100
            if time.monotonic() - started >= 0.2:
                break
            assert time.monotonic() < until_delayed


def test_a_cut_ends_connections_and_new_ones_are_taken_again(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        assert told(connection, b"before") == b"before"
        proxy.send("cut", 1)
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""
    with connect(proxy) as connection:
        assert told(connection, b"after") == b"after"


def test_a_stall_carries_nothing_and_then_everything(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        assert told(connection, b"before") == b"before"
        proxy.send("stall", 1, 1)
        connection.settimeout(0.3)
        with suppress(TimeoutError):
            while True:  # the command may come after a first few
                assert told(connection, b"x") == b"x"
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        proxy.send("stall", 1, 0)
        connection.settimeout(10)
        assert connection.recv(1) == b"x"

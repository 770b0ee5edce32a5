"""Connections are bounded in number and in time, so that slow ones keep nobody else out for long."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.server.serving import in_thread, observed


def opened(address: str) -> socket.socket:
    parts = urlsplit(address)
    assert parts.hostname is not None and parts.port is not None
    return socket.create_connection((parts.hostname, parts.port), timeout=60)


def closed_within(connection: socket.socket, seconds: float) -> bool:
    """Whether the other side closes it, whatever it says before."""
    connection.settimeout(seconds)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True
    return True


def until(true: Callable[[], bool]) -> None:
    """Wait for something that the server does; a minute at most."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_more_connections_than_allowed_are_closed(tmp_path: Path) -> None:
    with in_thread(tmp_path, connections=20, patience=600) as address:
        slow = [opened(address) for _ in range(60)]
        for connection in slow:
            with contextlib.suppress(ConnectionError):  # closed already
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: ")
        refused: list[socket.socket] = []

        def look() -> bool:
            refused.extend(one for one in slow if one not in refused and closed_within(one, 0.005))
            return len(refused) == 40

        until(look)
        for connection in slow:
            connection.close()


def test_connections_that_are_slow_are_closed_and_others_get_their_place(tmp_path: Path) -> None:
    with in_thread(tmp_path, connections=20, patience=1.0) as address:
        slow = [opened(address) for _ in range(20)]
        for connection in slow:
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: ")
        assert all(closed_within(connection, 60) for connection in slow)
        assert httpx.get(f"{address}/healthz", timeout=60).status_code == 200
        for connection in slow:
            connection.close()


def test_a_connection_that_rests_between_requests_is_closed(tmp_path: Path) -> None:
    with in_thread(tmp_path, patience=1.0) as address:
        with opened(address) as connection:
            host = urlsplit(address).netloc
            connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert b"200 OK" in connection.recv(4096)
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: ")
            assert closed_within(connection, 60)
        with opened(address) as connection:
            assert closed_within(connection, 60)


def test_a_reader_who_does_not_read_is_given_up(tmp_path: Path) -> None:
    import numpy as np

    from imgfix.media import image
    from imgfix.media.picture import Picture

    noise = np.random.default_rng(0).integers(0, 256, (2000, 2500, 3), dtype=np.uint8)
    image.write(tmp_path / "noise.png", Picture(noise))
    data = (tmp_path / "noise.png").read_bytes()  # more than sockets hold
    with observed(tmp_path / "state", patience=0.5) as (address, held):
        named = {"Content-Type": "image/png"}
        row = httpx.post(f"{address}/v1/uploads?name=n.png", content=data, headers=named, timeout=60).json()
        until(lambda: not held)
        with opened(address) as connection:
            host = urlsplit(address).netloc
            connection.sendall(f"GET /v1/files/{row['id']} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            select.select([connection], [], [], 60)  # it has begun to answer
            until(lambda: not held)
            got = 0
            try:
                while part := connection.recv(1 << 20):
                    got += len(part)
            except ConnectionResetError:
                pass
            assert 0 < got < len(data)

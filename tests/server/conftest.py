"""A server without a socket, and small pictures to send to it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette")

from starlette.testclient import TestClient

from imgfix.server.app import Server, build
from imgfix.server.settings import Settings

HOST = "http://127.0.0.1:8765"


def png(width: int = 48, height: int = 32, seed: int = 0) -> bytes:
    """A picture file with something in it."""
    from PIL import Image

    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([rows * 5, columns * 4, (rows + columns) * 3 + seed], -1).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def mask_png(width: int = 48, height: int = 32) -> bytes:
    """A mask with a white rectangle."""
    from PIL import Image

    pixels = np.zeros((height, width), np.uint8)
    pixels[8:16, 10:24] = 255
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


class Site:
    """A server that runs, and a client of it."""

    def __init__(self, server: Server, client: TestClient) -> None:
        self.server, self.client = server, client

    def upload(self, data: bytes, name: str = "photo.png") -> Any:
        """Send a file; what is said of it."""
        answer = self.client.post("/v1/uploads", files={"file": (name, data)})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def ask(self, verb: str, **values: Any) -> Any:
        """Ask in JSON for JSON."""
        return self.client.post(f"/v1/{verb}", json=values, headers={"Accept": "application/json"})

    def settled(self, job: str) -> Any:
        """A job when it has ended, told by its stream of events."""
        with self.client.stream("GET", f"/v1/jobs/{job}/events") as events:
            names = [line.removeprefix("event: ") for line in events.iter_lines() if line.startswith("event: ")]
        found = self.client.get(f"/v1/jobs/{job}").json()
        assert names[-1] == found["status"], (names, found)
        return found


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Starts servers, one after the other in one folder; settings as keywords."""
    running: list[TestClient] = []

    def made(**settings: Any) -> Site:
        for client in running:
            client.__exit__()
        running.clear()
        app, server = build(Settings(tmp_path / "state", device="cpu", **settings))
        headers = {"Authorization": f"Bearer {settings['token']}"} if settings.get("token") else {}
        client = TestClient(app, base_url=HOST, headers=headers)
        client.__enter__()
        running.append(client)
        return Site(server, client)

    yield made
    for client in running:
        client.__exit__()


@pytest.fixture
def site(start: Callable[..., Site]) -> Site:
    """One with the usual settings."""
    return start()

"""A server in a process of its own, which a test can kill, or in a thread."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from imgfix.server.settings import Settings

ROOT = Path(__file__).parents[2]


class Process:
    """`imgfix serve` on a free port."""

    def __init__(self, folder: Path, *words: str, log: Path) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "imgfix", "serve", "--port", "0", "--folder", str(folder), *words]
        with log.open("wb") as sink:
            self.process = subprocess.Popen(command, env=environment, stderr=sink, stdout=sink)
        end = time.monotonic() + 300
        while " (" not in (text := log.read_text("utf-8")):
            assert self.process.poll() is None and time.monotonic() < end, text
            time.sleep(0.05)
        self.address = text.split(" (")[0].splitlines()[-1]
        self.client = httpx.Client(base_url=self.address, timeout=60)

    def kill(self) -> None:
        """As a power cut would."""
        self.client.close()
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """As Ctrl-C or a service manager would."""
        self.client.close()
        self.process.terminate()
        return self.process.wait(300)


@contextlib.contextmanager
def in_thread(folder: Path, **settings: Any) -> Iterator[str]:
    """A server with its socket in this process; its address."""
    with observed(folder, **settings) as (address, _):
        yield address


@contextlib.contextmanager
def observed(folder: Path, **settings: Any) -> Iterator[tuple[str, set[Any]]]:
    """As `in_thread`; its address, and the connections that it holds, as they come and go."""
    import uvicorn

    from imgfix.server.app import build
    from imgfix.server.connections import bounded
    from imgfix.server.run import _bound

    wanted = Settings(folder, port=0, device="cpu", **settings)
    with _bound(wanted) as listener:
        app, _ = build(wanted)
        config = uvicorn.Config(
            app, http=bounded(wanted.connections, wanted.patience), ws="none", log_config=None, access_log=False,
            timeout_keep_alive=1, timeout_graceful_shutdown=1,
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            host, port = listener.getsockname()
            yield f"http://{host}:{port}", server.server_state.connections
        finally:
            server.should_exit = True
            thread.join()

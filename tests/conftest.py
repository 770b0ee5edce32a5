"""What every test gets: a home folder of its own, no network, and a small thread pool."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def pytest_configure() -> None:
    # The suite has to pass whether or not the processor is quick in bf16: 0 and 1 stand for either, on any machine.
    bf16 = os.environ.get("IMGFIX_TEST_BF16")
    if bf16 is not None:
        import torch

        torch.cpu.get_capabilities = lambda: {"avx512_bf16": bf16 == "1", "amx_bf16": bf16 == "1"}
    # A job that a script put into the background ignores Ctrl-C, and so would all that the tests start and interrupt.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # nohup
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("IMGFIX_TEST_NETWORK") == "1":
        return
    skip = pytest.mark.skip(reason="needs a package registry; IMGFIX_TEST_NETWORK=1 runs it")
    for item in items:
        if item.get_closest_marker("network"):
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Weights and defaults of options come from a folder of this test alone, whatever the machine has."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("IMGFIX_HOME", str(home))
    monkeypatch.setenv("IMGFIX_CONFIG", str(home / "imgfix.toml"))
    yield home


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches out fails, unless it is marked `network`; this machine itself may be talked to."""
    if request.node.get_closest_marker("network"):
        return
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to connect to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def bench() -> Path:
    """The folder of benchmark pictures (IMGFIX_BENCH); tests that want it are skipped where it is not."""
    folder = Path(os.environ.get("IMGFIX_BENCH", ""))
    if not os.environ.get("IMGFIX_BENCH") or not folder.is_dir():
        pytest.skip("IMGFIX_BENCH names no folder of benchmark pictures")
    return folder

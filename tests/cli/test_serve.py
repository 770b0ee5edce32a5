"""`imgfix serve` and `imgfix ui` up to the moment at which they serve."""

from __future__ import annotations

import socket
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn")

from imgfix.server import run
from imgfix.server.settings import Settings
from tests.cli.conftest import Run


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings with which it would have served."""
    found: list[Settings] = []

    def serve(settings: Settings, ready: Callable[[str], None]) -> None:
        found.append(settings)
        ready("http://127.0.0.1:4711")

    monkeypatch.setattr(run, "serve", serve)
    return found


def test_it_serves_this_machine_alone_and_says_so(imgfix: Run, served: list[Settings], own_home: Path) -> None:
    result = imgfix("serve")
    assert result.code == 0 and "http://127.0.0.1:4711 (without a token" in result.err
    assert (served[0].host, served[0].port, served[0].token) == ("127.0.0.1", 8765, None)
    assert served[0].folder == own_home / "server"


def test_for_other_machines_it_wants_a_token(imgfix: Run, served: list[Settings]) -> None:
    result = imgfix("serve", "--host", "0.0.0.0")
    assert result.code == 2 and "there is no --token" in result.err and "--token-file" in result.err
    assert not served


def test_the_token_comes_from_a_file_or_the_environment(
    imgfix: Run, served: list[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token.txt").write_text("secret-of-a-file\n", encoding="utf-8")
    assert imgfix("serve", "--host", "0.0.0.0", "--token-file", tmp_path / "token.txt").code == 0
    monkeypatch.setenv("IMGFIX_SERVE_TOKEN", "secret-of-the-environment")
    result = imgfix("serve", "--host", "0.0.0.0")
    assert result.code == 0 and "secret" not in result.err
    assert [settings.token for settings in served] == ["secret-of-a-file", "secret-of-the-environment"]
    assert imgfix("serve", "--token-file", tmp_path / "none.txt").code == 2


@pytest.mark.parametrize("words", [("--max-upload", "much"), ("--token", "short"), ("--port", "99999")])
def test_what_makes_no_sense_is_refused(imgfix: Run, served: list[Settings], words: tuple[str, ...]) -> None:
    assert imgfix("serve", *words).code == 2 and not served


def test_a_port_that_is_taken_is_named(imgfix: Run) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = imgfix("serve", "--port", port)
    assert result.code == 2 and f"port {port}" in result.err and "choose another --port" in result.err


def test_the_page_is_opened_with_a_token_of_its_own(
    imgfix: Run, served: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    assert imgfix("ui").code == 0
    assert imgfix("ui", "--no-browser").code == 0
    assert opened == [f"http://127.0.0.1:4711/#token={served[0].token}"]
    assert all(settings.local and settings.port == 0 and len(settings.token or "") >= 32 for settings in served)
    assert served[0].token != served[1].token


def test_without_the_extra_it_says_how_to_install_it(imgfix: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "uvicorn" else find(name, *more)
    )
    for verb in ("serve", "ui"):
        result = imgfix(verb)
        assert result.code == 2 and "pip install 'imgfix[serve]'" in result.err


def test_the_page_is_part_of_the_package() -> None:
    from imgfix.server.app import PAGE

    assert (PAGE / "index.html").is_file()

"""A server from its first to its last breath: its socket, its log, its address."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from imgfix.errors import MissingExtraError, UsageError
from imgfix.server.settings import Settings

KEEP_ALIVE = 10
"""Seconds that a connection may rest between two requests."""
_GRACE = 5
"""Seconds that answers under way have when the server ends."""


def check_extra() -> None:
    """Raise MissingExtraError where the packages of the extra `serve` are not installed."""
    import importlib.util

    if any(importlib.util.find_spec(name) is None for name in ("starlette", "uvicorn", "python_multipart")):
        raise MissingExtraError("the server", "serve")


def usual_folder(name: str) -> Path:
    """Where a server keeps its files, where nobody says it."""
    from imgfix.zoo import folders

    return folders.home() / name


def token(given: str | None, file: Path | None) -> str | None:
    """The token, as given or from a file; None: there is none. Raises UsageError."""
    if given is not None and file is not None:
        raise UsageError("`token` and `token_file` were both given", hint="give one of them")
    if file is not None:
        try:
            return file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"`token_file` {file}: cannot be read ({type(error).__name__})") from None
    return given


def new_token() -> str:
    """One that nobody guesses."""
    return secrets.token_urlsafe(24)


def serve(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C.

    ready: told the address once requests are taken. Raises UsageError: the port is taken, another server works in the
    folder; MissingExtraError.
    """
    check_extra()
    import uvicorn

    from imgfix.server.app import build
    from imgfix.server.connections import bounded

    with _bound(settings) as listener:
        app, server = build(settings)
        address = _address(settings, listener)
        config = uvicorn.Config(
            app, http=bounded(settings.connections, settings.patience), ws="none", loop="asyncio", lifespan="on",
            access_log=False, log_config=None, server_header=False, date_header=True, proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE, timeout_graceful_shutdown=_GRACE, backlog=settings.connections,
            h11_max_incomplete_event_size=1 << 15,
        )  # fmt: skip
        logging.getLogger("uvicorn").setLevel(logging.ERROR)

        class AnnouncingServer(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                if not self.should_exit:
                    ready(address)

        with _spooled_in(server.store.incoming):
            AnnouncingServer(config).run(sockets=[listener])


@contextlib.contextmanager
def _spooled_in(folder: Path) -> Iterator[None]:
    """Forms are kept in a private folder while they come in, and not where others may look or little room is."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _bound(settings: Settings) -> socket.socket:
    """A socket that listens. Raises UsageError."""
    try:
        (family, kind, protocol, _, place), *_ = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(f"`host` {settings.host}: {error.strerror}", hint="give an address of this machine") from None
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(settings.connections)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"port {settings.port} of {settings.host} cannot be used: {error.strerror}", hint="choose another `port`"
        ) from None
    return listener


def _address(settings: Settings, listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"

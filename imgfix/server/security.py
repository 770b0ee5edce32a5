"""What every request has to pass before anything reads it: host, origin, token, size, pace."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import time
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imgfix.server.answers import Refused
from imgfix.server.fields import VERBS
from imgfix.server.metrics import Metrics
from imgfix.server.settings import Settings

OPEN = ("/healthz", "/openapi.json")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
SLOWEST = 1024
"""Bytes a second that a request's body has to come with, on average, once the first patience is over."""
_DRAINED = 1.0
"""Seconds for which the rest of a refused body is read, so that its sender gets to read the answer."""
_EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
}
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
DATA_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
"""For everything that is no page: even where a browser is led to show it, nothing in it runs."""


class Guard:
    """Stands in front of an application. No CORS header is ever sent, so a browser keeps other sites' scripts out."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        policy = PAGE_POLICY if path == "/" or path.startswith("/page/") else DATA_POLICY

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in {**_EVERYWHERE, "content-security-policy": policy}.items():
                    headers.setdefault(name, value)
                if path.startswith("/page/"):
                    headers.setdefault("cache-control", "no-cache")  # a newer version may answer at the same address
                if path.startswith("/v1/"):
                    headers.setdefault("cache-control", "no-store")
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._metrics.answered(method, route_of(path), message["status"])
            try:
                await asyncio.wait_for(send(message), self._settings.patience)
            except TimeoutError:
                raise ClientDisconnect from None  # it does not read its answer

        try:
            self._check(scope)
        except Refused as error:
            await _refuse(error, scope, receive, guarded)
            return
        await self._app(scope, self._paced(receive), guarded)

    def _check(self, scope: Scope) -> None:
        headers, path = Headers(scope=scope), scope["path"]
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._is_own(host):
            raise Refused(403, "forbidden", "this server is not called so", "use the address that it printed")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise Refused(403, "forbidden", "requests from other sites are not served")
        if self._settings.token is not None and not (path in OPEN or path == "/" or path.startswith("/page/")):
            given = headers.get("authorization", "")
            scheme, _, token = given.partition(" ")
            right = hmac.compare_digest(token.strip().encode(), self._settings.token.encode())
            if scheme.lower() != "bearer" or not right:
                raise Refused(
                    401, "unauthorized", "the token is missing or wrong", "send 'Authorization: Bearer TOKEN'",
                    headers={"WWW-Authenticate": "Bearer"},
                )  # fmt: skip
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._settings.max_upload:
            raise self._too_large()

    def _too_large(self) -> Refused:
        most = self._settings.max_upload
        return Refused(
            413, "too_large", f"the request is larger than {most / (1 << 20):.0f} MB", "send less at once",
            headers={"Connection": "close"},
        )  # fmt: skip

    def _is_own(self, host: str) -> bool:
        """Whether a Host header means this server: with any name allowed, a name that an attacker rebinds would do."""
        name = urlsplit(f"//{host}").hostname if host else None
        if name is None:
            return False
        if name in ("localhost", self._settings.host.lower(), *(each.lower() for each in self._settings.names)):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self._settings.local

    def _paced(self, receive: Receive) -> Receive:
        """Give the body on, and refuse one that is too large or comes too slowly."""
        begun, size, whole = time.monotonic(), 0, False
        patience = self._settings.patience

        async def paced() -> Message:
            nonlocal size, whole
            if whole:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), patience)
            except TimeoutError:
                raise _too_slow() from None
            if message["type"] != "http.request":
                return message
            size += len(message.get("body", b""))
            self._metrics.received(len(message.get("body", b"")))
            whole = not message.get("more_body", False)
            if size > self._settings.max_upload:
                raise self._too_large()
            waited = time.monotonic() - begun
            if not whole and waited > patience and size < SLOWEST * waited:
                raise _too_slow()
            return message

        return paced


def _too_slow() -> Refused:
    return Refused(408, "timeout", "the request comes too slowly", "try again", headers={"Connection": "close"})


async def _refuse(error: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, and read on for a moment: a connection that is closed with unread data takes the answer along."""
    response = error.response()
    response.headers["connection"] = "close"
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": bytes(response.body), "more_body": True})
    end = time.monotonic() + _DRAINED
    more = "content-length" in Headers(scope=scope) or "transfer-encoding" in Headers(scope=scope)
    while more and (left := end - time.monotonic()) > 0:
        try:
            message = await asyncio.wait_for(receive(), left)
        except TimeoutError:
            break
        more = message["type"] == "http.request" and message.get("more_body", False)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def route_of(path: str) -> str:
    """A path without identifiers, so that metrics do not grow with the number of files."""
    parts = path.split("/")
    if len(parts) > 3 and parts[1:3] in (["v1", "files"], ["v1", "jobs"], ["v1", "options"]):
        return "/".join(["", "v1", parts[2], "ID", *(word for word in parts[4:5] if word in ("preview", "events"))])
    if len(parts) == 3 and parts[1] == "v1" and parts[2] in ("uploads", "files", "jobs", "models", "recipes", *VERBS):
        return path
    if path in ("/", "/healthz", "/metrics", "/openapi.json"):
        return path
    return "/page" if path.startswith("/page/") else "other"

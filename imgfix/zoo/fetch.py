"""Download of one file over HTTP(S): resumed, checked, and moved into place only when its hash is the promised one."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import os
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from imgfix import __version__
from imgfix.errors import DownloadError
from imgfix.media.files import output_errors

Progress = Callable[[int, int], None]

CHUNK = 1 << 18
TRIES = 3
"""Attempts in a row that bring nothing new; one that brings bytes starts the count again."""
TIMEOUT = 15.0
"""Seconds without an answer or a byte."""
LEAST_RATE = 1024
"""Bytes per second; a server that sends less over `RATE_TIME` is left, and asked again for the rest."""
RATE_TIME = 30.0
"""Seconds over which the rate is measured, and within which an answer's headers must be complete."""
PATIENCE = 1.0
"""Seconds before the second try; doubled after each."""

_HOPELESS = {400, 401, 403, 404, 405, 410, 451}
"""Answers that will be the same next time."""


def mirrored(url: str) -> str:
    """The address to ask instead of `url`: on the mirror of everything, or of Hugging Face, that the user has set.

    `$IMGFIX_MIRROR` is followed by the original host and path; `$HF_ENDPOINT` takes the place of huggingface.co.
    """
    if mirror := os.environ.get("IMGFIX_MIRROR", "").rstrip("/"):
        return f"{mirror}/{url.split('://', 1)[-1]}"
    hub = "https://huggingface.co/"
    if url.startswith(hub) and (endpoint := os.environ.get("HF_ENDPOINT", "").rstrip("/")):
        return f"{endpoint}/{url.removeprefix(hub)}"
    return url


def download(url: str, target: Path, sha256: str, *, size: int = 0, progress: Progress | None = None) -> None:
    """Fetch `url` into `target`, whose SHA-256 must be `sha256`.

    What arrives goes to `target` + `.part`, which a later call takes up again with a `Range` request if this one
    breaks off. A complete file with another hash is deleted. Proxies come from the usual environment variables.
    `size` (bytes, 0: unknown) is for the progress and for noticing early that too much is sent. An empty `sha256` takes
    what comes, from its start.

    Raises DownloadError, or OutputError when it cannot be written (a full disk).
    """
    url = mirrored(url)
    part = target.with_name(target.name + ".part")
    with output_errors(target):
        part.parent.mkdir(parents=True, exist_ok=True)
    if not sha256:
        part.unlink(missing_ok=True)  # whether it is of the same file cannot be known
        _receive(url, part, size, progress)
        part.replace(target)
        return
    if part.exists() and part.stat().st_size == size and _hash(part) == sha256:
        part.replace(target)
        return
    # The left-over of an earlier run may itself be what is damaged; then it is dropped and fetched from the start.
    fresh = not part.exists()
    while True:
        _receive(url, part, size, progress)
        if _hash(part) == sha256:
            part.replace(target)
            return
        part.unlink()
        if fresh:
            raise DownloadError(
                f"{url}: what was downloaded does not have the promised SHA-256 ({sha256[:12]}...) and was deleted",
                hint="it was changed at its address or damaged on the way; try again later",
            )
        fresh = True


def read(url: str, limit: int) -> bytes:
    """A small file, of at most `limit` bytes. Raises DownloadError."""
    url = mirrored(url)
    headers = {"User-Agent": f"imgfix/{__version__}", "Accept": "application/json"}
    try:
        with _opener().open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
            data = io.BytesIO()
            _copy(answer, data, 0, 0, limit, None)
    except _TooSlow as error:
        raise DownloadError(f"{url}: the server sends too slowly", hint="try again later") from error
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(f"{url}: {_reason(error)}", hint="check the name and the network connection") from error
    if data.tell() > limit:
        raise DownloadError(f"{url}: more than {limit >> 20} MB, which is not what was expected")
    return data.getvalue()


def _receive(url: str, part: Path, size: int, progress: Progress | None) -> None:
    """Bring the part to its full length, over as many connections as it takes. Raises DownloadError."""
    failures = slow = 0
    furthest = part.stat().st_size if part.exists() else 0
    while True:
        try:
            _transfer(url, part, size, progress)
            return
        except _TooSlow as error:
            slow += 1
            if slow >= TRIES:
                raise DownloadError(
                    f"{url}: the server sends less than {LEAST_RATE} bytes per second",
                    hint="try again later: what has arrived is kept, and the download goes on from there",
                ) from error
            continue
        except _CannotResume:
            part.unlink(missing_ok=True)
            problem: Exception = ConnectionError("the server could not resume the download")
        except urllib.error.HTTPError as error:
            problem = error
        except (urllib.error.URLError, ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException) as error:
            problem = error
        after = part.stat().st_size if part.exists() else 0
        failures = 1 if after > furthest else failures + 1
        furthest = max(furthest, after)
        if failures >= TRIES or _is_hopeless(problem):
            raise DownloadError(f"{url}: {_reason(problem)}", hint="check the network connection") from problem
        time.sleep(PATIENCE * 2 ** (failures - 1))


class _CannotResume(Exception):
    """The part and what the server has do not go together."""


class _TooSlow(Exception):
    """Bytes arrive, but so few that the download would not end."""


def _opener() -> urllib.request.OpenerDirector:
    """With the proxies that are set now (the shared one keeps those of its first use) and a limit on the headers."""
    return urllib.request.build_opener(_Http, _Https)


def _within(connection: http.client.HTTPConnection, wait: Callable[[], http.client.HTTPResponse]) -> Any:
    """The answer's headers. A server that drips them out is cut off, which ends the wait with a ConnectionError."""

    def cut() -> None:
        with contextlib.suppress(OSError, AttributeError):
            connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(RATE_TIME, cut)
    timer.daemon = True
    timer.start()
    try:
        return wait()
    finally:
        timer.cancel()


class _Connection(http.client.HTTPConnection):
    def getresponse(self) -> Any:
        return _within(self, super().getresponse)


class _SecureConnection(http.client.HTTPSConnection):
    def getresponse(self) -> Any:
        return _within(self, super().getresponse)


class _Http(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(_Connection, request)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(_SecureConnection, request)


def _transfer(url: str, part: Path, size: int, progress: Progress | None) -> None:
    have = part.stat().st_size if part.exists() else 0
    if size and have > size:
        raise _CannotResume
    headers = {"User-Agent": f"imgfix/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        request = urllib.request.Request(url, headers=headers)
        answer = _opener().open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing lies beyond the part: it is complete, or of another file
            raise _CannotResume from error
        raise
    with answer:
        if answer.status == 206:
            start = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
            if start is None or int(start[1]) != have:
                raise _CannotResume
        else:
            have = 0  # the server knows no ranges and sends everything
        announced = answer.headers.get("Content-Length") or ""
        total = have + int(announced) if announced.isdigit() else size
        if size and total != size:
            raise DownloadError(
                f"{url}: there are {total} bytes at this address instead of {size}",
                hint="the file was changed at its address; try again later",
            )
        # Unbuffered: what has arrived is in the file, whatever ends the process.
        with output_errors(part), part.open("r+b" if have else "wb", buffering=0) as sink:
            sink.seek(have)
            have = _copy(answer, sink, have, total, size, progress)
    if total and have < total:
        raise ConnectionError(f"the connection broke off after {have} of {total} bytes")


def _copy(
    source: http.client.HTTPResponse, sink: IO[bytes], have: int, total: int, size: int, progress: Progress | None
) -> int:
    since, received = time.monotonic(), 0
    while data := source.read1(CHUNK):  # what there is, without waiting for a whole chunk
        rest = memoryview(data)
        while rest:
            rest = rest[sink.write(rest) :]
        received += len(data)
        if (seconds := time.monotonic() - since) >= RATE_TIME:
            if received < LEAST_RATE * seconds:
                raise _TooSlow
            since, received = time.monotonic(), 0
        have += len(data)
        if progress:
            progress(have, max(total, have))
        if size and have > size:
            break  # more than promised: the hash will say so
    return have


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_hopeless(problem: Exception) -> bool:
    """Whether another try would only fail in the same way: a refusal, no such host, no network at all."""
    if isinstance(problem, urllib.error.HTTPError):
        return problem.code in _HOPELESS
    if isinstance(problem, urllib.error.URLError):
        reason = problem.reason
        return isinstance(reason, str | socket.gaierror | ConnectionRefusedError | ssl.SSLCertVerificationError) or (
            isinstance(reason, OSError) and not isinstance(reason, ConnectionError | TimeoutError | ssl.SSLError)
        )
    return False


def _reason(problem: Exception) -> str:
    if isinstance(problem, urllib.error.HTTPError):
        with contextlib.suppress(Exception):
            problem.close()
        return f"the server answers {problem.code} {problem.reason}"
    if isinstance(problem, urllib.error.URLError):
        inner = problem.reason
        words = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(inner)
        return f"cannot be reached ({words})"
    return str(problem) or type(problem).__name__

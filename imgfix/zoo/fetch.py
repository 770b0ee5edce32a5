"""Download of one file over HTTP(S): resumed, checked, and moved into place only when its hash is the promised one."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from imgfix.errors import DownloadError
from imgfix.media.files import output_errors

Progress = Callable[[int, int], None]

CHUNK = 1 << 18
TRIES = 4
TIMEOUT = 30.0
PATIENCE = 1.0
"""Seconds before the second try; doubled after each."""

# Not worth another try: the answer will be the same.
_FINAL = {400, 401, 403, 404, 405, 410, 451}


def mirrored(url: str) -> str:
    """The address on the mirror named by `$IMGFIX_MIRROR`, if there is one: its URL, then host and path of the original."""
    mirror = os.environ.get("IMGFIX_MIRROR", "").rstrip("/")
    return f"{mirror}/{url.split('://', 1)[-1]}" if mirror else url


def download(url: str, target: Path, sha256: str, *, size: int = 0, progress: Progress | None = None) -> None:
    """Fetch `url` into `target`, whose SHA-256 must be `sha256`.

    What arrives goes to `target` + `.part`, which a later call takes up again (a `Range` request) if this one breaks off.
    A complete file with another hash is deleted. Proxies come from the usual environment variables. `size` (bytes, 0:
    unknown) is for the progress bar and for noticing too much data early. Raises DownloadError or OutputError (full disk).
    """
    url = mirrored(url)
    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    resumed = part.exists()
    problem: Exception | None = None
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PATIENCE * 2 ** (attempt - 1))
        try:
            _transfer(url, part, size, progress)
        except _Restart:
            part.unlink(missing_ok=True)
            resumed = False
            problem = DownloadError(f"{url}: the server could not resume the download")
            continue
        except urllib.error.HTTPError as error:
            problem = error
            if error.code in _FINAL:
                break
            continue
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and not isinstance(error, urllib.error.URLError):
                with output_errors(target):  # a full disk is not the network's fault
                    if not isinstance(error, ConnectionError | TimeoutError):
                        raise
            problem = error
            continue
        if _hash(part) == sha256:
            os.replace(part, target)
            return
        part.unlink(missing_ok=True)
        if not resumed:
            raise DownloadError(
                f"{url}: what was downloaded does not have the promised SHA-256 ({sha256[:12]}...); it was deleted",
                hint="the file was changed or damaged on the way; try again later",
            )
        resumed = False  # the part left by an earlier run may have been the bad one: once more, from the start
        problem = DownloadError(f"{url}: the resumed file has a wrong SHA-256")
    raise DownloadError(f"{url}: {_reason(problem)}", hint="check the network connection and try again") from problem


class _Restart(Exception):
    """The partial file cannot be continued."""


def _transfer(url: str, part: Path, size: int, progress: Progress | None) -> None:
    have = part.stat().st_size if part.exists() else 0
    if size and have > size:
        raise _Restart
    request = urllib.request.Request(url, headers={"User-Agent": "imgfix", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing left to send (all there), or the part is of another file
            if size and have == size:
                return
            raise _Restart from error
        raise
    with answer:
        if have and answer.status != 206:
            have = 0  # the server knows no ranges and sends everything
        announced = answer.headers.get("Content-Length")
        total = have + int(announced) if announced and announced.isdigit() else size
        with part.open("ab" if have else "wb") as sink:
            while data := answer.read(CHUNK):
                sink.write(data)
                have += len(data)
                if size and have > size:
                    break  # more than promised: the hash will say so
                if progress:
                    progress(have, max(total, have))
        if total and have < total:
            raise ConnectionError(f"the connection broke off after {have} of {total} bytes")


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _reason(problem: Exception | None) -> str:
    if isinstance(problem, urllib.error.HTTPError):
        with contextlib.suppress(Exception):
            problem.close()
        return f"the server answers {problem.code} {problem.reason}"
    if isinstance(problem, urllib.error.URLError):
        return f"cannot be reached ({problem.reason})"
    return str(problem) or type(problem).__name__

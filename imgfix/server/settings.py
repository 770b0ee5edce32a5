"""How a server behaves: who may call, what it takes, what it keeps."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from imgfix.errors import UsageError

MEGABYTE = 1 << 20
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


@dataclass(frozen=True)
class Settings:
    """Everything that is settled before the first request. Raises UsageError."""

    folder: Path
    """Private: uploads, results, and the state of jobs."""
    host: str = "127.0.0.1"
    port: int = 8765
    """0: any free one."""
    token: str | None = None
    """What callers have to know; None only on loopback."""
    names: tuple[str, ...] = ()
    """Host names that it is called by, besides its address."""
    device: str = "auto"
    max_upload: int = 1 << 30
    """Bytes of a request."""
    max_pixels: int = 100_000_000
    """Of a picture or a frame that comes in; results may have four times as many."""
    at_once: int = 32_000_000
    """Pixels of the result up to which a request waits for it; larger work becomes a job."""
    max_storage: int = 20 << 30
    """Bytes of all that is kept."""
    keep: float = 24.0
    """Hours after which files and finished jobs are deleted."""
    queue: int = 32
    """Jobs that may wait, and as many requests that wait for their answer."""
    connections: int = 200
    """Open connections; more are closed at once."""
    patience: float = 30.0
    """Seconds in which a client has to send a request's head, and within which something of its body has to come."""
    timeout: float = 300.0
    """Seconds after which work that a request waits for goes on as a job."""
    models_kept: int = 4 << 30
    """Bytes of weights that stay loaded."""

    def __post_init__(self) -> None:
        if self.token is not None and (len(self.token) < 8 or not re.fullmatch(r"[\x21-\x7e]+", self.token)):
            raise UsageError("the `token` is too short or holds blanks", hint="take 8 letters or more, no blanks")
        if not self.local and self.token is None:
            raise UsageError(
                f"`host` {self.host} can be reached from other machines, and there is no `token`",
                hint="give `token_file`, or set IMGFIX_SERVE_TOKEN",
            )

    @property
    def local(self) -> bool:
        """Whether only programs on this machine can connect."""
        return is_loopback(self.host)

    @property
    def max_result(self) -> int:
        """Pixels of a result."""
        return 4 * self.max_pixels


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def size(text: str) -> int:
    """Bytes from `500M` or `2G`. Raises UsageError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", text.strip().lower())
    if found is None or float(found[1]) == 0:
        raise UsageError(f"'{text}' is no size", hint="such as 500M or 2G")
    return int(float(found[1]) * _UNITS[found[2]])

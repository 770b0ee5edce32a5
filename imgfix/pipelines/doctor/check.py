"""One thing that was looked at, and how it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Area = Literal["program", "devices", "formats", "weights", "folders", "extras"]
State = Literal["ok", "missing", "broken"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    area: Area
    name: str
    state: State
    """`missing`: the program works without it."""
    words: str
    remedy: str | None = None

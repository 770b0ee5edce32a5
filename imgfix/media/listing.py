"""The files of a folder in natural order, of a very large one in blocks, so that the first is there at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

BLOCK = 32_768
"""Names of a folder that are put in order together where it is not listed as a whole: a third of a second."""

Entry = os.DirEntry[str]


def natural_key(path: Path | str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key under which `frame2` comes before `frame10`, letters without regard to case."""
    parts = re.split(r"([0-9]+)", str(path).casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part], str(path)


def blocks(folder: Path, block: int | None = None) -> Iterator[list[Entry]]:
    """What a folder holds but for hidden files, each block in natural order.

    block: names in one, as the system lists them; None: all of them in one. Raises OSError.
    """
    with os.scandir(folder) as listing:
        shown = (entry for entry in listing if not entry.name.startswith("."))
        while entries := list(islice(shown, block)):
            yield sorted(entries, key=lambda entry: natural_key(entry.name))


def is_file(entry: Entry) -> bool:
    """Whether it is a file, or a link to one; False where that cannot be told."""
    try:
        return entry.is_file()
    except OSError:
        return False


def is_dir(entry: Entry) -> bool:
    """Whether it is a folder, or a link to one; False where that cannot be told."""
    try:
        return entry.is_dir()
    except OSError:
        return False

"""Earlier results beside their sources: known by the record they carry, whatever their name."""

from __future__ import annotations

import json
import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from imgfix.media.sources import Source

_COMMAND = re.compile(rb'"command": ?("imgfix (?:[^"\\]|\\.)*")')
_HEAD, _TAIL = 1 << 18, 1 << 20
"""Bytes at both ends of a file in which its metadata are looked for."""


@dataclass(frozen=True)
class _Folder:
    """What a folder holds of the sources."""

    names: frozenset[str]
    stems: frozenset[str]


def earlier_results(sources: Sequence[Source]) -> set[Path]:
    """Those found in a folder or by a glob that imgfix made from another of these in the same folder.

    Results elsewhere are inputs like any other: one verb may go on from what another made. Only files whose name goes
    on from that of another are opened.
    """
    files = [source.path for source in sources if source.discovered and isinstance(source.path, Path)]
    beside: dict[Path, list[Path]] = defaultdict(list)
    for path in files:
        beside[path.parent].append(path)
    folders = {
        place: _Folder(frozenset(path.name for path in inside), frozenset(path.stem for path in inside))
        for place, inside in beside.items()
    }
    return {path for path in files if _goes_on(path.stem, folders[path.parent].stems) and _made(path, folders)}


def _goes_on(stem: str, stems: frozenset[str]) -> bool:
    """Whether a name is another one with something behind it, as `photo_x4` and `photo`, not `frame10` and `frame1`."""
    return any(not stem[end].isalnum() and stem[:end] in stems for end in range(1, len(stem)))


def _made(path: Path, folders: dict[Path, _Folder]) -> bool:
    origin = _origin(path)
    return origin is not None and origin != path.name and origin in folders[path.parent].names


def _origin(path: Path) -> str | None:
    """The name of the file that a result was made from, as its record says; None without one."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_HEAD)
            size = stream.seek(0, 2)
            stream.seek(max(len(data), size - _TAIL))
            data += stream.read()
    except OSError:
        return None
    found = _COMMAND.search(data)
    if found is None:
        return None
    try:
        words = shlex.split(json.loads(found[1]))
    except ValueError:  # it is cut off, or no text
        return None
    place = 3 if words[1:2] == ["run"] else 2  # a recipe stands in front of its input
    return Path(words[place]).name if len(words) > place else None


class Beside:
    """Earlier results among the files of a folder that is not listed as a whole: what a name goes on from is looked up.

    extensions: of files that are inputs.
    """

    def __init__(self, extensions: Iterable[str]) -> None:
        spelled = sorted(extensions)
        self._extensions = (*spelled, *(extension.upper() for extension in spelled))
        self._known = lru_cache(maxsize=4096)(self._look)

    def named(self, folder: Path, stem: str) -> tuple[Path, ...]:
        """The inputs of a folder with a stem."""
        return self._known(folder, stem)

    def _look(self, folder: Path, stem: str) -> tuple[Path, ...]:
        names = (folder / f"{stem}{extension}" for extension in self._extensions)
        return tuple(name for name in names if name.is_file())

    def made(self, path: Path) -> bool:
        """Whether imgfix made a file from another one of its folder, as of `earlier_results`."""
        stem = path.stem
        before = (stem[:end] for end in range(1, len(stem)) if not stem[end].isalnum())
        if not any(self.named(path.parent, each) for each in before if not each.startswith(".")):
            return False
        origin = _origin(path)
        return origin is not None and origin != path.name and path.with_name(origin).is_file()

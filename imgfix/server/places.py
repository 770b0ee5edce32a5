"""Which files may be touched: those below folders that the user named, without a way out of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imgfix.errors import InputError, UsageError


@dataclass(frozen=True)
class Places:
    """Folders, and what may be named below them.

    Raises UsageError: one is no folder.
    """

    folders: tuple[Path, ...]

    def __post_init__(self) -> None:
        for folder in self.folders:
            if not folder.is_dir():
                raise UsageError(f"{folder} is no folder", hint="name folders that are there")
        # They themselves may be reached by links: the user named them.
        object.__setattr__(self, "folders", tuple(Path(os.path.realpath(folder)) for folder in self.folders))

    def find(self, text: object, *, new: bool = False) -> Path:
        """The file or folder that a path names: absolute, or relative to one of the folders.

        new: it may be missing, and is then taken to be in the first of them. Raises UsageError: it is outside, or
        reached by `..` or a link; InputError: it is missing.
        """
        if not isinstance(text, str) or not text or "\0" in text:
            raise UsageError("a path is text", hint=self._hint)
        path = Path(text)
        if ".." in path.parts:
            raise UsageError(f"{text}: '..' is refused", hint=self._hint)
        found = [path] if path.is_absolute() else [folder / path for folder in self.folders]
        inside = [place for each in found if (place := self._inside(each)) is not None]
        if not inside:
            raise UsageError(f"{text} is outside, or reached by a link", hint=self._hint)
        there = [place for place in inside if place.exists()]
        if not there and not new:
            raise InputError(f"{text}: no such file", hint="list_files shows what is there")
        return (there or inside)[0]

    def _inside(self, path: Path) -> Path | None:
        """The same below one of the folders; None where it is outside or any part of it is a link."""
        for folder in self.folders:
            if path.is_relative_to(folder):
                real = Path(os.path.realpath(path))
                if real == path:
                    return path
        return None

    def shown(self, path: Path) -> str:
        """How a file is called towards the caller: relative where there is one folder."""
        return path.relative_to(self.folders[0]).as_posix() if self._single(path) else str(path)

    def _single(self, path: Path) -> bool:
        return len(self.folders) == 1 and path.is_relative_to(self.folders[0])

    @property
    def _hint(self) -> str:
        return f"files below {_listed(self.folders)} can be named"


def _listed(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, folders))

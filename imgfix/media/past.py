"""What is remembered of the files of a very large batch, of which only the next ones are known."""

from __future__ import annotations

from pathlib import Path

from imgfix.media.earlier import Beside
from imgfix.media.seen import Seen
from imgfix.media.sources import Source
from imgfix.media.walk import Walk


class Past:
    """Where the results of a batch go, and how to tell its inputs from results."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self.targets = Seen()
        """Places of all results."""
        self.results = Seen()
        """Of those that were not there before."""
        self.beside = Beside(walk.extensions)

    def source(self, path: Path) -> Source | None:
        """A file as the folders will give it, or gave it; None: it is none of theirs, or not there."""
        if path.suffix.lower() not in self._walk.extensions or path.name.startswith(".") or not path.is_file():
            return None
        relative = self._walk.relative(path)
        return None if relative is None else Source(path, relative, discovered=True)

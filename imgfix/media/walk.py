"""Folders of very many files: what inputs name, found while the first of it is worked on, in bounded memory."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from imgfix.media import listing
from imgfix.media.sources import (
    IMAGE,
    FoundSources,
    PassedOver,
    Source,
    Stdin,
    extensions_of,
    find_sources,
    fixed_part,
    list_lines,
    sources_in,
)


@dataclass(frozen=True)
class Root:
    """A folder whose files are inputs, or those of its names that fit a pattern."""

    folder: Path
    relative_to: Path
    pattern: str | None = None

    @property
    def matching(self) -> Callable[[str], bool] | None:
        """Which names are looked at."""
        pattern = self.pattern
        return None if pattern is None else lambda name: fnmatch.fnmatch(name, pattern)

    def holds(self, place: Path, recursive: bool) -> bool:
        """Whether a file, by its absolute path, is one of it."""
        below = place.relative_to(_absolute(self.folder)).parts
        return (recursive or len(below) == 1) and (self.pattern is None or fnmatch.fnmatch(below[0], self.pattern))


class Walk:
    """What inputs name, in two parts: what is named outright, and the folders, which are listed as far as needed.

    Of a folder with more names than `listing.BLOCK`, blocks of so many are taken as the system lists them, each in
    natural order.
    """

    def __init__(self, inputs: Iterable[str | Path], *, recursive: bool = False, kinds: Iterable[str] = (IMAGE,)):
        """Reads lists, lists no folder. Raises UsageError."""
        self._recursive, self._kinds = recursive, tuple(kinds)
        self.extensions = extensions_of(self._kinds)
        self.passed = PassedOver()
        self.words: list[str] = []
        """Of the inputs, with those of lists in the place of these."""
        self._named: list[str] = []
        self.roots: list[Root] = []
        self._at: dict[Path, list[tuple[int, Root]]] = defaultdict(list)
        for word in map(str, inputs):
            lines = list_lines(Path(word[1:])) if _is_list(word) else [word]
            self.words += lines
            for line in lines:
                self._sort(line, in_list=_is_list(word))

    def _sort(self, word: str, in_list: bool) -> None:
        root = _root(word) if in_list or word != "-" else None
        if root is None:
            self._named.append(word)
        else:
            self._at[_absolute(root.folder)].append((len(self.roots), root))
            self.roots.append(root)

    def relative(self, path: Path) -> Path | None:
        """The place of a file below the folder it is found in; None: it is in none of them."""
        place = _absolute(path)
        for folder in place.parents:
            for _, root in self._at.get(folder, ()):
                if root.holds(place, self._recursive):
                    return place.relative_to(folder)
        return None

    def exceeds(self, most: int) -> bool:
        """Whether the folders hold more files than that; looks no further than needed."""
        return sum(1 for _ in islice(self._files(), most + 1)) > most

    def _files(self) -> Iterator[None]:
        folders = [root.folder for root in self.roots]
        while folders:
            try:
                with os.scandir(folders.pop()) as entries:
                    for entry in entries:
                        if listing.is_dir(entry):
                            if self._recursive and not entry.is_symlink():
                                folders.append(Path(entry.path))
                        else:
                            yield None
            except OSError:  # said when its turn comes
                continue

    def named(self) -> FoundSources:
        """What is named outright."""
        found = find_sources(self._named, recursive=self._recursive, kinds=self._kinds)
        self.passed.others += found.passed.others
        self.passed.folders += found.passed.folders
        return found

    def sources(self, named: FoundSources) -> Iterator[Source]:
        """The files of the folders, but for those that are named as well or belong to an earlier one."""
        taken = {_absolute(source.path) for source in named.sources if not isinstance(source.path, Stdin)}
        for number, root in enumerate(self.roots):
            folder, earlier = Path(), list[Root]()
            for source in sources_in(
                root.folder, root.relative_to, self._recursive, self.extensions, self.passed, listing.BLOCK,
                root.matching,
            ):  # fmt: skip
                assert isinstance(source.path, Path)
                place = _absolute(source.path)
                if place.parent != folder:
                    folder = place.parent
                    earlier = [
                        other
                        for above in (folder, *folder.parents)
                        for at, other in self._at.get(above, ())
                        if at < number
                    ]
                if place not in taken and not any(other.holds(place, self._recursive) for other in earlier):
                    yield source


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 (keeps links)


def _is_list(word: str) -> bool:
    return word.startswith("@") and not Path(word).exists()


def _root(word: str) -> Root | None:
    """The folder of a word; a glob whose only wildcards are in its last part is one of names."""
    try:
        path = Path(word)
        if path.is_dir():
            return Root(path, path)
        if path.exists() or path.is_symlink():
            return None
    except (OSError, ValueError):  # a name that no file can have
        return None
    name = path.name
    plain = not glob.has_magic(str(path.parent)) and "**" not in name and not name.startswith(".")
    if glob.has_magic(name) and plain and path.parent.is_dir():
        return Root(path.parent, fixed_part(word), name)
    return None

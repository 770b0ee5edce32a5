"""What the inputs of a command line name: files, folders, globs, lists and standard input, expanded in order."""

from __future__ import annotations

import errno
import glob
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from imgfix.errors import InputError, UsageError
from imgfix.media import formats, listing
from imgfix.media.listing import natural_key

if TYPE_CHECKING:
    from imgfix.media.past import Past

VIDEO_EXTENSIONS = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv", ".flv"),
        *(".3gp", ".ogv", ".y4m", ".vob", ".mxf"),
    )
)
IMAGE, VIDEO = "image", "video"


@dataclass(frozen=True)
class Stdin:
    """A pipe as a source, which can be read once only."""

    path: Path | None = None
    """A named pipe, or what a shell makes of `<(...)`; None: standard input."""

    def __str__(self) -> str:
        return str(self.path) if self.path is not None else "standard input"

    def read(self) -> bytes:
        """Empty the pipe. Raises InputError."""
        if self.path is None:
            return sys.stdin.buffer.read()
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror}", hint="check its rights") from error


@dataclass(frozen=True)
class Source:
    path: Path | Stdin
    relative: Path
    error: InputError | None = None
    discovered: bool = False  # found in a folder or by a glob, not named


@dataclass
class PassedOver:
    """What folders and globs held besides the sources, hidden files apart."""

    others: int = 0
    """Files that are no picture and no video."""
    folders: int = 0
    """Subfolders that were not looked into."""
    results: int = 0
    """What imgfix made of the sources earlier."""

    @property
    def words(self) -> list[str]:
        """A phrase for each of them that there is."""
        found = [f"{_count(self.others, 'other file')}"] if self.others else []
        found += [f"{_count(self.results, 'earlier result')}"] if self.results else []
        found += [f"{_count(self.folders, 'subfolder')} without `recursive`"] if self.folders else []
        return [f"passed over: {', '.join(found)}"] if found else []


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


@dataclass
class FoundSources:
    sources: list[Source] = field(default_factory=list)
    several: bool = False  # a folder, glob or list: the output must have room for many
    passed: PassedOver = field(default_factory=PassedOver)
    past: Past | None = None
    """What came before, where these are some of very many."""


def find_sources(
    inputs: Iterable[str | Path], *, recursive: bool = False, kinds: Iterable[str] = (IMAGE,)
) -> FoundSources:
    """Expand files, folders, globs, lists and `-`; the same file named twice is taken once."""
    extensions = extensions_of(kinds)
    found = FoundSources()
    for word in inputs:
        _expand(str(word), found, recursive, extensions, in_list=False)
    if any(source.path == Stdin() for source in found.sources) and len(found.sources) > 1:
        raise UsageError("standard input ('-') cannot be mixed with other inputs", hint="run imgfix twice")
    seen: set[object] = set()
    unique = []
    for source in found.sources:
        key = source.path if isinstance(source.path, Stdin) else os.path.normcase(os.path.abspath(source.path))  # noqa: PTH100 (keeps links)
        if key not in seen:
            seen.add(key)
            unique.append(source)
    found.sources = unique
    found.several = found.several or len(unique) > 1
    return found


def extensions_of(kinds: Iterable[str]) -> frozenset[str]:
    wanted = set(kinds)
    return (formats.IMAGE_EXTENSIONS if IMAGE in wanted else frozenset()) | (
        VIDEO_EXTENSIONS if VIDEO in wanted else frozenset()
    )


def kind_of(source: Path | Stdin) -> str:
    if isinstance(source, Stdin):
        return "unknown"
    suffix = source.suffix.lower()
    return IMAGE if suffix in formats.IMAGE_EXTENSIONS else VIDEO if suffix in VIDEO_EXTENSIONS else "unknown"


def _expand(word: str, found: FoundSources, recursive: bool, extensions: frozenset[str], *, in_list: bool) -> None:
    if word == "-" and not in_list:
        found.sources.append(Source(Stdin(), Path("stdin")))
        return
    path = Path(word)
    problem = _impossible(path)
    if problem:
        path = Path(word.replace("\0", "\N{REPLACEMENT CHARACTER}"))  # for the messages alone
        found.sources.append(Source(path, Path(path.name), InputError(f"{path}: {problem}", hint="check the path")))
    elif path.is_dir():
        found.several = True
        found.sources += sources_in(path, path, recursive, extensions, found.passed)
    elif is_pipe(path):
        found.sources.append(Source(Stdin(path), Path(path.name)))
    elif _is_character_device(path):
        error = InputError(f"{word} is a device, not a file", hint="name a file, or pipe it in and name '-'")
        found.sources.append(Source(path, Path(path.name), error))
    elif path.exists() or path.is_symlink():
        # Named outright: taken whatever its extension says, so that a wrong file gets a clear error and not silence.
        found.sources.append(Source(path, Path(path.name)))
    elif word.startswith("@") and not in_list:
        found.several = True
        for line in list_lines(Path(word[1:])):
            _expand(line, found, recursive, extensions, in_list=True)
    elif glob.has_magic(word):
        found.several = True
        found.sources += _globbed(word, recursive, extensions, found.passed)
    else:
        found.sources.append(
            Source(path, Path(path.name), InputError(f"{word}: no such file", hint="check the path; quote globs"))
        )


def _impossible(path: Path) -> str | None:
    """Why no file can have this name; such names come from lists, which may be anything."""
    try:
        path.lstat()
    except ValueError:
        return "no file's name holds a null byte"
    except OSError as error:
        return "the name is too long for a file" if error.errno == errno.ENAMETOOLONG else None
    return None


def is_pipe(path: Path) -> bool:
    """Whether a path is a pipe or socket: what was read from it once is gone."""
    mode = _mode(path)
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _is_character_device(path: Path) -> bool:
    return stat.S_ISCHR(_mode(path))


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def list_lines(path: Path) -> list[str]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"@{path}: there is no such list file", hint="a list has one path a line") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"@{path} cannot be read as a list: {error}", hint="a list is UTF-8, one path a line"
        ) from None
    # `find` and `ls` write paths relative to where the user stands, so lists are read the same way.
    return [line for line in (raw.strip("\r\n") for raw in text.split("\n")) if line.strip()]


def sources_in(
    folder: Path,
    root: Path,
    recursive: bool,
    extensions: frozenset[str],
    passed: PassedOver,
    block: int | None = None,
    matching: Callable[[str], bool] | None = None,
) -> Iterator[Source]:
    """The files of a folder, then those of its subfolders; it is listed as far as they are asked for.

    One that cannot be listed is a source with an error, so that the rest is done. root: below which names are kept.
    block: see `listing.blocks`. matching: which names of the folder itself are looked at.
    """
    below: list[Path] = []
    listed = listing.blocks(folder, block)
    while True:
        try:
            entries = next(listed, None)
        except OSError as error:
            problem = InputError(f"{folder} cannot be listed: {error.strerror}", hint="check its rights")
            yield Source(folder, _below(folder, root), problem)
            break
        if entries is None:
            break
        for entry in entries:
            if matching is not None and not matching(entry.name):
                continue
            if Path(entry.name).suffix.lower() in extensions and listing.is_file(entry):
                path = folder / entry.name
                yield Source(path, _below(path, root), discovered=True)
            elif not listing.is_dir(entry):
                passed.others += 1
            elif recursive and entry.is_symlink():  # a link could lead round in a circle
                continue
            elif recursive:
                below.append(folder / entry.name)
            else:
                passed.folders += 1
    for inner in sorted(below, key=listing.natural_key):
        yield from sources_in(inner, root, recursive, extensions, passed, block)


def _globbed(pattern: str, recursive: bool, extensions: frozenset[str], passed: PassedOver) -> list[Source]:
    root = fixed_part(pattern)
    sources: list[Source] = []
    matches = (Path(match) for match in glob.glob(pattern, recursive=True))  # noqa: PTH207 (absolute too)
    for path in sorted(matches, key=natural_key):
        if path.is_dir():
            if recursive:
                sources += sources_in(path, root, recursive, extensions, passed)
            elif "**" not in pattern:
                passed.folders += 1
        elif path.suffix.lower() in extensions:
            sources.append(Source(path, _below(path, root), discovered=True))
        else:
            passed.others += 1
    return sources


def fixed_part(pattern: str) -> Path:
    """Return the folders of a pattern before its first wildcard."""
    parts = []
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts)


def _below(path: Path, root: Path) -> Path:
    try:
        return path.relative_to(root)
    except ValueError:
        return Path(path.name)


def nothing_hint(recursive: bool, kinds: Iterable[str]) -> str:
    """What could be named where nothing was found."""
    what = " or ".join(sorted(set(kinds))) + " files"
    return f"name {what}" + ("" if recursive else ", or add `recursive` to look into sub-folders")

"""Which files a command reads and where each result goes, decided before any work is done.

Inputs are files, folders, globs (quoted, so that the shell leaves them to us; `**` goes through all folders),
`@list.txt` (one path a line; `@-` takes the list from standard input) and `-` for a picture on standard input. The
output is a file, a folder, a template such as `out/{parent}/{stem}_{scale}x{ext}`, or `-` for standard output.
"""

from __future__ import annotations

import glob
import os
import re
import string
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imgfix.errors import InputError, OutputError, UsageError
from imgfix.media import formats

VIDEO_EXTENSIONS = frozenset(
    (
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv", ".flv"),
        *(".3gp", ".ogv", ".y4m", ".vob", ".mxf"),
    )
)
IMAGE, VIDEO = "image", "video"
VARIABLES = ("stem", "ext", "name", "parent", "scale", "model", "n")


class Stdin:
    """Standard input as a source."""

    def __str__(self) -> str:
        return "standard input"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stdin)

    def __hash__(self) -> int:
        return hash(Stdin)


class Stdout:
    """Standard output as a target."""

    def __str__(self) -> str:
        return "standard output"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stdout)

    def __hash__(self) -> int:
        return hash(Stdout)


@dataclass(frozen=True)
class Job:
    """One file to read and one to write."""

    source: Path | Stdin
    target: Path | Stdout
    relative: Path  # the source's place below the folder or glob it came from; its bare name otherwise
    kind: str = IMAGE  # 'image', 'video', or 'unknown' (by the extension; standard input is unknown)
    skip: str | None = None  # why it need not be done (--skip-existing)
    error: InputError | OutputError | None = None  # why it cannot be done; the rest of the batch can


@dataclass(frozen=True)
class _Source:
    path: Path | Stdin
    relative: Path
    error: InputError | None = None
    discovered: bool = False  # found in a folder or by a glob, not named


@dataclass
class _Found:
    sources: list[_Source] = field(default_factory=list)
    several: bool = False  # a folder, glob or list: the output must have room for many


def plan(
    inputs: Iterable[str | Path],
    output: str | Path | None = None,
    *,
    recursive: bool = False,
    suffix: str = "",
    kinds: Iterable[str] = (IMAGE,),
    target_format: str | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
    variables: Mapping[str, object] | None = None,
) -> list[Job]:
    """Turn the inputs and the output of a command line into jobs, in the order given, folders in natural order.

    suffix: put behind the stem when the result would stand beside its source. kinds: 'image' and 'video'; other files
    in folders and globs are passed over. target_format: 'png' etc. gives every target that extension. variables: values
    for {scale} and {model} in a template. A missing input or an output that exists already becomes a job with `error`
    set, so that the rest of the batch is done.

    Raises `UsageError` before any work: nothing to do, two inputs with one output, an output that is its own input
    without `overwrite`, several inputs for one file, a template with unknown names.
    """
    found = find_sources(inputs, recursive=recursive, kinds=kinds)
    if not found.sources:
        raise UsageError("there is nothing to do: no input file was found", hint=_nothing_hint(recursive, kinds))
    extension = formats.find(target_format).extensions[0] if target_format else None
    place = _Placement(output, found, suffix, extension, dict(variables or {}))
    found.sources = place.without_results(found.sources)
    jobs = []
    for number, source in enumerate(found.sources, start=1):
        target = place.target(source, number)
        jobs.append(Job(source.path, target, source.relative, _kind(source.path), error=source.error))
    _refuse_collisions(jobs, overwrite)
    return [_with_state(job, overwrite, skip_existing) for job in jobs]


def find_sources(inputs: Iterable[str | Path], *, recursive: bool = False, kinds: Iterable[str] = (IMAGE,)) -> _Found:
    """Expand files, folders, globs, lists and `-`; the same file named twice is taken once."""
    extensions = _extensions(kinds)
    found = _Found()
    for word in inputs:
        _expand(str(word), found, recursive, extensions, in_list=False)
    if any(isinstance(source.path, Stdin) for source in found.sources) and len(found.sources) > 1:
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


def natural_key(path: Path | str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key under which `frame2` comes before `frame10`, letters without regard to case."""
    parts = re.split(r"([0-9]+)", str(path).casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part], str(path)


def _extensions(kinds: Iterable[str]) -> frozenset[str]:
    wanted = set(kinds)
    return (formats.IMAGE_EXTENSIONS if IMAGE in wanted else frozenset()) | (
        VIDEO_EXTENSIONS if VIDEO in wanted else frozenset()
    )


def _kind(source: Path | Stdin) -> str:
    if isinstance(source, Stdin):
        return "unknown"
    suffix = source.suffix.lower()
    return IMAGE if suffix in formats.IMAGE_EXTENSIONS else VIDEO if suffix in VIDEO_EXTENSIONS else "unknown"


def _expand(word: str, found: _Found, recursive: bool, extensions: frozenset[str], *, in_list: bool) -> None:
    if word == "-" and not in_list:
        found.sources.append(_Source(Stdin(), Path("stdin")))
        return
    path = Path(word)
    if path.is_dir():
        found.several = True
        found.sources += [
            _Source(file, file.relative_to(path), discovered=True) for file in _files_in(path, recursive, extensions)
        ]
    elif path.exists() or path.is_symlink():
        # Named outright: taken whatever its extension says, so that a wrong file gets a clear error and not silence.
        found.sources.append(_Source(path, Path(path.name)))
    elif word.startswith("@") and not in_list:
        found.several = True
        for line in _lines(Path(word[1:])):
            _expand(line, found, recursive, extensions, in_list=True)
    elif glob.has_magic(word):
        found.several = True
        found.sources += _globbed(word, recursive, extensions)
    else:
        found.sources.append(
            _Source(path, Path(path.name), InputError(f"{word}: no such file", hint="check the path; quote globs"))
        )


def _lines(path: Path) -> list[str]:
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


def _files_in(folder: Path, recursive: bool, extensions: frozenset[str]) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: natural_key(entry.name))
    except OSError as error:
        raise UsageError(f"{folder} cannot be listed: {error.strerror}", hint="check its rights") from error
    entries = [entry for entry in entries if not entry.name.startswith(".")]
    for entry in entries:
        if entry.suffix.lower() in extensions and entry.is_file():
            yield entry
    for entry in entries:
        if recursive and entry.is_dir() and not entry.is_symlink():  # a link could lead round in a circle
            yield from _files_in(entry, recursive, extensions)


def _globbed(pattern: str, recursive: bool, extensions: frozenset[str]) -> list[_Source]:
    root = _fixed_part(pattern)
    sources = []
    matches = (Path(match) for match in glob.glob(pattern, recursive=True))  # noqa: PTH207 (absolute too)
    for path in sorted(matches, key=natural_key):
        if path.is_dir():
            if recursive:
                sources += [
                    _Source(file, _below(file, root), discovered=True)
                    for file in _files_in(path, recursive, extensions)
                ]
        elif path.suffix.lower() in extensions:
            sources.append(_Source(path, _below(path, root), discovered=True))
    return sources


def _fixed_part(pattern: str) -> Path:
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


def _nothing_hint(recursive: bool, kinds: Iterable[str]) -> str:
    what = " or ".join(sorted(set(kinds))) + " files"
    return f"name {what}" + ("" if recursive else ", or add --recursive to look into sub-folders")


class _Placement:
    """Where results go."""

    def __init__(
        self,
        output: str | Path | None,
        found: _Found,
        suffix: str,
        extension: str | None,
        variables: dict[str, object],
    ) -> None:
        self._suffix, self._extension, self._variables = suffix, extension, variables
        self._output = str(output) if output is not None else None
        word = self._output
        if word is None:
            piped = any(isinstance(source.path, Stdin) for source in found.sources)
            self._way = "stdout" if piped else "beside"
        elif word == "-":
            self._way = "stdout"
        elif _is_template(word):
            self._way = "template"
            _check_template(word, variables)
        elif word.endswith(("/", os.sep)) or Path(word).is_dir():
            self._way = "folder"
        elif found.several:
            self._way = "folder"
            if len(found.sources) > 1 and (Path(word).is_file() or _looks_like_a_file(word)):
                raise UsageError(
                    f"{len(found.sources)} inputs cannot all be written to the one file {word}",
                    hint="name a folder (end it with '/'), or a template such as 'out/{stem}{ext}'",
                )
            if _looks_like_a_file(word):  # a list or glob that holds one file
                self._way = "file"
        else:
            self._way = "file"
        if self._way == "stdout" and len(found.sources) > 1:
            raise UsageError("several results cannot go to standard output", hint="name a folder with -o")

    def without_results(self, sources: list[_Source]) -> list[_Source]:
        """Leave out what an earlier run of the same command wrote among the files that a folder or glob gave."""
        if self._way == "beside":
            results = {_same_place(target) for source in sources if isinstance(target := self.target(source, 0), Path)}
            return [s for s in sources if not (s.discovered and _place_of(s) in results)]
        if self._way == "folder" and self._output is not None:
            inside = _same_place(Path(self._output)) + os.sep
            return [
                source
                for source in sources
                if not source.discovered
                or not _place_of(source).startswith(inside)
                or (_place_of(source, len(source.relative.parts)) + os.sep).startswith(inside)
            ]
        return sources

    def target(self, source: _Source, number: int) -> Path | Stdout:
        if self._way == "stdout":
            return Stdout()
        path = source.path if isinstance(source.path, Path) else Path("stdin")
        extension = self._extension or path.suffix or ".png"
        if self._way == "beside":
            return path.with_name(f"{path.stem}{self._suffix}{extension}")
        assert self._output is not None
        if self._way == "file":
            target = Path(self._output)
            return target if target.suffix or not self._extension else target.with_name(target.name + extension)
        if self._way == "folder":
            return Path(self._output) / source.relative.with_name(f"{path.stem}{extension}")
        values: dict[str, object] = {
            **{"scale": "", "model": ""},
            **self._variables,
            "stem": path.stem,
            "ext": extension,
            "name": path.name,
            "parent": str(source.relative.parent),
            "n": number,
        }
        try:
            return Path(self._output.format(**values))
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise UsageError(
                f"the output template '{self._output}' cannot be filled: {error}", hint=_TEMPLATE_HINT
            ) from error


_TEMPLATE_HINT = "known names: " + " ".join("{" + name + "}" for name in VARIABLES) + "; {n:04d} pads a number"


def _is_template(word: str) -> bool:
    return "{" in word and "}" in word


def _check_template(word: str, variables: Mapping[str, object]) -> None:
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(word) if name is not None]
    except ValueError as error:
        raise UsageError(f"the output template '{word}' is broken: {error}", hint=_TEMPLATE_HINT) from error
    unknown = [name for name in names if name not in VARIABLES and name not in variables]
    if unknown:
        raise UsageError(f"the output template '{word}' has an unknown name {{{unknown[0]}}}", hint=_TEMPLATE_HINT)


def _looks_like_a_file(word: str) -> bool:
    return Path(word).suffix.lower() in formats.IMAGE_EXTENSIONS | VIDEO_EXTENSIONS


def _same_place(path: Path) -> str:
    """Key under which two names are one file on every system: links followed, case and accents folded."""
    return unicodedata.normalize("NFC", os.path.realpath(path)).casefold()


def _place_of(source: _Source, up: int = 0) -> str:
    assert isinstance(source.path, Path)
    path = Path(os.path.realpath(source.path))
    return _same_place(path.parents[up - 1] if up else path)


def _refuse_collisions(jobs: list[Job], overwrite: bool) -> None:
    sources = {_same_place(job.source): job.source for job in jobs if isinstance(job.source, Path)}
    taken: dict[str, Job] = {}
    for job in jobs:
        if not isinstance(job.target, Path):
            continue
        place = _same_place(job.target)
        if place in taken:
            raise UsageError(
                f"{taken[place].source} and {job.source} would both be written to {job.target}",
                hint="name a folder with -o, so that the tree is kept, or use {ext}, {parent} or {n} in a template",
            )
        taken[place] = job
        if place in sources and not (overwrite and isinstance(job.source, Path) and _same_place(job.source) == place):
            own = isinstance(job.source, Path) and _same_place(job.source) == place
            raise UsageError(
                f"{job.source} would be written over {'itself' if own else f'another input, {sources[place]}'}",
                hint="add --overwrite to replace it, or choose another -o" if own else "choose another -o",
            )


def _with_state(job: Job, overwrite: bool, skip_existing: bool) -> Job:
    if job.error is not None or not isinstance(job.target, Path) or overwrite:
        return job
    try:
        exists = job.target.exists() and not _is_device(job.target)
    except OSError:  # a name too long to ask for; writing will say so
        return job
    if not exists:
        return job
    if skip_existing:
        return Job(job.source, job.target, job.relative, job.kind, skip="the output exists already")
    error = OutputError(f"{job.target} exists already", hint="use --overwrite, --skip-existing or another -o")
    return Job(job.source, job.target, job.relative, job.kind, error=error)


def _is_device(path: Path) -> bool:
    return not path.is_file() and not path.is_dir()

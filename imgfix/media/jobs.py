"""Which files a command reads and where each result goes, decided before any work is done.

Inputs are files, folders, globs (quoted, so that the shell leaves them to us; `**` goes through all folders),
`@list.txt` (one path a line; `@-` takes the list from standard input) and `-` for a picture on standard input. The
output is a file, a folder, a template such as `out/{parent}/{stem}_{scale}x{ext}`, or `-` for standard output.
"""

from __future__ import annotations

import os
import string
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from imgfix.errors import ImgfixError, OutputError, UsageError
from imgfix.media import formats
from imgfix.media.listing import natural_key
from imgfix.media.sources import (
    IMAGE,
    VIDEO,
    VIDEO_EXTENSIONS,
    FoundSources,
    Source,
    Stdin,
    find_sources,
    kind_of,
    nothing_hint,
)
from imgfix.media.video import containers

if TYPE_CHECKING:
    from imgfix.media.past import Past

__all__ = ["IMAGE", "VIDEO", "VIDEO_EXTENSIONS", "FileJob", "Stdin", "Stdout", "find_sources", "natural_key", "plan"]

VARIABLES = ("stem", "ext", "name", "parent", "scale", "model", "n")


class Stdout:
    """Standard output as a target."""

    def __str__(self) -> str:
        return "standard output"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stdout)

    def __hash__(self) -> int:
        return hash(Stdout)


@dataclass(frozen=True)
class FileJob:
    """One file to read and one to write."""

    source: Path | Stdin
    target: Path | Stdout
    relative: Path  # the source's place below the folder or glob it came from; its bare name otherwise
    kind: str = IMAGE  # 'image', 'video', or 'unknown' (by the extension; standard input is unknown)
    skip: str | None = None  # why it need not be done (--skip-existing)
    error: ImgfixError | None = None  # why it cannot be done; the rest of the batch can


def plan(
    inputs: Iterable[str | Path] | FoundSources,
    output: str | Path | None = None,
    *,
    recursive: bool = False,
    suffix: str | Callable[[str], str] = "",
    kinds: Iterable[str] = (IMAGE,),
    target_format: str | None = None,
    overwrite: bool = False,
    skip_existing: bool = False,
    variables: Mapping[str, object] | Callable[[str], Mapping[str, object]] | None = None,
) -> list[FileJob]:
    """Turn the inputs and the output of a command line into jobs, in the order given, folders in natural order.

    inputs: words, or what was found already.
    suffix: put behind the stem when the result would stand beside its source. kinds: 'image' and 'video'; other files
    in folders and globs are passed over. target_format: 'png' etc. gives every picture that extension, 'mp4' etc. every
    clip. variables: values for {scale} and {model} in a template. Both may be functions of the kind.

    Of what has a past, clashes with what came before are errors of the job.

    A missing input or an output that exists already becomes a job with `error`
    set, so that the rest of the batch is done.

    Raises `UsageError` before any work: nothing to do, two inputs with one output, an output that is its own input
    without `overwrite`, several inputs for one file, a template with unknown names.
    """
    found = inputs if isinstance(inputs, FoundSources) else find_sources(inputs, recursive=recursive, kinds=kinds)
    past = found.past
    if not found.sources and past is not None:
        return []
    if not found.sources:
        words = "; ".join(["there is nothing to do: no input file was found", *found.passed.words])
        raise UsageError(words, hint=nothing_hint(recursive, kinds))
    place = Placement(output, found, suffix, _wanted_extensions(target_format, kinds), variables or {})
    before = len(found.sources)
    found.sources = place.without_results(found.sources)
    found.passed.results += before - len(found.sources)
    jobs = []
    for number, source in enumerate(found.sources, start=1):
        target = place.target(source, number)
        jobs.append(FileJob(source.path, target, source.relative, kind_of(source.path), error=source.error))
    if past is None:
        _refuse_collisions(jobs, overwrite, place.apart)
        return [_with_state(job, overwrite, skip_existing) for job in jobs]
    return [_apart_from(past, job, place, overwrite, skip_existing) for job in jobs]


class Placement:
    """Where results go."""

    def __init__(
        self,
        output: str | Path | None,
        found: FoundSources,
        suffix: str | Callable[[str], str],
        extensions: Mapping[str, str],
        variables: Mapping[str, object] | Callable[[str], Mapping[str, object]],
    ) -> None:
        self._suffix, self._extensions, self._variables, self._past = suffix, extensions, variables, found.past
        self._output = str(output) if output is not None else None
        word = self._output
        if word is None:
            piped = any(isinstance(source.path, Stdin) for source in found.sources)
            self._way = "stdout" if piped else "beside"
        elif word == "-":
            self._way = "stdout"
        elif _is_template(word):
            self._way = "template"
            _check_template(word, {} if callable(variables) else variables)
        elif word.endswith(("/", os.sep)) or Path(word).is_dir():
            self._way = "folder"
        elif found.several:
            self._way = "folder"
            if len(found.sources) > 1 and (Path(word).is_file() or _looks_like_a_file(word)):
                number = len(found.sources) if found.past is None else "very many"
                raise UsageError(
                    f"{number} inputs cannot all be written to the one file {word}",
                    hint="name a folder (end it with '/'), or a template such as 'out/{stem}{ext}'",
                )
            if _looks_like_a_file(word):  # a list or glob that holds one file
                self._way = "file"
        else:
            self._way = "file"
        if self._way == "stdout" and len(found.sources) > 1:
            raise UsageError("several results cannot go to standard output", hint="name a folder with `output`")

    def without_results(self, sources: list[Source]) -> list[Source]:
        """Leave out what an earlier run of the same command wrote among the files that a folder or glob gave."""
        if self._past is not None:
            made, known = self._past.results, sources
            sources = [s for s in known if not (s.discovered and (_place_of(s) in made or self._continues(s)))]
        if self._way == "beside":
            results = {_same_place(target) for source in sources if isinstance(target := self.target(source, 0), Path)}
            return [s for s in sources if not (s.discovered and _place_of(s) in results)]
        if self._way == "folder" and self._output is not None:
            return [source for source in sources if not (source.discovered and self._is_inside(source))]
        return sources

    def is_input(self, source: Source) -> bool:
        """Whether a file in one of the folders is an input and no result."""
        assert self._past is not None and isinstance(source.path, Path)
        way = not self._is_inside(source) if self._way == "folder" else not self._continues(source)
        return way and not self._past.beside.made(source.path)

    def _is_inside(self, source: Source) -> bool:
        """Whether it lies in the folder of the results, which is not where it was looked for."""
        inside = _same_place(Path(str(self._output))) + os.sep
        above = _place_of(source, len(source.relative.parts)) + os.sep
        return _place_of(source).startswith(inside) and not above.startswith(inside)

    def _continues(self, source: Source) -> bool:
        """Whether it is the result beside another file of its folder."""
        path = source.path
        if self._way != "beside" or self._past is None or not isinstance(path, Path):
            return False
        kind = kind_of(path)
        suffix = self._suffix(kind) if callable(self._suffix) else self._suffix
        if not suffix or not path.stem.casefold().endswith(suffix.casefold()):
            return False
        origins = self._past.beside.named(path.parent, path.stem[: -len(suffix)])
        targets = [self.target(Source(origin, Path(origin.name)), 0) for origin in origins]
        return _place_of(source) in [_same_place(target) for target in targets if isinstance(target, Path)]

    @property
    def apart(self) -> str:
        """How results that fall on one another are kept apart."""
        if self._way == "folder":
            folder = str(self._output).rstrip("/" + os.sep)
            return (
                f"give each input a name of its own, as with `output` '{folder}/{{n}}_{{stem}}{{ext}}', "
                "or run imgfix twice"
            )
        return "name a folder with `output`, so that the tree is kept, or use {ext}, {parent} or {n} in a template"

    def target(self, source: Source, number: int) -> Path | Stdout:
        if self._way == "stdout":
            return Stdout()
        path = source.path if isinstance(source.path, Path) else source.path.path or Path("stdin")
        kind = kind_of(source.path)
        wanted = self._extensions.get(VIDEO if kind == VIDEO else IMAGE)
        own = containers.extension(path.suffix) if kind == VIDEO else formats.extension_for_result(path.suffix)
        extension = wanted or own or ".png"
        if self._way == "beside":
            suffix = self._suffix(kind) if callable(self._suffix) else self._suffix
            return path.with_name(f"{path.stem}{suffix}{extension}")
        assert self._output is not None
        if self._way == "file":
            target = Path(self._output)
            plain = target.suffix or not wanted or (target.exists() and _is_device(target))
            return target if plain else target.with_name(target.name + extension)
        if self._way == "folder":
            return Path(self._output) / source.relative.with_name(f"{path.stem}{extension}")
        values: dict[str, object] = {
            **{"scale": "", "model": ""},
            **(self._variables(kind) if callable(self._variables) else self._variables),
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


def _wanted_extensions(target_format: str | None, kinds: Iterable[str]) -> dict[str, str]:
    """What `format` gives to each kind of file. Raises UsageError for a name that is neither picture nor clip."""
    if target_format is None:
        return {}
    suffix = "." + target_format.lower().lstrip(".")
    suffix = {".matroska": ".mkv", ".mpegts": ".ts", ".asf": ".wmv", ".mpeg": ".mpg"}.get(suffix, suffix)
    if VIDEO in set(kinds) and suffix in containers.CONTAINERS:
        return {VIDEO: suffix}
    return {IMAGE: formats.for_target(None, target_format, target_format).extensions[0]}


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


def _place_of(source: Source, up: int = 0) -> str:
    assert isinstance(source.path, Path)
    path = Path(os.path.realpath(source.path))
    return _same_place(path.parents[up - 1] if up else path)


def _refuse_collisions(jobs: list[FileJob], overwrite: bool, apart: str) -> None:
    sources = {_same_place(job.source): job.source for job in jobs if isinstance(job.source, Path)}
    taken: dict[str, FileJob] = {}
    for job in jobs:
        if not isinstance(job.target, Path):
            continue
        place = _same_place(job.target)
        if place in taken:
            raise UsageError(
                f"{taken[place].source} and {job.source} would both be written to {job.target}",
                hint=apart,
            )
        taken[place] = job
        if place in sources and not (overwrite and isinstance(job.source, Path) and _same_place(job.source) == place):
            own = isinstance(job.source, Path) and _same_place(job.source) == place
            raise UsageError(
                f"{job.source} would be written over {'itself' if own else f'another input, {sources[place]}'}",
                hint="add `overwrite` to replace it, or choose another `output`" if own else "choose another `output`",
            )


def _apart_from(past: Past, job: FileJob, place: Placement, overwrite: bool, skip_existing: bool) -> FileJob:
    """The job with its state, and with an error where its result would replace another one or an input."""
    target, source = job.target, job.source
    if job.error is not None or not isinstance(target, Path):
        return job
    where = _same_place(target)
    if isinstance(source, Path) and _same_place(source) == where:
        if overwrite:
            return job
        words = f"{source} would be written over itself"
        return replace(job, error=UsageError(words, hint="add `overwrite` to replace it, or choose another `output`"))
    if not past.targets.add(where):
        words = f"{source} and an earlier input would both be written to {target}"
        return replace(job, error=UsageError(words, hint=place.apart))
    job = _with_state(job, overwrite, skip_existing)
    if job.error is not None or job.skip is not None:
        return job
    past.results.add(where)
    other = past.source(target) if overwrite else None
    if other is not None and place.is_input(other):
        words = f"{source} would be written over another input, {target}"
        return replace(job, error=UsageError(words, hint="choose another `output`"))
    return job


def _with_state(job: FileJob, overwrite: bool, skip_existing: bool) -> FileJob:
    if job.error is not None or not isinstance(job.target, Path) or overwrite:
        return job
    try:
        exists = job.target.exists() and not _is_device(job.target)
    except OSError:  # a name too long to ask for; writing will say so
        return job
    if not exists:
        return job
    if skip_existing:
        return replace(job, skip="the output exists already")
    error = OutputError(f"{job.target} exists already", hint="use `overwrite`, `skip_existing` or another `output`")
    return replace(job, error=error)


def _is_device(path: Path) -> bool:
    return not path.is_file() and not path.is_dir()

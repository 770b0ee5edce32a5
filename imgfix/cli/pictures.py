"""What every verb does with a picture file: find the jobs, read, open the target, note how it was made."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import typer

from imgfix import __version__
from imgfix.cli.batch import Item
from imgfix.cli.console import Tick
from imgfix.cli.options import Shared
from imgfix.cli.report import Outcome
from imgfix.errors import UsageError

if TYPE_CHECKING:
    from imgfix.media.image import Header, Picture
    from imgfix.media.jobs import Job, Stdin, Stdout
    from imgfix.zoo.descriptor import Descriptor

_STREAM = "-"

# What does not change the result is left out of the recorded command.
_UNRECORDED = {
    *("inputs", "output", "model", "recursive", "overwrite", "skip_existing", "record", "no_record", "json"),
    *("dry_run", "quiet", "verbose", "offline", "max_pixels"),
}


def find_jobs(
    shared: Shared,
    suffix: str | Callable[[str], str],
    variables: Mapping[str, object] | Callable[[str], Mapping[str, object]],
    kinds: Sequence[str] = ("image",),
) -> list[Item[Job]]:
    """The items of a command; all clashes are found here, before any work.

    suffix, variables, kinds: as of `imgfix.media.jobs.plan`.
    Raises UsageError.
    """
    from imgfix.media import jobs

    if _STREAM in shared.inputs and sys.stdin.isatty():
        raise UsageError("'-' reads a picture from stdin, but nothing is piped in", hint="imgfix ... - < photo.jpg")
    found = jobs.plan(
        shared.inputs,
        shared.output,
        recursive=shared.recursive,
        suffix=suffix,
        kinds=kinds,
        target_format=shared.format,
        overwrite=shared.overwrite,
        skip_existing=shared.skip_existing,
        variables=variables,
    )
    items = [
        Item(
            source=_name(job.source),
            target=_name(job.target),
            job=job,
            problem=job.error,
            skipped=job.skip,
        )
        for job in found
    ]
    if any(item.target == _STREAM for item in items) and not shared.dry_run:
        if shared.json:
            raise UsageError("--json and a picture on stdout do not mix", hint="write the picture to a file with -o")
        if sys.stdout.isatty():
            raise UsageError("a picture would be written to the terminal", hint="name a file with -o, or pipe it on")
    return items


def _name(place: Path | Stdin | Stdout) -> str:
    from imgfix.media.sources import Stdin

    if isinstance(place, Stdin):
        return str(place.path) if place.path is not None else _STREAM
    return str(place) if isinstance(place, Path) else _STREAM


def source(job: Job) -> Path | bytes:
    """The file of a job, or what is in the pipe; a pipe can be emptied once only."""
    return job.source if isinstance(job.source, Path) else job.source.read()


def read(job: Job, shared: Shared, given: Path | bytes | None = None) -> Picture:
    """The picture of a job.

    given: its `source`, where that is known already. Raises InputError.
    """
    from imgfix.media import image

    limit = image.DEFAULT_MAX_PIXELS if shared.max_pixels is None else shared.max_pixels or None
    name = None if isinstance(job.source, Path) else str(job.source)
    return image.read(source(job) if given is None else given, max_pixels=limit, name=name)


def inspect(job: Job, shared: Shared) -> Header:
    """The header of a job's picture, with the same limit on its size as `read`.

    Raises InputError.
    """
    from imgfix.media import image

    name = None if isinstance(job.source, Path) else str(job.source)
    header = image.inspect(source(job), name=name)
    limit = image.DEFAULT_MAX_PIXELS if shared.max_pixels is None else shared.max_pixels or None
    image.check_pixels(_name(job.source), header.width, header.height, limit)
    return header


def check_size(job: Job, shared: Shared, header: Header, width: int, height: int) -> None:
    """Whether the format of a job's target holds a result of this size.

    Raises OutputError; UsageError for an extension that is no picture format.
    """
    from imgfix.media import image

    target = job.target if isinstance(job.target, Path) else None
    image.check_size(image.for_target(target, header.format, shared.format).name, width, height, target)


def sink(job: Job) -> Path | BinaryIO:
    """Where the result of a job goes."""
    return job.target if isinstance(job.target, Path) else sys.stdout.buffer


def bytes_written(job: Job) -> int | None:
    """Size of the result; None for a stream."""
    return job.target.stat().st_size if isinstance(job.target, Path) and job.target.is_file() else None


def record(
    context: typer.Context, shared: Shared, job: Job, model: str, descriptor: Descriptor | None = None
) -> dict[str, Any] | None:
    """How a file was made: the command that makes it again, the model and its hash; None under --no-record.

    model: as it would be named on the command line. descriptor: None for a classical method.
    """
    if not shared.record:
        return None
    made: dict[str, Any] = {"command": command_line(context, _name(job.source), model), "model": model}
    if descriptor is not None:
        made |= {"model": descriptor.name, "sha256": descriptor.sha256}
    return made | {"version": __version__}


def command_line(context: typer.Context, source: str, model: str) -> str:
    """The command that makes this one result again: its source, its model by name, and the options that were given."""
    words: list[str] = ["imgfix", str(context.info_name), source, "--model", model]
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name)
        if name in _UNRECORDED or given is None or given.name != "COMMANDLINE":
            continue
        value = context.params[name]
        if isinstance(value, bool):
            words.append(parameter.opts[0] if value else (parameter.secondary_opts or parameter.opts)[0])
            continue
        for one in value if isinstance(value, list | tuple) else [value]:
            words += [max(parameter.opts, key=len), str(one)]
    from imgfix.media.names import shell_word

    return " ".join(map(shell_word, words))


def never(job: Job, tick: Tick) -> Outcome:
    """The work of a batch in which nothing is left to do."""
    raise AssertionError("an item without work was worked on")


def unique(*groups: Sequence[str]) -> tuple[str, ...]:
    """The notes of several stages, each said once."""
    return tuple(dict.fromkeys(note for group in groups for note in group))

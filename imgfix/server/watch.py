"""A folder whose files are worked on as they arrive, by a pipeline that stays loaded."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgfix.errors import OutputError, UsageError
from imgfix.media.files import stamp
from imgfix.media.jobs import VIDEO_EXTENSIONS
from imgfix.pipelines import pictures
from imgfix.server.arrivals import PATIENCE, Arrivals

if TYPE_CHECKING:
    from imgfix.media.jobs import FileJob
    from imgfix.pipelines.pipeline import Pipeline


class Watch:
    """The jobs for what arrives in a folder, each given once.

    What was done is remembered by its result: a file whose result exists is left out, as with `skip_existing`, so that
    a watch which is started again goes on where it was. With `overwrite` it is left out only while the result is not
    older than the file.

    Args:
        pipeline: with an `output` for many files.
        folder: where files arrive.
        settle: seconds for which a file has to stay as it is.
        patience: settle times after which one that does not open is given all the same, with its error.

    Raises:
        UsageError: the folder is not there, or the output does not suit.
    """

    def __init__(self, pipeline: Pipeline[Any], folder: Path, settle: float, patience: int = PATIENCE) -> None:
        self._pipeline, self._folder, self._targets = pipeline, folder, dict[Path, Path]()
        self.left_out = 0
        """Files that were done before."""
        _check(pipeline, folder)
        self.arrivals = Arrivals(folder, pipeline.reading.recursive, settle, self._opens, patience)

    def look(self) -> Iterator[FileJob]:
        """The jobs that can be done now. Raises UsageError when the folder has gone."""
        for path in self.arrivals.look():
            (job,) = self._pipeline.arrived(self._folder, [path])
            if not self._pipeline.reading.part.holds(job.source, job.relative):
                continue
            job = self._claimed(job)
            if job.skip is not None:
                self.left_out += 1
            else:
                yield job

    def _claimed(self, job: FileJob) -> FileJob:
        """The job, with an error where its result would replace that of another file, and left out where it is done."""
        source, target = job.source, job.target
        assert isinstance(source, Path) and isinstance(target, Path)
        other = self._targets.get(target, source)
        if other != source and other.exists():
            error = OutputError(
                f"{other} and {source} would both be written to {target}", hint="use {name} in a template for `output`"
            )
            return replace(job, skip=None, error=error)
        self._targets[target] = source
        if self._pipeline.saving.overwrite and _is_newer(target, source):
            return replace(job, skip="the output exists already")
        return job

    def _opens(self, path: Path) -> bool:
        """Whether all of a picture, or the header of a video, can be read. Raises InputError."""
        from imgfix.media.video import header

        if path.suffix.lower() in VIDEO_EXTENSIONS:
            header.inspect(path)
        else:
            pictures.read(path, self._pipeline.reading.limit)
        return True


def _is_newer(target: Path, source: Path) -> bool:
    """Whether a result is there and not older than its source."""
    there, given = stamp(target), stamp(source)
    return there is not None and given is not None and there[1] >= given[1]


def _check(pipeline: Pipeline[Any], folder: Path) -> None:
    """Raise UsageError for what cannot work with any file."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="name the folder in which files arrive")
    saving = pipeline.saving
    if saving.output is None or str(saving.output) == "-":
        raise UsageError("a folder that is watched needs a place for the results", hint="name a folder with `output`")
    if pipeline.clips.frames:
        raise UsageError("`frames` is for folders that are complete, and here files arrive", hint="leave it out")
    if any(name == "n" for _, name, _, _ in string.Formatter().parse(str(saving.output))):
        raise UsageError("{n} counts through a list, and here files arrive", hint="use {stem} or {name}")
    results, inbox = _fixed_part(str(saving.output)).resolve(), folder.resolve()
    if results == inbox or (pipeline.reading.recursive and results.is_relative_to(inbox)):
        raise UsageError(
            f"results in {saving.output} would be taken for files that arrive in {folder}",
            hint="choose an `output` outside of it",
        )
    pipeline.arrived(folder, [folder / "a.png", folder / "b.png"])  # says what is wrong with the output


def _fixed_part(output: str) -> Path:
    """The folders of a template before the first name in braces."""
    return Path(output) if "{" not in output else Path(output[: output.index("{")] + "x").parent

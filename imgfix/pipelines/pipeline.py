"""What the verbs that turn files into files have in common: how their inputs are found, named, planned and run."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from imgfix.errors import InputError, MissingExtraError, ModelError, OutputError, UsageError
from imgfix.pipelines import pages, pictures, record
from imgfix.pipelines.loaded import Loaded
from imgfix.pipelines.models import Choice, Listener, Models
from imgfix.pipelines.moving import work
from imgfix.pipelines.options import ClipOptions, Machine, Reading, Saving
from imgfix.pipelines.result import Plan, Progress, Result, Runner, unseen
from imgfix.pipelines.smoothing import Smoothing

if TYPE_CHECKING:
    from imgfix.media.jobs import Job
    from imgfix.media.sources import Found
    from imgfix.pipelines.moving.moving import Moving
    from imgfix.runtime.engine import Engine

Request = TypeVar("Request")
_NUMBER = re.compile(r"\{n(:[^{}]*)?\}")
"""The place of a source in its list, in a template."""


class Pipeline(ABC, Generic[Request]):
    """One verb with all that was asked of it; made once, then used for any number of files.

    Raises UsageError, ModelError when what was asked for makes no sense or no model is there.
    """

    verb: ClassVar[str]
    unit: ClassVar[str] = "tiles"
    """What the progress of a picture is counted in; of what moves it is frames."""

    def __init__(
        self,
        request: Request,
        saving: Saving | None = None,
        clips: ClipOptions | None = None,
        machine: Machine | None = None,
        reading: Reading | None = None,
        listener: Listener | None = None,
        loaded: Loaded | None = None,
    ) -> None:
        """loaded: models that other pipelines left ready."""
        self.request, self.saving, self.clips = request, saving or Saving(), clips or ClipOptions()
        self.machine, self.reading, self.listener = machine or Machine(), reading or Reading(), listener or Listener()
        self.models = Models(self.machine, self.listener, loaded)
        self.alone = True
        """There is one input, so that a folder of masks holds one for each of its frames."""
        self.names: Mapping[str, str] = {}
        """What files are called in records, where that is not their path."""
        self.elsewhere = 0
        """Jobs that were found and belong to other shards."""
        self.passed: list[str] = []
        """What folders and globs held besides, a phrase for each kind."""
        self.smoothing = Smoothing(self.clips, self.models)
        self.check()
        self.clips.check()

    # -- what each verb says -------------------------------------------------------------------------------------------

    @abstractmethod
    def check(self) -> None:
        """Read the request and settle the model. Raises UsageError, ModelError."""

    @abstractmethod
    def suffix(self, kind: str) -> str:
        """Behind the stem of a result that stands beside its source."""

    def variables(self, kind: str) -> Mapping[str, object]:
        """For output templates."""
        return {}

    @abstractmethod
    def prepare(self, kinds: Iterable[str], dry: bool = False) -> None:
        """Open what is needed for these kinds of sources, so that what is wrong is said before any work.

        dry: only plans will be made; a model that is missing is not fetched. Raises ModelError, DownloadError.
        """

    @abstractmethod
    def _plan_picture(self, source: Any, target: Any, relative: Path | None) -> Plan: ...

    @abstractmethod
    def _run_picture(
        self, source: Any, target: Any, relative: Path | None, progress: Progress, keep: bool
    ) -> Result: ...

    @abstractmethod
    def _plan_moving(self, moving: Moving, kind: str, relative: Path | None) -> Plan: ...

    @abstractmethod
    def _run_moving(self, moving: Moving, kind: str, relative: Path | None, progress: Progress) -> Result: ...

    # -- what all do ---------------------------------------------------------------------------------------------------

    def kind(self, source: Any, target: Any = None) -> str:
        """`video`, `animation`, `frames` or `image`: what a source is worked on as."""
        return work.kind_of(source, target, self.clips, self.saving)

    def plan(self, source: Any, target: Any = None, relative: Path | None = None) -> Plan:
        """What the work on a source would take. Arguments and errors as of `run`; nothing is written."""
        kind = self.kind(source, target)
        if kind == work.IMAGE:
            if pages.count(source, target, self.saving.for_pictures.format) > 1:
                return pages.plan(lambda page: self._plan_picture(page, target, relative), source)
            return self._plan_picture(source, target, relative)
        return self._plan_moving(self._open(kind, source, target), kind, relative)

    def run(
        self,
        source: Any,
        target: Any = None,
        *,
        relative: Path | None = None,
        progress: Progress = unseen,
        keep: bool = False,
    ) -> Result:
        """Do the work on one source.

        Args:
            source: a path, the bytes of a picture file, or a `Picture`.
            target: a path, a binary stream, or None for nothing but memory (then with `keep`).
            relative: the source's place below the folder it was found in, for masks that are paired by name.
            progress: told (done, total).
            keep: also give the picture back, in `Result.picture`.

        Raises:
            ImgfixError: any of the family.
        """
        kind = self.kind(source, target)
        if kind == work.IMAGE:
            number = pages.count(source, target, self.saving.for_pictures.format)
            if number > 1:
                return pages.run(
                    lambda page, part, told, kept: self._run_picture(page, part, relative, told, kept),
                    source, target, number, progress, keep,
                )  # fmt: skip
            return self._run_picture(source, target, relative, progress, keep)
        return self._run_moving(self._open(kind, source, target), kind, relative, progress)

    def jobs(self, inputs: Sequence[str | Path]) -> list[Job]:
        """What the inputs name, each with its target; clashes are found here, before any work. Raises UsageError.

        Of a shard, its own jobs; clashes with those of others are found all the same.
        """
        sources = None if self.clips.frames else self._sources_of(inputs)
        found = self._placed(inputs if sources is None else sources, self.saving)
        self.passed = sources.passed.words if sources is not None else []
        self.alone = len(found) == 1
        mine = [job for job in found if self.reading.part.holds(job.source, job.relative)]
        self.elsewhere = len(found) - len(mine)
        return [self._with_extras(job) for job in mine]

    def placed(self, found: Found) -> list[Job]:
        """The jobs for sources that were found. Raises UsageError."""
        return [self._with_extras(job) for job in self._placed(found, self.saving)]

    def _with_extras(self, job: Job) -> Job:
        """The same, with an error where its format needs an extra that is not here."""
        from imgfix.media import formats

        if job.error is not None or job.skip is not None or not isinstance(job.target, Path):
            return job
        asked = self.saving.for_pictures.format
        form = formats.find(asked) if asked is not None else formats.by_extension(job.target)
        try:
            if form is not None and form.sink is not None:
                form.check_writing()
        except MissingExtraError as error:
            return replace(job, error=error)
        return job

    def _sources_of(self, inputs: Sequence[str | Path]) -> Found:
        """The sources that the inputs name, without what imgfix made of them earlier."""
        from imgfix.media import jobs
        from imgfix.media.earlier import earlier_results

        found = jobs.find_sources(inputs, recursive=self.reading.recursive, kinds=(jobs.IMAGE, jobs.VIDEO))
        results = earlier_results(found.sources)
        found.sources = [source for source in found.sources if source.path not in results]
        found.passed.results += len(results)
        return found

    def arrived(self, folder: Path, files: Sequence[Path]) -> list[Job]:
        """The jobs for some files of a folder, each as `jobs` of the whole folder would give it.

        Clashes are found among these files only. Raises UsageError.
        """
        from imgfix.media.sources import Found, Source

        self.alone = False
        sources = [Source(file, file.relative_to(folder), discovered=True) for file in files]
        return self._placed(Found(sources, several=True), self.saving)

    def _placed(self, inputs: Sequence[str | Path] | Found, saving: Saving) -> list[Job]:
        if self.clips.frames:
            if not isinstance(inputs, Sequence):
                raise UsageError("`frames` is for folders that are complete", hint="leave it out")
            return folders(inputs, saving, self.suffix(work.VIDEO))
        from imgfix.media import jobs

        return jobs.plan(
            inputs,
            saving.output,
            recursive=self.reading.recursive,
            suffix=self.suffix,
            kinds=(jobs.IMAGE, jobs.VIDEO),
            target_format=saving.format,
            overwrite=saving.overwrite,
            skip_existing=saving.skip_existing,
            variables=self.variables,
        )

    def jobs_of(self, sources: Sequence[Any], several: bool) -> list[Job]:
        """The same for sources that were handed over one by one, some of them perhaps without a name.

        several: they are many, so that `output` is a folder or a template even if there is one. Raises UsageError.
        """
        from imgfix.media.jobs import Job

        found: list[Job] = []
        for number, source in enumerate(sources, start=1):
            saving = self.saving
            if several and "{" not in str(saving.output):
                saving = replace(saving, output=f"{str(saving.output).rstrip('/')}/")
            elif several:
                saving = replace(saving, output=_numbered(str(saving.output), number))
            if isinstance(source, Path) and not source.exists():
                error = InputError(f"{source}: no such file", hint="check the path")
                found.append(Job(source, Path(str(saving.output)), Path(source.name), error=error))
            elif isinstance(source, Path):
                found += self._placed([source], saving)
            else:
                found.append(nameless(saving, number))
        places = [str(job.target) for job in found if isinstance(job.target, Path) and job.error is None]
        if len(set(places)) < len(places):
            raise UsageError("two results would be written to one file", hint="use {n} in a template for `output`")
        self.alone = len(sources) == 1
        return found

    def _open(self, kind: str, source: Any, target: Any) -> Moving:
        return work.open_moving(kind, source, target, self.clips, self.saving, self.reading.limit)

    def _record(
        self, source: Any, model: str, engine: Engine | str | None, request: Request | None = None
    ) -> dict[str, Any] | None:
        """How a result is made; engine: that of the model, or a method without one; request: other than what was asked
        for."""
        if not self.saving.record:
            return None
        machine, clips, descriptor = self.machine, self.clips, None
        if engine is not None and not isinstance(engine, str):
            descriptor = engine.descriptor
            if engine.placement.engine != "torch":
                machine = replace(machine, engine=engine.placement.engine)  # what `auto` took
        if self.smoothing.name is not None:  # the command is to give the same frames where another model is the best
            clips = replace(clips, smooth_model=self.smoothing.name)
        return record.of(
            self.verb, pictures.name_of(source), model, descriptor, request or self.request, self.saving, clips,
            machine,
            names=self.names,
        )  # fmt: skip


def runner_of(engine: Engine) -> Runner:
    """The model of an engine, and where it runs."""
    where = engine.placement
    return Runner(engine.descriptor.name, str(where.device), where.precision, where.engine)


def unseen_model(choice: Choice) -> ModelError:
    """The error for what cannot be planned before the model is on this machine."""
    return ModelError(
        f"{choice.name} is not here yet, and nothing can be said without it", hint=f"imgfix weights pull {choice.name}"
    )


def folders(inputs: Sequence[str | Path], saving: Saving, suffix: str) -> list[Job]:
    """One job for each input folder, whose pictures are the frames of a clip. Raises UsageError."""
    from imgfix.media.jobs import Job

    found = []
    for word in inputs:
        folder = Path(word)
        if not folder.is_dir():
            raise UsageError(f"`frames` takes folders of numbered pictures, and {word} is none", hint="name a folder")
        if saving.output is None:
            target = folder.with_name(folder.name + suffix)
        else:
            target = Path(saving.output) / folder.name if len(inputs) > 1 else Path(saving.output)
        error, skip = None, None
        if target.is_dir() and any(target.iterdir()) and not saving.overwrite:
            if saving.skip_existing:
                skip = "the output folder holds something already"
            else:
                error = OutputError(f"{target} holds something already", hint="use `overwrite` or another `output`")
        found.append(Job(folder, target, Path(folder.name), work.FRAMES, skip, error))
    return found


def nameless(saving: Saving, number: int) -> Job:
    """The job for a source without a name: to the file that `output` names, or by its number to a folder."""
    from imgfix.media import formats
    from imgfix.media.jobs import Job, Stdin

    extension = formats.find(saving.format).extensions[0] if saving.format else ".png"
    output = str(saving.output)
    target = Path(output)
    if "{" in output:
        try:
            target = Path(output.format(n=number, stem=f"{number:04d}", ext=extension, name="", parent=".", model=""))
        except (KeyError, ValueError, IndexError) as error:
            raise UsageError(f"the output template '{output}' cannot be filled: {error}", hint="use {n}") from None
    elif output.endswith("/") or target.is_dir():
        target = target / f"{number:04d}{extension}"
    elif not target.suffix:
        target = target.with_name(target.name + extension)
    problem, skip = None, None
    if target.exists() and saving.skip_existing:
        skip = "the output exists already"
    elif target.exists() and not saving.overwrite:
        problem = OutputError(f"{target} exists already", hint="use `overwrite`, `skip_existing` or another `output`")
    return Job(Stdin(), target, Path("stdin"), skip=skip, error=problem)


def _numbered(template: str, number: int) -> str:
    return _NUMBER.sub(lambda found: found[0].format(n=number), template)

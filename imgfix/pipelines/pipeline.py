"""What the verbs that turn files into files have in common: how their inputs are found, named, planned and run."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from imgfix.errors import (
    ImgfixError,
    InputError,
    MissingExtraError,
    ModelError,
    NothingFound,
    OutputError,
    UsageError,
)
from imgfix.pipelines import pages, pictures, recipes, record, steps
from imgfix.pipelines.loaded import Loaded
from imgfix.pipelines.models import Listener, Models
from imgfix.pipelines.moving import work
from imgfix.pipelines.options import ClipOptions, Machine, Reading, Saving
from imgfix.pipelines.result import Facts, FileFacts, Plan, Progress, Result, Runner, joined, unseen, values_in
from imgfix.pipelines.smoothing import Smoothing

if TYPE_CHECKING:
    from imgfix.media.jobs import FileJob
    from imgfix.media.picture import Picture
    from imgfix.media.sources import FoundSources
    from imgfix.pipelines.choosing import SideFiles
    from imgfix.pipelines.moving.moving import Moving
    from imgfix.pipelines.moving.parts import Seen
    from imgfix.pipelines.moving.shared import SharedClip
    from imgfix.pipelines.steps import MovingStep
    from imgfix.runtime.engine import Engine

Request = TypeVar("Request")
T = TypeVar("T")
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
        self.loaded = loaded
        self.before: tuple[Pipeline[Any], ...] = ()
        """Steps that are done first in the same pass."""
        self.called: str | None = None
        """Of a step of a recipe: what errors call it."""
        self.signed: Callable[[str, Sequence[Mapping[str, Any]]], dict[str, Any]] | None = None
        """Of the last step of a recipe: the record of the whole, from the source's name and the record of each step."""
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

    def _moving_step(self, moving: Moving, kind: str, relative: Path | None, dry: bool) -> MovingStep:
        """The work on something that moves; dry: only a plan is made."""
        raise NotImplementedError  # of verbs that take single pictures `refuse_moving` refuses

    def refuse_moving(self, source: Any) -> None:
        """Raise UsageError where what is asked for is not done to what moves."""

    def not_here(self, kind: str) -> Facts | None:
        """What can be said of something that moves before the model is on this machine; None where it is."""
        return None

    def check_target(self, target: Any, picture: Picture) -> None:
        """Whether what a step makes of a picture can be written to a target. Raises OutputError."""

    def fitting(self, saving: Saving) -> Saving:
        """How results are written, where what is made of a picture does not fit into the format of its source."""
        return saving

    def results_of(self, target: Path) -> list[Path]:
        """The files that hold the result of a job, of those that are there."""
        return [target]

    def side_files(self, overwrite: bool) -> SideFiles | None:
        """What is written beside each result."""
        return None

    # -- what all do ---------------------------------------------------------------------------------------------------

    def kind(self, source: Any, target: Any = None) -> str:
        """`video`, `animation`, `frames` or `image`: what a source is worked on as."""
        return work.kind_of(source, target, self.clips, self.saving)

    def plan(self, source: Any, target: Any = None, relative: Path | None = None) -> Plan:
        """What the work on a source would take. Arguments and errors as of `run`; nothing is written."""
        kind = self.kind(source, target)
        if kind == work.IMAGE:
            if pages.count(source, target, self.saving.for_pictures.format) > 1:
                return pages.plan(lambda page: self._plan_one(page, target, relative), source)
            return self._plan_one(source, target, relative)
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
                    lambda page, part, told, kept: self._run_one(page, part, relative, told, kept),
                    source, target, number, progress, keep,
                )  # fmt: skip
            return self._run_one(source, target, relative, progress, keep)
        return self._run_moving(self._open(kind, source, target), kind, relative, progress)

    # -- a clip on several processes -----------------------------------------------------------------------------------

    def shared(self, source: Any, target: Any, relative: Path | None = None) -> SharedClip | None:
        """The work on a source, to be done in parts; None: it is no video file. Arguments and errors as of `run`."""
        from imgfix.pipelines.moving.shared import SharedClip
        from imgfix.pipelines.moving.video import VideoFile

        if self.kind(source, target) != work.VIDEO:
            return None
        moving = self._open(work.VIDEO, source, target)
        assert isinstance(moving, VideoFile)
        whole = steps.chained(self._moving_steps(moving, work.VIDEO, relative, dry=False))
        if whole.idle and self._stays(moving, work.VIDEO):
            return None
        moving.check(whole.task.size(*moving.size))
        between = self.smoothing.between()
        return SharedClip(moving.clip, whole.task, work.job_of(whole.model, whole.binding, between), between)

    def finish(self, source: Any, target: Any, seen: Seen, relative: Path | None = None) -> Result:
        """Put the parts together that others have made, and make those that are missing. Arguments as of `run`.

        seen: what who divided it saw.
        """
        moving = self._open(work.VIDEO, source, target)
        moving.clip.seen = seen  # type: ignore[attr-defined]
        return self._run_moving(moving, work.VIDEO, relative, unseen)

    # -- several steps in one pass -------------------------------------------------------------------------------------

    @property
    def steps(self) -> tuple[Pipeline[Any], ...]:
        """All that is done in one pass, in order."""
        return (*self.before, self)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Errors meanwhile say which step of a recipe they came from."""
        try:
            yield
        except ImgfixError as error:
            if self.called is None:
                raise
            raise error.within(self.called, recipes.public) from error

    def if_found(self, find: Callable[[], T], instead: str) -> tuple[T | None, tuple[str, ...]]:
        """What is looked for; None and a note where a step of a recipe finds nothing, since the others go on.

        instead: what is done then, for the note. Raises NothingFound where it is all that was asked for.
        """
        try:
            return find(), ()
        except NothingFound as error:
            if self.called is None:
                raise
            return None, (f"{error.message}; {instead}",)

    def _run_one(self, source: Any, target: Any, relative: Path | None, progress: Progress, keep: bool) -> Result:
        """Do all steps on one picture."""
        if not self.before and self.signed is None:
            return self._run_picture(source, target, relative, progress, keep)
        carried = pictures.Carried(source, pictures.read(source, self.reading.limit))
        results: list[Result] = []
        for number, step in enumerate(self.steps):
            last = step is self
            with step._named():
                step.check_target(target, carried.picture)
                told = steps.part_of(progress, number, len(self.steps))
                results.append(
                    step._run_picture(carried, target if last else None, relative, told, keep if last else True)
                )
            if not last:
                carried = carried.after(results[-1])
                results[-1] = replace(results[-1], picture=None)
        whole = steps.together(results)
        return whole if self.signed is None else replace(whole, **self._of_recipe(results))

    def _plan_one(self, source: Any, target: Any, relative: Path | None) -> Plan:
        """What all steps on one picture would take; each sees the picture as it is, in the size it would have."""
        if not self.before and self.signed is None:
            return self._plan_picture(source, target, relative)
        carried = pictures.Carried(source, pictures.read(source, self.reading.limit))
        plans: list[Plan] = []
        for step in self.steps:
            with step._named():
                step.check_target(target, carried.picture)
                plans.append(step._plan_picture(carried, target if step is self else None, relative))
            carried = replace(carried, picture=steps.as_planned(carried.picture, plans[-1].output))
        whole = steps.planned(plans)
        if self.signed is None:
            return whole
        return replace(whole, **self._of_recipe(plans), tiles=None, tile=None, windows=None)

    def _of_recipe(self, facts: Sequence[Facts]) -> dict[str, Any]:
        """Fields of what is said of a recipe: verb and facts of each step, and nothing twice."""
        verbs = tuple(
            (step.verb, replace(each, notes=(), clip=None, frames=None))
            for step, each in zip(self.steps, facts, strict=True)
        )
        alone = {"runner": None, "restored": None, "content": None, "coverage": None, "things": ()}
        return {"summary": (), "steps": verbs, **alone}

    def _moving_steps(self, moving: Moving, kind: str, relative: Path | None, dry: bool) -> list[MovingStep]:
        """The work of all steps on something that moves."""
        found: list[MovingStep] = []
        for step in self.steps:
            with step._named():
                stage = step._moving_step(moving, kind, relative, dry)
            size, made = moving.size, stage.task.size(*moving.size)
            found.append(replace(stage, facts=replace(stage.facts, input=FileFacts(*size), output=FileFacts(*made))))
            moving = cast("Moving", steps.AfterStep(moving, found[-1].task, dry))
        return found

    def _run_moving(self, moving: Moving, kind: str, relative: Path | None, progress: Progress) -> Result:
        stages = self._moving_steps(moving, kind, relative, dry=False)
        whole = steps.chained(stages)
        facts = whole.facts if self.signed is None else self._told(stages, whole)
        if whole.idle and self._stays(moving, kind):
            return work.copy(moving, facts, progress)
        if whole.quality is not None:
            _write_at(moving, whole.quality)
        records = [stage.record for stage in stages if stage.record is not None]
        done = work.run(
            moving, whole.task, facts, model=whole.model, binding=whole.binding,
            record=self._written(moving.source, records), between=self.smoothing.between(), listener=self.listener,
            progress=progress, announce=not self.clips.resume and kind == work.VIDEO,
        )  # fmt: skip
        return replace(done, notes=joined(done.notes, *(step.afterwards() for step in self.steps)))

    def _plan_moving(self, moving: Moving, kind: str, relative: Path | None) -> Plan:
        for step in self.steps:
            told = step.not_here(kind)
            if told is not None:
                if kind != work.VIDEO:
                    assert told.runner is not None
                    raise unseen_model(told.runner.model)
                return work.plan_unseen(moving, told)
        stages = self._moving_steps(moving, kind, relative, dry=True)
        whole = steps.chained(stages)
        facts = whole.facts if self.signed is None else self._told(stages, whole)
        if whole.idle and self._stays(moving, kind):
            size = FileFacts(*moving.shown)
            return Plan(**values_in(replace(facts, input=size, output=size, copied=True)))
        return work.plan(moving, whole.task, facts, self.smoothing.between(dry=True))

    def afterwards(self) -> Sequence[str]:
        """What is to be said of something that moves once its frames are made."""
        return ()

    def _told(self, stages: Sequence[MovingStep], whole: MovingStep) -> Facts:
        """What is said of a recipe on something that moves."""
        return replace(whole.facts, **self._of_recipe([stage.facts for stage in stages]))

    def _stays(self, moving: Moving, kind: str) -> bool:
        """Whether something that moves is copied where nothing is left to do."""
        return False

    def _saving(self, source: Any) -> Saving:
        """How the picture of a source is written."""
        saving = self.saving.for_pictures
        wanted = source.quality if isinstance(source, pictures.Carried) else None
        return saving if saving.quality is not None or wanted is None else replace(saving, quality=wanted)

    def _written(self, source: Any, records: Sequence[Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
        """How a result is made, as its file says; records: of each step, the last one's own behind those before."""
        known = [record for record in records if record is not None]
        if not known:
            return None
        return known[-1] if self.signed is None else self.signed(pictures.name_of(source), known)

    def _signature(self, source: Any, own: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """The same for the picture of a source; own: the record of this step."""
        earlier = source.records if isinstance(source, pictures.Carried) else ()
        return self._written(source, [*earlier, own])

    # -- jobs ----------------------------------------------------------------------------------------------------------

    def jobs(self, inputs: Sequence[str | Path]) -> list[FileJob]:
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

    def placed(self, found: FoundSources) -> list[FileJob]:
        """The jobs for sources that were found. Raises UsageError."""
        return [self._with_extras(job) for job in self._placed(found, self.saving)]

    def _with_extras(self, job: FileJob) -> FileJob:
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

    def _sources_of(self, inputs: Sequence[str | Path]) -> FoundSources:
        """The sources that the inputs name, without what imgfix made of them earlier."""
        from imgfix.media import jobs
        from imgfix.media.earlier import earlier_results

        found = jobs.find_sources(inputs, recursive=self.reading.recursive, kinds=(jobs.IMAGE, jobs.VIDEO))
        results = earlier_results(found.sources)
        found.sources = [source for source in found.sources if source.path not in results]
        found.passed.results += len(results)
        return found

    def arrived(self, folder: Path, files: Sequence[Path]) -> list[FileJob]:
        """The jobs for some files of a folder, each as `jobs` of the whole folder would give it.

        Clashes are found among these files only. Raises UsageError.
        """
        from imgfix.media.sources import FoundSources, Source

        self.alone = False
        sources = [Source(file, file.relative_to(folder), discovered=True) for file in files]
        return self._placed(FoundSources(sources, several=True), self.saving)

    def _placed(self, inputs: Sequence[str | Path] | FoundSources, saving: Saving) -> list[FileJob]:
        if self.clips.frames:
            if not isinstance(inputs, Sequence):
                raise UsageError("`frames` is for folders that are complete", hint="leave it out")
            return folders(inputs, saving, self.suffix(work.VIDEO))
        from imgfix.media import jobs

        for step in self.steps:
            saving = step.fitting(saving)
        found = jobs.plan(
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
        for step in self.steps:
            side = step.side_files(saving.overwrite)
            if side is not None:
                side.check(len(found))
        return found

    def jobs_of(self, sources: Sequence[Any], several: bool, afar: Sequence[Path] = ()) -> list[FileJob]:
        """The same for sources that were handed over one by one, some of them perhaps without a name.

        several: they are many, so that `output` is a folder or a template even if there is one. afar: those of them
        that are fetched later. Raises UsageError.
        """
        from imgfix.media.jobs import FileJob
        from imgfix.media.sources import FoundSources, Source

        found: list[FileJob] = []
        for number, source in enumerate(sources, start=1):
            saving = self.saving
            if several and "{" not in str(saving.output):
                saving = replace(saving, output=f"{str(saving.output).rstrip('/')}/")
            elif several:
                saving = replace(saving, output=_numbered(str(saving.output), number))
            if isinstance(source, Path) and source in afar:
                found += self._placed(FoundSources([Source(source, Path(source.name))]), saving)
            elif isinstance(source, Path) and not source.exists():
                error = InputError(f"{source}: no such file", hint="check the path")
                found.append(FileJob(source, Path(str(saving.output)), Path(source.name), error=error))
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
        for step in self.steps:
            with step._named():
                step.refuse_moving(source)
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


def unseen_model(name: str) -> ModelError:
    """The error for what cannot be planned before the model is on this machine."""
    return ModelError(f"{name} is not here yet, and nothing can be said without it", hint=f"imgfix weights pull {name}")


def _write_at(moving: Moving, quality: int) -> None:
    """Frames that were JPEGs with artefacts are not given them again."""
    from imgfix.pipelines.moving.folder import FrameFolder

    if isinstance(moving, FrameFolder) and moving.quality is None:
        moving.quality = quality


def folders(inputs: Sequence[str | Path], saving: Saving, suffix: str) -> list[FileJob]:
    """One job for each input folder, whose pictures are the frames of a clip. Raises UsageError."""
    from imgfix.media.jobs import FileJob

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
        found.append(FileJob(folder, target, Path(folder.name), work.FRAMES, skip, error))
    return found


def nameless(saving: Saving, number: int) -> FileJob:
    """The job for a source without a name: to the file that `output` names, or by its number to a folder."""
    from imgfix.media import formats
    from imgfix.media.jobs import FileJob, Stdin

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
    return FileJob(Stdin(), target, Path("stdin"), skip=skip, error=problem)


def _numbered(template: str, number: int) -> str:
    return _NUMBER.sub(lambda found: found[0].format(n=number), template)

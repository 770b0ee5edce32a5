"""The verbs that turn files into files, on the command line: what the inputs name, done one after the other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from imgfix.cli import batch, options
from imgfix.cli.batch import Item
from imgfix.cli.console import Tick
from imgfix.cli.listening import ConsoleListener
from imgfix.cli.outcomes import outcome
from imgfix.cli.report import Outcome, Report
from imgfix.errors import UsageError
from imgfix.pipelines.moving.work import IMAGE
from imgfix.pipelines.pictures import Stream
from imgfix.pipelines.remote import Afar, Store, is_url
from imgfix.pipelines.streaming import JobStream, opened, stream
from imgfix.pipelines.tally import Aside
from imgfix.runtime import interrupts

if TYPE_CHECKING:
    from imgfix.media.jobs import FileJob
    from imgfix.pipelines.pipeline import Pipeline

STREAM = "-"


@dataclass(frozen=True)
class Invocation:
    """A verb with its options, read from a command line and not carried out yet."""

    kind: type[Pipeline[Any]]
    request: Any
    saving: options.Saving
    clips: options.ClipOptions
    machine: options.Machine
    reading: options.Reading
    reporting: options.Reporting

    def pipeline(self, skip_existing: bool) -> Pipeline[Any]:
        """The pipeline for it. Raises UsageError, ModelError."""
        saving = replace(self.saving, skip_existing=skip_existing)
        listener = ConsoleListener(self.reporting.console)
        return self.kind(self.request, saving, self.clips, self.machine, self.reading, listener)


_INSTEAD: ContextVar[Callable[[Invocation], int] | None] = ContextVar("instead", default=None)


@contextmanager
def handed_to(other: Callable[[Invocation], int]) -> Iterator[None]:
    """Meanwhile a verb that is invoked reads its options and hands them over instead of working on its inputs."""
    token = _INSTEAD.set(other)
    try:
        yield
    finally:
        _INSTEAD.reset(token)


def done(pipeline: Pipeline[Any], job: FileJob, tick: Tick) -> Outcome:
    """Do the work of a job. Raises ImgfixError."""
    source, target = _places(job)
    sink = target if isinstance(target, Path) else sys.stdout.buffer
    return outcome(pipeline.run(source or _emptied(job), sink, relative=job.relative, progress=tick))


def work(
    kind: type[Pipeline[Any]],
    inputs: Sequence[str],
    request: Any,
    saving: options.Saving,
    clips: options.ClipOptions,
    machine: options.Machine,
    reading: options.Reading,
    reporting: options.Reporting,
) -> int:
    """Do what a verb does with all that its inputs name; returns the exit code. Raises UsageError, ModelError."""
    instead = _INSTEAD.get()
    if instead is not None:
        if reading.ray is not None or is_url(saving.output):
            raise UsageError("--ray and URLs are for a verb that is run by itself", hint="leave them out here")
        return instead(Invocation(kind, request, saving, clips, machine, reading, reporting))
    check_streams(saving.output, reporting)
    if STREAM in inputs and sys.stdin.isatty():
        raise UsageError("'-' reads a picture from stdin, but nothing is piped in", hint="imgfix ... - < photo.jpg")
    console = reporting.console
    console.starting()
    named = [*inputs, saving.output]
    store = Store(named, machine.offline) if any(map(is_url, named)) else None
    if store is not None and is_url(saving.output):
        saving = replace(saving, output=store.local(str(saving.output)))
    pipeline = kind(request, saving, clips, machine, reading, ConsoleListener(console))
    if store is None:
        return _Batch(pipeline, None, stream(pipeline, inputs), reading, reporting).run(inputs)
    if reading.ray is not None:
        raise UsageError("--ray works on files that all machines see", hint="fetch them, or use --shard")
    return _Batch(cast("Pipeline[Any]", Afar(pipeline, store)), store, None, reading, reporting).run(inputs)


@dataclass(frozen=True)
class _Batch:
    """All that the inputs of a command name. store: fetches and stores URLs. found: inputs that are met on the way."""

    pipeline: Pipeline[Any]
    store: Store | None
    found: JobStream | None
    reading: options.Reading
    reporting: options.Reporting

    def run(self, inputs: Sequence[str]) -> int:
        """Do all of it, or plan it; returns the exit code."""
        pipeline, found, dry = self.pipeline, self.found, self.reporting.dry_run
        jobs = pipeline.jobs(inputs) if found is None else []
        items = [self._item(job) for job in jobs]
        self._check_stdout(items)
        report = Report(self.reporting.console, self.reporting.json)
        if found is None and all(item.problem or item.skipped for item in items):  # no need to load anything
            return batch.run(items, batch.never, report.console, report, aside=pipeline)
        if self.reading.ray is not None and not dry:
            jobs.sort(key=lambda job: job.error is None)
            return _spread(pipeline, found or jobs, self.reading, report, found or pipeline)
        doing = self._plan if dry else self._run
        if found is not None or self.store is not None:
            ready = opened(pipeline, jobs if found is None else found, dry)
            total = len(jobs) if found is None else None
            come = (self._item(job, kind) for job, kind in ready)
            return batch.run(come, doing, report.console, report, pipeline.unit, found or pipeline, total)
        kinds = {
            item.source: pipeline.kind(*_places(item.job)) for item in items if not (item.problem or item.skipped)
        }  # fmt: skip
        pipeline.prepare(kinds.values(), dry=dry)
        items = [replace(item, unit=None if kinds.get(item.source, IMAGE) == IMAGE else "frames") for item in items]
        return batch.run(items, doing, report.console, report, unit=pipeline.unit, aside=pipeline)

    def _item(self, job: FileJob, kind: str | None = IMAGE) -> Item[FileJob]:
        store = self.store
        source, target = ((store and store.url(place)) or _name(place) for place in (job.source, job.target))
        return Item(source, target, job, job.error, job.skip, None if kind in (IMAGE, None) else "frames")

    def _check_stdout(self, items: Sequence[Item[FileJob]]) -> None:
        if not any(item.target == STREAM for item in items) or self.reporting.dry_run:
            return
        if self.reporting.json:
            raise UsageError("--json and a picture on stdout do not mix", hint="write the picture to a file with -o")
        if sys.stdout.isatty():
            raise UsageError("a picture would be written to the terminal", hint="name a file with -o, or pipe it on")

    def _plan(self, job: FileJob, tick: Tick) -> Outcome:
        source, target = _places(job)
        return outcome(self.pipeline.plan(source or _emptied(job), target, job.relative))

    def _run(self, job: FileJob, tick: Tick) -> Outcome:
        return done(self.pipeline, job, tick)


def _spread(
    pipeline: Pipeline[Any], jobs: list[FileJob] | JobStream, reading: options.Reading, report: Report, aside: Aside
) -> int:
    """The same on workers."""
    from imgfix.cluster.run import on_ray

    def told(answer: Any, tick: Tick) -> Outcome:
        return outcome(answer.given(pipeline.listener))

    total = len(jobs) if isinstance(jobs, list) else None
    with closing(on_ray(pipeline, jobs, str(reading.ray), reading.worker_cores, interrupts.check)) as answers:
        items = (Item(_name(job.source), _name(job.target), answer, job.error, job.skip) for job, answer in answers)
        return batch.run(items, told, report.console, report, unit=pipeline.unit, aside=aside, total=total)


def check_streams(output: str | None, reporting: options.Reporting) -> None:
    """Raise UsageError when JSON and a picture would both go to stdout."""
    if reporting.json and output == STREAM:
        raise UsageError("--json and -o - both want stdout", hint="write the picture to a file, or leave --json out")


def _places(job: FileJob) -> tuple[Path | None, Path | None]:
    """Source and target of a job; None for a stream."""
    source, target = job.source, job.target
    return source if isinstance(source, Path) else None, target if isinstance(target, Path) else None


def _emptied(job: FileJob) -> Stream:
    """What is in the pipe of a job; a pipe can be emptied once only."""
    assert not isinstance(job.source, Path)
    return Stream.of(job.source.read(), str(job.source), job.source.path)


def _name(place: object) -> str:
    from imgfix.media.sources import Stdin

    if isinstance(place, Stdin):
        place = place.path
    return str(place) if isinstance(place, Path) else STREAM

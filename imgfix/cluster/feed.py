"""What workers are handed: files, and parts of clips, which are put together once all of them are made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from imgfix.cluster.orders import Answer, Task
from imgfix.cluster.pool import LATER, Later
from imgfix.errors import ImgfixError, MemoryExhaustedError, UsageError
from imgfix.media.video import parts, segments
from imgfix.pipelines.moving.parts import Dividing, Opening

if TYPE_CHECKING:
    from imgfix.media.jobs import FileJob

Done = tuple["FileJob", Answer | None]
"""A job and what became of it; None: nothing was to be done."""
EACH = 8
"""Parts of a long clip for each worker, so that all of them end at about the same time."""
_CLIPS = 2
"""Clips that are worked on in parts at a time."""


@dataclass
class _Clip:
    """One that is worked on in parts."""

    task: Task
    opening: Opening
    dividing: Dividing
    lock: ExitStack
    began: float
    out: int = 0
    """Parts that workers have."""
    begun: bool = False
    """Whether there were any."""
    over: bool = False
    """No more parts are to be made."""
    finishing: bool = False
    error: ImgfixError | None = None

    def next(self) -> Task | None:
        """A part to be made, or what is to be done once all are."""
        part = None if self.over or self.finishing else self.dividing.next()
        if part is not None and (self.begun or part.end is not None):
            self.out, self.begun = self.out + 1, True
            return replace(self.task, part=part)
        if part is None and not (self.over or self.dividing.ended):
            return None
        if self.out or self.finishing:
            return None
        self.dividing.stop()
        self.finishing = True
        return replace(self.task, part=self.dividing.seen)


class Feed:
    """The tasks that jobs become. An iterator: of tasks, of jobs that nothing is to be done for, and of `LATER`.

    workers: how many there is room for.
    """

    def __init__(self, jobs: Iterable[FileJob], workers: Callable[[], int]) -> None:
        self._jobs, self._workers = iter(jobs), workers
        self._known: dict[int, FileJob] = {}
        """By the number of the first task for each; not done yet."""
        self._first: dict[int, int] = {}
        """Number of a task -> that of the first one for the same job."""
        self._clips: dict[int, _Clip] = {}
        self._count = 0

    def __iter__(self) -> Iterator[Task | FileJob | Later]:
        return self

    def __next__(self) -> Task | FileJob | Later:
        for number, clip in self._clips.items():
            task = clip.next()
            if task is not None:
                return self._numbered(task, number)
        job = next(self._jobs, None) if len(self._clips) < _CLIPS else None
        if job is None:
            if self._known:  # any of them may turn out to be a clip with parts
                return LATER
            raise StopIteration
        if job.error is not None or job.skip is not None:
            return job
        if not (isinstance(job.source, Path) and isinstance(job.target, Path)):
            raise UsageError("`ray` works on files, not on pipes", hint="name files, and a folder with `output`")
        self._known[self._count] = job
        return self._numbered(Task(0, job.source, job.target, job.relative), self._count)

    def _numbered(self, task: Task, first: int) -> Task:
        number = self._count
        self._count += 1
        self._first[number] = first
        return replace(task, number=number)

    def job(self, task: Task) -> FileJob:
        """That of a task which is not done."""
        return self._known[self._first[task.number]]

    @property
    def unfinished(self) -> list[FileJob]:
        """The jobs that were begun and are not done."""
        return list(self._known.values())

    def answered(self, task: Task, answer: Answer) -> Iterator[tuple[FileJob, Answer]]:
        """Take what became of a task; gives the job with its answer, once it is done."""
        first = self._first.pop(task.number)
        clip = self._clips.get(first)
        if clip is None and answer.opening is not None:
            try:
                self._clips[first] = self._opened(task, answer.opening)
                return
            except ImgfixError as error:
                answer = Answer(error=error)
        elif clip is not None and not clip.finishing:
            clip.out -= 1
            clip.over = clip.over or answer.error is not None or not answer.fits
            if isinstance(answer.error, MemoryExhaustedError):  # one worker after the other would be lost over it
                clip.error = answer.error
            if clip.error is None or clip.out:
                return
            answer = Answer(error=clip.error)
        if clip is not None:
            del self._clips[first]
            if answer.result is not None:
                answer = replace(answer, result=replace(answer.result, seconds=time.monotonic() - clip.began))
            if clip.error is not None:
                _leave(clip, clip.error)
            clip.lock.close()
        yield self._known.pop(first), answer

    def _opened(self, task: Task, opening: Opening) -> _Clip:
        with ExitStack() as stack:
            stack.enter_context(segments.alone(task.target))
            dividing = Dividing(opening, EACH * self._workers())
            return _Clip(task, opening, dividing, stack.pop_all(), time.monotonic())

    def close(self, error: BaseException | None = None) -> None:
        """Leave the clips as they are; the error is told what is kept. All workers have ended."""
        for clip in self._clips.values():
            clip.dividing.stop()
            _leave(clip, error)
            clip.lock.close()
        self._clips = {}


def _leave(clip: _Clip, error: BaseException | None) -> None:
    """Keep of a clip what is finished, and say so; where nothing is, nothing is left behind."""
    target = clip.task.target
    kept = parts.tidy(target)
    if not kept:
        segments.remove(target)
        for folder in clip.opening.made:
            with suppress(OSError):
                folder.rmdir()
    elif error is not None:
        words = f"{kept} frames are finished and kept in {segments.folder_of(target)}; `resume` goes on with them"
        if isinstance(error, ImgfixError):
            error.add_hint(words)
        else:
            error.add_note(words)

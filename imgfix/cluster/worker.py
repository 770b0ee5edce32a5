"""What a worker does: it makes the pipeline once, keeps its models, and works on one file after the other."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from imgfix import __version__
from imgfix.cluster.orders import Answer, Order, Said, Task
from imgfix.errors import UsageError, understood
from imgfix.media import files
from imgfix.pipelines.models import Listener, ModelChoice, announcement
from imgfix.pipelines.moving.parts import Seen
from imgfix.pipelines.moving.work import VIDEO

if TYPE_CHECKING:
    from imgfix.pipelines.moving.shared import SharedClip
    from imgfix.runtime.device import Placement
    from imgfix.zoo.descriptor import Descriptor


class Heard(Listener):
    """Keeps what a pipeline says, so that it can be said elsewhere."""

    def __init__(self) -> None:
        self._lines: list[Said] = []

    def taken(self) -> tuple[Said, ...]:
        """What was said since the last time."""
        lines, self._lines = tuple(self._lines), []
        return lines

    def announced(self, model: Descriptor, placement: Placement, choice: ModelChoice) -> None:
        """See `Listener.announced`."""
        self.said(announcement(model, placement))
        self.detail(placement.why)

    def said(self, text: str) -> None:
        """See `Listener.said`."""
        self._lines.append(Said("said", text))

    def detail(self, text: str) -> None:
        """See `Listener.detail`."""
        self._lines.append(Said("detail", text))

    def warned(self, text: str) -> None:
        """See `Listener.warned`."""
        self._lines.append(Said("warned", text))


class Worker:
    """Carries out an order, file by file.

    mark: goes into the names of temporary files, so that those of a worker that was lost can be found.
    """

    def __init__(self, order: Order, mark: str = "") -> None:
        self._order, self._heard = order, Heard()
        self._ready: set[str] = set()
        self._clip: tuple[Path, Path, SharedClip | None] | None = None
        """The last one of which parts were made."""
        files.mark_temporary(mark)

    def begin(self) -> Answer:
        """Make the pipeline. The answer has no result; its error is one of the whole order."""
        return self._answer(self._begin)

    def run(self, task: Task) -> Answer:
        """Work on a file; every error is in the answer."""
        return self._answer(lambda: self._run(task))

    def _answer(self, work: Callable[[], Answer]) -> Answer:
        try:
            answer = work()
        except Exception as error:
            return Answer(None, understood(error), self._heard.taken())
        return replace(answer, said=self._heard.taken())

    def _begin(self) -> Answer:
        if self._order.version != __version__:
            raise UsageError(
                f"a worker has imgfix {__version__}, and this is {self._order.version}",
                hint="install one version on all machines",
            )
        try:
            os.chdir(self._order.folder)
        except OSError as error:
            raise UsageError(
                f"{self._order.folder} is not there on a machine of the cluster: {error.strerror}",
                hint="work in a folder on storage that all machines share",
            ) from error
        self._pipeline = self._order.pipeline(self._heard)
        return Answer()

    def _run(self, task: Task) -> Answer:
        kind = self._pipeline.kind(task.source, task.target)
        if kind not in self._ready:
            self._pipeline.prepare([kind])
            self._ready.add(kind)
        if isinstance(task.part, Seen):
            self._clip = None
            return Answer(self._pipeline.finish(task.source, task.target, task.part, task.relative))
        clip = self._shared(task) if kind == VIDEO else None
        if clip is not None and task.part is not None:
            return Answer(fits=clip.make(task.part))
        opening = clip.open(lambda text: self._heard.said(f"{task.source}: {text}")) if clip is not None else None
        if opening is not None:
            return Answer(opening=opening)
        return Answer(self._pipeline.run(task.source, task.target, relative=task.relative))

    def _shared(self, task: Task) -> SharedClip | None:
        """The clip of a task, the same for all its parts."""
        if self._clip is None or self._clip[:2] != (task.source, task.target) or task.part is None:
            clip = self._pipeline.shared(task.source, task.target, task.relative)
            self._clip = task.source, task.target, clip
        return self._clip[2]

"""What goes to a worker and comes back from it: plain records, which any way of sending objects can carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from imgfix import __version__
from imgfix.errors import ImgfixError
from imgfix.pipelines.models import Listener
from imgfix.pipelines.moving.parts import Opening, Part, Seen
from imgfix.pipelines.options import ClipOptions, Machine, Reading, Saving, given
from imgfix.pipelines.pipeline import Pipeline
from imgfix.pipelines.result import Result


@dataclass(frozen=True)
class Order:
    """A verb with all that was asked of it, and where it was asked."""

    kind: type[Pipeline[Any]]
    request: Any
    saving: Saving
    clips: ClipOptions
    machine: Machine
    reading: Reading
    folder: Path
    """The working folder, from which relative paths count; on a cluster it is on storage that all machines share."""
    alone: bool
    """See `Pipeline.alone`."""
    version: str = __version__

    @classmethod
    def of(cls, pipeline: Pipeline[Any]) -> Order:
        """That of a pipeline."""
        return cls(
            type(pipeline), plain(pipeline.request), plain(pipeline.saving), plain(pipeline.clips),
            plain(pipeline.machine), plain(pipeline.reading), Path.cwd(), pipeline.alone,
        )  # fmt: skip

    def pipeline(self, listener: Listener) -> Pipeline[Any]:
        """A pipeline that carries it out. Raises UsageError, ModelError."""
        made = self.kind(self.request, self.saving, self.clips, self.machine, self.reading, listener)
        made.alone = self.alone
        return made


def plain(record: Any) -> Any:
    """A record as the pipelines define it, without what a command line adds: neither typer nor help is sent."""
    kinds = [kind for kind in type(record).__mro__ if kind.__module__.startswith("imgfix.pipelines.")]
    kind = max((each for each in kinds if is_dataclass(each)), key=lambda each: len(fields(each)))
    names = {field.name for field in fields(kind)}
    # What is at its default stays so: a command line may spell it in another way, and records tell what was asked.
    return kind(**{name: value for name, value in given(record) if name in names})


@dataclass(frozen=True)
class Task:
    """One file to work on, or a part of one."""

    number: int
    """By which its answer is known."""
    source: Path
    target: Path
    relative: Path
    part: Part | Seen | None = None
    """Some frames of a clip, or what was seen of one whose parts are to be put together; None: the file."""


@dataclass(frozen=True)
class Said:
    """Something that a pipeline told its listener."""

    level: str
    """`said`, `detail` or `warned`."""
    text: str


@dataclass(frozen=True)
class Answer:
    """What became of a task."""

    result: Result | None = None
    error: ImgfixError | None = None
    said: Sequence[Said] = ()
    interrupted: BaseException | None = None
    """What ended the run before there was an answer."""
    opening: Opening | None = None
    """The file is a clip, of which parts can be made."""
    fits: bool = True
    """Of a part: the next one can follow."""

    def say(self, listener: Listener) -> None:
        """Say again all that was said."""
        for said in self.said:
            {"said": listener.said, "detail": listener.detail, "warned": listener.warned}[said.level](said.text)

    def given(self, listener: Listener) -> Result:
        """The result, after all that was said has been said again. Raises what the work raised."""
        self.say(listener)
        if self.interrupted is not None:
            raise self.interrupted
        if self.error is not None:
            raise self.error
        assert self.result is not None
        return self.result

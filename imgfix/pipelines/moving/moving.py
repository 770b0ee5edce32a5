"""The protocol of what moves, and what its three kinds have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from imgfix.errors import UsageError
from imgfix.media.video.reader import TimeRange
from imgfix.pipelines.options import ClipOptions, given
from imgfix.pipelines.result import ClipFacts, FileFacts, Progress
from imgfix.tasks.interpolate import Between
from imgfix.tasks.sequence import Estimate, SequenceTask

Say = Callable[[str], None]


@dataclass(frozen=True)
class Done:
    """What became of something that moves."""

    frames: int
    size: tuple[int, int]
    """Width and height of the result."""
    notes: tuple[str, ...] = ()
    resumed: int | None = None
    """Frames of an earlier, interrupted run among them."""


class Moving(Protocol):
    """Something of many frames, and where its result goes; looked at, nothing written before `run`."""

    @property
    def source(self) -> Path:
        """The file or folder that is read."""

    @property
    def target(self) -> Path:
        """The one that is written."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    @property
    def count(self) -> int:
        """Frames; 0: not known."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames as they are worked on."""

    @property
    def shown(self) -> tuple[int, int]:
        """The same as a viewer shows them, turned upright."""

    @property
    def multiple(self) -> tuple[int, int]:
        """What width and height of the result have to be multiples of."""

    @property
    def time_range(self) -> TimeRange:
        """The part of the file that is worked on."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know before the work."""

    @property
    def ignored(self) -> tuple[str, ...]:
        """Options that mean nothing to it, in a sentence."""

    @property
    def details(self) -> ClipFacts | None:
        """What goes with the pictures of a video file."""

    def frames(self) -> Iterator[np.ndarray]:
        """The frames as a task is given them, from the first on at every call. Raises InputError."""
        ...

    def rough(self) -> Iterator[np.ndarray]:
        """As many frames of the same size, good for a look at colours; not made by a network."""
        ...

    def lay(self, picture: np.ndarray) -> np.ndarray:
        """A picture (H, W, ...) as a viewer shows it -> the same as the frames lie."""
        ...

    def files(self) -> list[tuple[Path, Path]]:
        """Every file that is read, and the one that is written for it."""
        ...

    def input(self) -> FileFacts:
        """What is read."""
        ...

    def output(self, size: tuple[int, int]) -> FileFacts:
        """What is written, for frames of a size."""
        ...

    def check(self, size: tuple[int, int]) -> None:
        """Whether frames of that size can be written. Raises UsageError."""
        ...

    def check_end(self) -> None:
        """Whether it is whole, as far as can be told without the work. Raises InputError, as `run` would."""
        ...

    def whole(self, task: SequenceTask, between: Between | None = None) -> Estimate | None:
        """What all of it takes, where the task can tell what a frame takes."""
        ...

    def run(
        self,
        task: SequenceTask,
        job: Mapping[str, object],
        record: Mapping[str, object] | None,
        progress: Progress,
        say: Say,
        between: Between | None = None,
    ) -> Done:
        """Do the work and write the target.

        job: everything that the frames of the result depend on besides the source. record: how it was made. say: told
        how the work begins, where an earlier run left something. between: makes the frames between frames that its
        options ask for. Raises InputError, OutputError.
        """
        ...


class Frames:
    """What holds for frames that lie as they are shown and may be of any size."""

    source: Path
    target: Path
    multiple = (1, 1)
    notes: tuple[str, ...] = ()
    details: ClipFacts | None = None

    def frames(self) -> Iterator[np.ndarray]:
        """See `Moving.frames`."""
        raise NotImplementedError

    def rough(self) -> Iterator[np.ndarray]:
        """See `Moving.rough`."""
        return self.frames()

    def lay(self, picture: np.ndarray) -> np.ndarray:
        """See `Moving.lay`."""
        return picture

    def files(self) -> list[tuple[Path, Path]]:
        """See `Moving.files`."""
        return [(self.source, self.target)]

    def check(self, size: tuple[int, int]) -> None:
        """See `Moving.check`."""

    def check_end(self) -> None:
        """See `Moving.check_end`."""


def per_frame(task: SequenceTask, size: tuple[int, int], count: int) -> Estimate | None:
    """What so many frames take one after the other."""
    frame = task.estimate(*size)
    return None if frame is None else replace(frame, seconds=frame.seconds * count)


def whole_factor(options: ClipOptions, source: Path) -> int:
    """How many frames are made of each of something that is no video file. Raises UsageError for a rate."""
    if options.pacing.rate is not None:
        raise UsageError(
            f"{source} is no video file, and `smooth` auto with `fps` is for those alone",
            hint="give a factor, such as `smooth` 2",
        )
    return options.pacing.factor


def left_out(options: ClipOptions) -> tuple[str, ...]:
    """Options that say nothing to animated pictures and folders."""
    video_only = ("codec", "crf", "preset", "pix_fmt", "fps", "encoder_option", "resume", "deinterlace")
    names = [name for name, _ in given(options)]
    words = [f"`{name}`" for name in video_only if name in names]
    return (f"{' '.join(words)}: only for video files, left out",) if words else ()

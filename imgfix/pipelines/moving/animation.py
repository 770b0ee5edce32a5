"""An animated picture through a `SequenceTask`, and written in a format that moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path

import numpy as np

from imgfix.errors import InputError
from imgfix.media import animation as animations
from imgfix.media.animation import Animation
from imgfix.media.files import atomic_stream
from imgfix.media.video.reader import TimeRange
from imgfix.pipelines import pictures
from imgfix.pipelines.moving.moving import Done, Frames, Say, left_out, per_frame
from imgfix.pipelines.options import ClipOptions, Saving
from imgfix.pipelines.result import FileFacts, Progress
from imgfix.tasks.sequence import Estimate, SequenceTask, stages


class AnimatedFile(Frames):
    """An animated picture and its target. Raises InputError: not readable, no frame in the part asked for."""

    def __init__(
        self, source: Path, target: Path, options: ClipOptions, saving: Saving, max_pixels: int | None
    ) -> None:
        self.animation = animations.inspect(source, max_pixels)
        self.source, self.target, self.saving, self.options = source, target, saving, options
        self.name, self.notes = str(source), self.animation.notes
        self.size = self.shown = (self.animation.width, self.animation.height)
        start, end = options.seconds
        self.time_range = TimeRange(start, end)
        self.part = part(self.animation, start, end)
        self.count = self.part[1] - self.part[0]
        self.ignored = left_out(options)

    def frames(self) -> Iterator[np.ndarray]:
        """See `Moving.frames`."""
        return animations.frames(self.animation, *self.part)

    def input(self) -> FileFacts:
        """See `Moving.input`."""
        return FileFacts(*self.size, format=self.animation.format, duration=self.animation.seconds)

    def output(self, size: tuple[int, int]) -> FileFacts:
        """See `Moving.output`."""
        return FileFacts(*size, bytes=pictures.bytes_written(self.target))

    def whole(self, task: SequenceTask) -> Estimate | None:
        """See `Moving.whole`."""
        return per_frame(task, self.size, self.count)

    def run(
        self,
        task: SequenceTask,
        job: Mapping[str, object],
        record: Mapping[str, object] | None,
        progress: Progress,
        say: Say,
    ) -> Done:
        """See `Moving.run`."""
        first, last = self.part
        durations = self.animation.durations[first:last]
        form = animations.form_for(self.target, self.animation.format, self.saving.format)
        assert form is not None
        count = 0

        def made() -> Iterator[np.ndarray]:
            nonlocal count
            for one in stages(task, self.frames()):
                count += 1
                progress(count, len(durations))
                yield one.frame

        with atomic_stream(self.target) as stream:
            animations.write(stream, form, made(), self.animation, durations, self.saving.quality, record)
        return Done(count, task.size(*self.size), self.animation.notes)


def part(animation: Animation, start: float | None, end: float | None) -> tuple[int, int]:
    """First frame, and the one after the last, that is shown between two moments. Raises InputError: there is none."""
    begins = [0.0, *accumulate(duration / 1000 for duration in animation.durations)]
    shown = [
        number
        for number in range(len(animation.durations))
        if begins[number] >= (start or 0) - 1e-9 and (end is None or begins[number] < end)
    ]
    if not shown:
        raise InputError(
            f"{animation.path} is {animation.seconds:.2f} seconds long and has no frame in that part",
            hint="choose another `start` and `end`",
        )
    return shown[0], shown[-1] + 1

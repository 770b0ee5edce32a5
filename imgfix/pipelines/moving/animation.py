"""An animated picture through a `SequenceTask`, and written in a format that moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path

import numpy as np

from imgfix.errors import InputError
from imgfix.media import animation as animations
from imgfix.media import image
from imgfix.media.animation import Animation
from imgfix.media.files import atomic_stream
from imgfix.media.video.pacing import split
from imgfix.media.video.reader import TimeRange
from imgfix.pipelines import pictures
from imgfix.pipelines.moving.moving import Done, Frames, Say, left_out, per_frame, whole_factor
from imgfix.pipelines.options import ClipOptions, Saving
from imgfix.pipelines.result import FileFacts, Progress
from imgfix.tasks.interpolate import Between
from imgfix.tasks.sequence import Estimate, SequenceTask, stages
from imgfix.tasks.smooth import Smooth, evenly


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
        self.ignored = left_out(options)
        form = animations.form_for(target, self.animation.format, saving.format)
        # GIF counts hundredths of a second, and viewers show a frame of less than two of them for ten.
        unit, shortest = (10, 20) if form == "GIF" else (1, 1)
        factor = whole_factor(options, source)
        shown = self.animation.durations[slice(*self.part)]
        self.durations = [split(duration, factor, unit, shortest) for duration in shown]
        """Milliseconds of each frame, and of those that are made between it and the next."""
        self.count = sum(map(len, self.durations))
        if self.count < factor * len(self.durations):
            self.notes += (f"frames that are too short for {form} to divide are not divided by {factor}",)

    def frames(self) -> Iterator[np.ndarray]:
        """See `Moving.frames`."""
        return animations.frames(self.animation, *self.part)

    def input(self) -> FileFacts:
        """See `Moving.input`."""
        return FileFacts(*self.size, format=self.animation.format, duration=self.animation.seconds)

    def output(self, size: tuple[int, int]) -> FileFacts:
        """See `Moving.output`."""
        return FileFacts(*size, bytes=pictures.bytes_written(self.target))

    def check(self, size: tuple[int, int]) -> None:
        """See `Moving.check`. Raises OutputError: the format holds no frames of that size."""
        form = animations.form_for(self.target, self.animation.format, self.saving.format)
        if form is not None:
            image.check_size(form, *size, self.target)

    def check_end(self) -> None:
        """See `Moving.check_end`; of one that is cut off, the frames that are there are a result, with a note."""

    def whole(self, task: SequenceTask, between: Between | None = None) -> Estimate | None:
        """See `Moving.whole`."""
        return per_frame(self._smoothed(task, between), self.size, len(self.durations))

    def _smoothed(self, task: SequenceTask, between: Between | None) -> SequenceTask:
        if between is None:
            return task
        places = [evenly(len(parts)) for parts in self.durations]
        return Smooth(task, between, places.__getitem__, self.count / len(self.durations))

    def run(
        self,
        task: SequenceTask,
        job: Mapping[str, object],
        record: Mapping[str, object] | None,
        progress: Progress,
        say: Say,
        between: Between | None = None,
    ) -> Done:
        """See `Moving.run`."""
        durations = [part for parts in self.durations for part in parts]
        form = animations.form_for(self.target, self.animation.format, self.saving.format)
        assert form is not None
        count = 0

        def made() -> Iterator[np.ndarray]:
            nonlocal count
            for one in stages(self._smoothed(task, between), self.frames()):
                count += 1
                progress(count, len(durations))
                yield one.frame

        with atomic_stream(self.target) as stream:
            animations.write(stream, form, made(), self.animation, durations, self.saving.quality, record)
        return Done(count, task.size(*self.size), self.notes)


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

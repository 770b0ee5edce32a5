"""A folder of numbered pictures through a `SequenceTask`: every result is a file with the metadata of its source."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from imgfix.errors import InputError
from imgfix.media import image, jobs
from imgfix.media.picture import Metadata, Picture
from imgfix.media.video.reader import TimeRange
from imgfix.pipelines.moving.moving import Done, Frames, Say, left_out, per_frame, whole_factor
from imgfix.pipelines.options import ClipOptions, Saving
from imgfix.pipelines.result import FileFacts, Progress
from imgfix.tasks.interpolate import Between
from imgfix.tasks.sequence import Estimate, SequenceTask, stages
from imgfix.tasks.smooth import Smooth, evenly


class FrameFolder(Frames):
    """A folder whose pictures are the frames of one clip, and the folder of results.

    Raises UsageError: it holds none; InputError: one cannot be read, or differs from the first in size or depth.
    """

    def __init__(
        self, source: Path, target: Path, options: ClipOptions, saving: Saving, max_pixels: int | None
    ) -> None:
        planned = jobs.plan([source], f"{target}/", target_format=saving.format, overwrite=True)
        for each in planned:
            if each.error is not None:
                raise each.error
        self.source, self.target, self.saving, self.limit = source, target, saving, max_pixels
        self.pairs = [(Path(str(each.source)), Path(str(each.target))) for each in planned]
        self.header = image.inspect(self.pairs[0][0])
        self.factor = whole_factor(options, source)
        self.name, self.time_range, self.count = str(source), TimeRange(), self.factor * len(self.pairs)
        self.size = self.shown = (self.header.width, self.header.height)
        self.ignored = left_out(options)
        self.quality = saving.quality
        """At which pictures of lossy formats are written; None: each at its own."""

    def files(self) -> list[tuple[Path, Path]]:
        """See `Moving.files`."""
        return self.pairs

    def frames(self) -> Iterator[np.ndarray]:
        """See `Moving.frames`."""
        for source, _ in self.pairs:
            picture = image.read(source, max_pixels=self.limit)
            check_frame(picture, source)
            yield as_frame(picture)

    def input(self) -> FileFacts:
        """See `Moving.input`."""
        return FileFacts(*self.size, format=self.header.format)

    def output(self, size: tuple[int, int]) -> FileFacts:
        """See `Moving.output`."""
        return FileFacts(*size)

    def check(self, size: tuple[int, int]) -> None:
        """See `Moving.check`. Raises OutputError: the format holds no pictures of that size."""
        target = self.pairs[0][1]
        image.check_size(image.for_target(target, self.header.format, self.saving.format).name, *size, target)

    def check_end(self) -> None:
        """See `Moving.check_end`; every frame is read."""
        for _ in self.frames():
            pass

    def whole(self, task: SequenceTask, between: Between | None = None) -> Estimate | None:
        """See `Moving.whole`."""
        return per_frame(self._smoothed(task, between), self.size, len(self.pairs))

    def _smoothed(self, task: SequenceTask, between: Between | None) -> SequenceTask:
        return task if between is None else Smooth(task, between, lambda number: evenly(self.factor), self.factor)

    def targets(self) -> list[Path]:
        """The file of each frame of the result: named as its source, or, where frames are added, numbered anew."""
        named = [target for _, target in self.pairs]
        if self.factor == 1:
            return named
        found = re.fullmatch(r"(.*?)(\d+)", named[0].stem)
        stem, first = (found[1], found[2]) if found is not None else (f"{named[0].stem}_", "0001")
        width = max(len(first), len(str(int(first) + self.count)))
        return [
            named[number // self.factor].with_name(f"{stem}{int(first) + number:0{width}d}{named[0].suffix}")
            for number in range(self.count)
        ]

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
        waiting: deque[tuple[int, Metadata]] = deque()
        first: Picture | None = None

        def pixels() -> Iterator[np.ndarray]:
            nonlocal first
            for source, _ in self.pairs:
                picture = image.read(source, max_pixels=self.limit)
                check_frame(picture, source)
                first = first or picture
                if (picture.width, picture.height, picture.pixels.dtype, picture.alpha is None) != (
                    first.width, first.height, first.pixels.dtype, first.alpha is None,
                ):  # fmt: skip
                    raise InputError(
                        f"{source} does not fit {self.pairs[0][0]}: size, depth and transparency of frames must agree",
                        hint="leave out `frames` to work on each picture for itself",
                    )
                waiting.append((picture.channels, picture.metadata))
                yield as_frame(picture)

        size, targets = (0, 0), self.targets()
        channels, metadata = 3, Metadata()
        for number, made in enumerate(stages(self._smoothed(task, between), pixels())):
            if number % self.factor == 0:
                channels, metadata = waiting.popleft()
            size = (made.frame.shape[1], made.frame.shape[0])
            colours = np.ascontiguousarray(made.frame[..., :3] if channels == 3 else made.frame[..., 1:2])
            alpha = np.ascontiguousarray(made.frame[..., 3]) if made.frame.shape[2] == 4 else None
            image.write(
                targets[number], Picture(colours, alpha, metadata), format=self.saving.format,
                quality=self.quality, record=record,
            )  # fmt: skip
            progress(number + 1, self.count)
        return Done(self.count, size)


def check_frame(picture: Picture, source: Path) -> None:
    """Raise InputError for a picture whose colours are no RGB or grey."""
    if picture.channels == 4:
        raise InputError(f"{source} is CMYK", hint="convert the frames to RGB first")


def as_frame(picture: Picture) -> np.ndarray:
    """A picture as tasks take frames: (H, W, 3), or (H, W, 4) with alpha."""
    colours = np.repeat(picture.pixels, 3, axis=2) if picture.channels == 1 else picture.pixels
    return colours if picture.alpha is None else np.dstack([colours, picture.alpha])

"""An animated picture, or a folder of numbered frames, through a `SequenceTask`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np

from imgfix.errors import InputError
from imgfix.media import animation as animations
from imgfix.media import image
from imgfix.media.animation import Animation
from imgfix.media.files import atomic_stream
from imgfix.media.picture import Metadata, Picture
from imgfix.tasks.sequence import SequenceTask, stages

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Moved:
    """What became of an animated picture or a folder."""

    frames: int
    size: tuple[int, int]
    notes: tuple[str, ...] = ()


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
            hint="choose another --start and --end",
        )
    return shown[0], shown[-1] + 1


def run(
    animation: Animation,
    target: Path,
    format: str,
    task: SequenceTask,
    *,
    start: float | None = None,
    end: float | None = None,
    quality: int | None = None,
    record: Mapping[str, object] | None = None,
    progress: Progress | None = None,
) -> Moved:
    """Work on an animated picture and write it in a format that moves.

    Raises InputError, OutputError.
    """
    first, last = part(animation, start, end)
    durations = animation.durations[first:last]
    count = 0

    def made() -> Iterator[np.ndarray]:
        nonlocal count
        for one in stages(task, animations.frames(animation, first, last)):
            count += 1
            if progress is not None:
                progress(count, len(durations))
            yield one.frame

    with atomic_stream(target) as stream:
        animations.write(stream, format, made(), animation, durations, quality, record)
    return Moved(count, task.size(animation.width, animation.height), animation.notes)


def check_frame(picture: Picture, source: Path) -> None:
    """Raise InputError for a picture whose colours are no RGB or grey."""
    if picture.channels == 4:
        raise InputError(f"{source} is CMYK", hint="convert the frames to RGB first")


def as_frame(picture: Picture) -> np.ndarray:
    """A picture as tasks take frames: (H, W, 3), or (H, W, 4) with alpha."""
    colours = np.repeat(picture.pixels, 3, axis=2) if picture.channels == 1 else picture.pixels
    return colours if picture.alpha is None else np.dstack([colours, picture.alpha])


def run_folder(
    sources: list[Path],
    targets: list[Path],
    task: SequenceTask,
    *,
    format: str | None = None,
    quality: int | None = None,
    record: Callable[[Path], dict[str, object] | None] | None = None,
    max_pixels: int | None = image.DEFAULT_MAX_PIXELS,
    progress: Progress | None = None,
) -> Moved:
    """Work on numbered frames as one clip; every result is a file of its own, with the metadata of its source.

    Raises InputError when a frame has another size or depth than the first, or colours that are no RGB or grey.
    """
    waiting: deque[tuple[int, Metadata]] = deque()
    first: Picture | None = None

    def pixels() -> Iterator[np.ndarray]:
        nonlocal first
        for source in sources:
            picture = image.read(source, max_pixels=max_pixels)
            check_frame(picture, source)
            first = first or picture
            if (picture.width, picture.height, picture.pixels.dtype, picture.alpha is None) != (
                first.width, first.height, first.pixels.dtype, first.alpha is None,
            ):  # fmt: skip
                raise InputError(
                    f"{source} does not fit {sources[0]}: size, depth and transparency of frames must agree",
                    hint="leave out --frames to work on each picture for itself",
                )
            waiting.append((picture.channels, picture.metadata))
            yield as_frame(picture)

    size = (0, 0)
    for number, made in enumerate(stages(task, pixels())):
        channels, metadata = waiting.popleft()
        size = (made.frame.shape[1], made.frame.shape[0])
        colours = np.ascontiguousarray(made.frame[..., :3] if channels == 3 else made.frame[..., 1:2])
        alpha = np.ascontiguousarray(made.frame[..., 3]) if made.frame.shape[2] == 4 else None
        image.write(
            targets[number], Picture(colours, alpha, metadata), format=format, quality=quality,
            record=record(sources[number]) if record is not None else None,
        )  # fmt: skip
        if progress is not None:
            progress(number + 1, len(sources))
    return Moved(len(sources), size)

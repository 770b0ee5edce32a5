"""The frames of something that moves, for a look at them before the work: a clip, an animated picture, a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from imgfix.media import animation as animations
from imgfix.media import image
from imgfix.media.animation import Animation
from imgfix.media.video.reader import Cut
from imgfix.tasks.animation import as_frame, check_frame, part
from imgfix.tasks.clip import Clip


def _as_it_is(picture: np.ndarray) -> np.ndarray:
    return picture


@dataclass(frozen=True)
class Footage:
    """Frames that can be gone through again and again, as a task will be given them."""

    name: str
    frames: Callable[[], Iterator[np.ndarray]]
    """Begins anew at every call; the frames are those of `imgfix.tasks.sequence.SequenceTask.run`."""
    shown: tuple[int, int]
    """Width and height as a viewer shows them, turned upright."""
    lay: Callable[[np.ndarray], np.ndarray] = _as_it_is
    """A picture (H, W, ...) as a viewer shows it -> the same as the frames lie."""
    cut: Cut = field(default_factory=Cut)
    """The part of the file that they are."""
    clip: Clip | None = None


def of_clip(clip: Clip) -> Footage:
    """Those of a video file."""

    def frames() -> Iterator[np.ndarray]:
        for frame in clip.reader.frames():
            yield frame.pixels

    reader = clip.reader
    return Footage(str(clip.source), frames, reader.shown, reader.laid, clip.settings.cut, clip)


def of_animation(animation: Animation, start: float | None = None, end: float | None = None) -> Footage:
    """Those of an animated picture. Raises InputError: it has none in that part."""
    first, last = part(animation, start, end)
    size = animation.width, animation.height
    return Footage(
        str(animation.path), lambda: animations.frames(animation, first, last), size, cut=Cut(start, end)
    )  # fmt: skip


def of_folder(sources: list[Path], max_pixels: int | None = image.DEFAULT_MAX_PIXELS) -> Footage:
    """Those of a folder of numbered pictures. Raises InputError."""

    def frames() -> Iterator[np.ndarray]:
        for source in sources:
            picture = image.read(source, max_pixels=max_pixels)
            check_frame(picture, source)
            yield as_frame(picture)

    header = image.inspect(sources[0])
    return Footage(str(sources[0].parent), frames, (header.width, header.height))

"""What is chosen in a clip by what it is: followed from frame to frame, and what was laid over all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imgfix.errors import OutputError, UsageError
from imgfix.media import mask as masks

if TYPE_CHECKING:
    from imgfix.pipelines.frame_masks import FrameMasks
    from imgfix.pipelines.models import Listener
    from imgfix.pipelines.moving.moving import Moving
    from imgfix.tasks.select.choose import Selector, Tools
    from imgfix.tasks.select.follow import Masks

LOSSLESS = (".mkv", ".avi")
"""Containers that take the masks of a clip as FFV1."""


def frame_at(moving: Moving, seconds: float) -> int:
    """Number of the frame that is shown at a moment of the file, among those that are worked on. Raises UsageError."""
    facts, start = moving.input(), moving.time_range.start or 0.0
    rate = facts.rate or (moving.count / facts.duration if facts.duration else None)
    if rate is None:
        raise UsageError(f"`at` is a moment, and the frames of {moving.name} have none", hint="leave it out")
    number = int((seconds - float(start)) * rate + 0.5)
    if number < 0 or (moving.count and number >= moving.count):
        raise UsageError(
            f"`at` {seconds:g} s is outside the part of {moving.name} that is worked on",
            hint="choose a moment between its `start` and `end`",
        )
    return number


def upright(moving: Moving, frame: np.ndarray) -> np.ndarray:
    """A frame as a viewer shows it, from how it lies: the way back of `Moving.lay`, whose fourth step is the first."""
    return moving.lay(moving.lay(moving.lay(frame)))


class Followed:
    """A `MaskTrack` of what was chosen.

    Args:
        moving: the clip; it is read to its end.
        choices: what is chosen, other than what was laid over the clip.
        tools: what finds it.
        least: how sure a detector has to be.
        at: seconds, where it is chosen; None: at the beginning, and what has a name again and again.
        dilate: pixels by which it is widened; None: so that no halo of it stays. Any number: whoever uses it does that.
        dry: it is not followed, every frame has the mask of the first in which it is found.

    Raises InputError: nothing of it is there; UsageError: there is no such moment.
    """

    def __init__(
        self,
        moving: Moving,
        choices: Sequence[Selector],
        tools: Tools,
        least: float | None,
        at: float | None,
        dilate: float | None,
        listener: Listener,
        dry: bool = False,
    ) -> None:
        from imgfix.tasks.select.choose import reach
        from imgfix.tasks.select.follow import EVERY, FollowRequest, follow

        self.name, self._dry = moving.name, dry
        self._reach = reach(moving.shown) if dilate is None else 0.0
        start = None if at is None else frame_at(moving, at)
        frames: Iterator[np.ndarray] = (upright(moving, frame) for frame in moving.frames())
        if dry:
            frames = islice(frames, 4 * EVERY + 1 if start is None else start + 1)
        else:
            listener.said(f"{moving.name}: what was chosen is followed through its frames first")
        self._masks: Masks = follow(frames, tools, FollowRequest(tuple(choices), least, start))
        self.digest = _digest(self._masks)

    def at(self, number: int) -> np.ndarray | None:
        """See `imgfix.pipelines.frame_masks.MaskTrack`."""
        if self._dry:
            number = self._masks.first
        elif number >= self._masks.count:
            return None
        return masks.dilate(self._masks.get(number).astype(np.float32), self._reach)


def _digest(found: Masks) -> str:
    whole = hashlib.sha256()
    for number in range(found.count):
        whole.update(np.packbits(found.get(number)).tobytes())
    return whole.hexdigest()


class Spread:
    """Keeps some of the frames that pass, spread over all of them; between `number` and twice as many."""

    def __init__(self, number: int) -> None:
        self.number, self.kept = number, list[np.ndarray]()

    def of(self, frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """The same frames."""
        step = 1
        for place, frame in enumerate(frames):
            if place % step == 0:
                self.kept.append(frame)
                if len(self.kept) == 2 * self.number:
                    self.kept, step = self.kept[::2], 2 * step
            yield frame


def laid_over(moving: Moving, dilate: float | None, tools: Tools) -> np.ndarray:
    """What was laid over a clip and stands still, (H, W) float32, upright. Raises InputError: nothing of the kind."""
    from imgfix.tasks.select.agreed import FRAMES, TRACE, joined, votes
    from imgfix.tasks.select.choose import reach
    from imgfix.tasks.select.still import not_told, standing

    some = Spread(FRAMES)
    still = standing(some.of(upright(moving, frame) for frame in moving.frames()), moving.count)
    detector = tools.overlays()
    seen = votes([detector.find(frame, TRACE) for frame in some.kept], some.kept[0].shape[:2])
    found = joined(still, seen)
    if not found.any():
        raise not_told(still)
    return masks.dilate(found.astype(np.float32), reach(moving.shown) if dilate is None else 0.0)


class SavedMasks:
    """Where the masks of a clip are written: a video without loss, or a folder that gets one picture a frame.

    given: of `save_mask`. relative: the clip's place below the folder it was found in; alone: it is the only input,
    else it gets a folder of its own. Raises OutputError: it is there already; UsageError: no such kind of file.
    """

    def __init__(self, given: str | Path, moving: Moving, relative: Path | None, alone: bool, overwrite: bool) -> None:
        from imgfix.media.sources import VIDEO_EXTENSIONS

        self.moving, place = moving, Path(given)
        if not alone:
            place = place / (relative.parent if relative is not None else "") / moving.source.stem
        self.place, self.suffix = place, place.suffix.lower() if alone else ""
        if self.suffix and self.suffix not in LOSSLESS:
            holds = "no masks without loss" if self.suffix in VIDEO_EXTENSIONS else "no masks of a clip"
            raise UsageError(
                f"`save_mask` {place}: {self.suffix} files hold {holds}",
                hint="name a folder, or a video such as masks.mkv",
            )
        if (place.is_file() or (place.is_dir() and any(place.iterdir()))) and not overwrite:
            raise OutputError(f"{place} exists", hint="add `overwrite`, or choose another `save_mask`")

    def write(self, masks_of: FrameMasks) -> None:
        """Write every mask as a viewer shows it, white = worked on. Raises OutputError."""
        from imgfix.media.video.grey import write_grey
        from imgfix.pipelines.choosing import write_mask

        frames = enumerate(self.moving.frames())
        each = (upright(self.moving, masks_of(number, frame)) for number, frame in frames)
        if self.suffix:
            rate = self.moving.input().rate or 25.0
            write_grey(self.place, ((mask * 255 + 0.5).astype(np.uint8) for mask in each), rate)
            return
        self.place.mkdir(parents=True, exist_ok=True)
        for number, mask in enumerate(each):
            write_mask(self.place / f"{number:06d}.png", mask)

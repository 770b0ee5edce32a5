"""Which part of every frame is worked on: one mask for all, a folder with one a frame, a clip of masks; a colour.

Masks and boxes are given as a viewer shows the clip, upright; the frames of a file may lie turned, with a note for
players. What comes from here lies as the frames do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from imgfix.errors import InputError, NothingFound
from imgfix.media import animation as animations
from imgfix.media import mask as masks
from imgfix.media.jobs import find_sources
from imgfix.media.mask import Size
from imgfix.media.media_type import ANIMATION, media_type
from imgfix.media.sources import IMAGE
from imgfix.media.video.reader import Reader, TimeRange
from imgfix.pipelines.moving.animation import part
from imgfix.pipelines.moving.moving import Moving


class MaskTrack(Protocol):
    """A mask for each frame."""

    name: str
    digest: str
    """Of the content: another one gives another result."""

    def at(self, number: int) -> np.ndarray | None:
        """The mask of a frame, (H, W) float32 in [0, 1], upright; None behind the last. Cheap when asked in order."""
        ...


class MaskFolder:
    """A folder of numbered mask pictures, in natural order, one a frame.

    Raises InputError: it holds none; later, when one cannot be read or has another size.
    """

    def __init__(self, folder: Path, size: Size, *, invert: bool = False, fit: bool = False) -> None:
        self.name, self.size, self.invert, self.fit = str(folder), size, invert, fit
        found = find_sources([folder]).sources
        for source in found:
            if source.error is not None:
                raise source.error
        self.paths = [source.path for source in found if isinstance(source.path, Path)]
        if not self.paths:
            raise InputError(f"{folder} holds no mask pictures", hint="put one mask for each frame into it")
        self.digest = digest_of(self.paths)

    def at(self, number: int) -> np.ndarray | None:
        """See `MaskTrack.at`."""
        if number >= len(self.paths):
            return None
        return masks.read_mask(self.paths[number], self.size, invert=self.invert, fit=self.fit).values


class MaskClip:
    """A clip or an animated picture of masks, the nth for the nth frame.

    time_range: the part of the clip it is for; the same part of the masks is taken. Raises InputError: another size.
    """

    def __init__(
        self, path: Path, size: Size, time_range: TimeRange | None = None, *, invert: bool = False, fit: bool = False
    ) -> None:
        self.name, self.size, self.invert = str(path), size, invert
        self.digest = digest_of([path])
        self._open, own, self._lossy = _opened(path, time_range or TimeRange())
        if own != size:
            masks.check_shape(self.name, own, size, fit)
        self._next, self._frames = 0, self._open(0)

    def at(self, number: int) -> np.ndarray | None:
        """See `MaskTrack.at`."""
        if number != self._next:
            self._frames = self._open(number)
        self._next = number + 1
        frame = next(self._frames, None)
        return None if frame is None else self._meaning(frame)

    def _meaning(self, frame: np.ndarray) -> np.ndarray:
        top = np.float32(np.iinfo(frame.dtype).max)
        values = frame[..., :3].max(axis=2).astype(np.float32) / top
        if self._lossy:
            # Ringing around the shapes must not make everything part of the mask.
            values = np.clip((values - 1 / 16) / (1 - 2 / 16), 0, 1).astype(np.float32)
        if frame.shape[2] == 4:
            values *= frame[..., 3].astype(np.float32) / top
        if self.invert:
            values = 1 - values
        return values if values.shape == self.size[::-1] else masks.resized(values, self.size)


Open = Callable[[int], Iterator[np.ndarray]]
"""The frames from one of a number on."""


def _opened(path: Path, time_range: TimeRange) -> tuple[Open, Size, bool]:
    """How to read the frames of a mask clip, their size, and whether their values may be a little off."""
    if media_type(path, None) == ANIMATION:
        found = animations.inspect(path)
        first, last = part(found, time_range.start, time_range.end)
        return lambda skip: animations.frames(found, first + skip, last), (found.width, found.height), False
    reader = Reader(path, time_range, upright=True)
    return lambda skip: (frame.pixels for frame in reader.frames(skip)), reader.size, True


def is_track(path: Path) -> bool:
    """Whether a mask path holds many masks: a folder, a clip, an animated picture."""
    return path.is_dir() or media_type(path, None) != IMAGE


def open_track(path: Path, footage: Moving, *, invert: bool = False, fit: bool = False) -> MaskTrack:
    """The masks of a folder, a clip or an animated picture, for the frames of a clip. Raises InputError."""
    if path.is_dir():
        return MaskFolder(path, footage.shown, invert=invert, fit=fit)
    return MaskClip(path, footage.shown, footage.time_range, invert=invert, fit=fit)


def digest_of(paths: Sequence[Path]) -> str:
    """Hash of the content of files, in order."""
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()


class FrameMasks:
    """The mask of every frame, as `imgfix.tasks.video_inpaint.VideoInpaint` takes it.

    Args:
        footage: the frames they are for.
        fixed: masks (H, W) float32 in [0, 1] for all frames, upright.
        track: one for each frame.
        colour: what is painted in it is filled, looked for in every frame. tolerance: as of `masks.from_colour`.
        dilate: pixels by which all of it is dilated, or eroded where negative.
        chosen: what was followed through the clip, a mask for each frame as well.
        whole: a mask may cover everything.
    """

    def __init__(
        self,
        footage: Moving,
        *,
        fixed: Sequence[np.ndarray] = (),
        track: MaskTrack | None = None,
        colour: tuple[int, int, int] | None = None,
        tolerance: float = masks.DEFAULT_TOLERANCE,
        dilate: float = 0.0,
        chosen: MaskTrack | None = None,
        whole: bool = False,
    ) -> None:
        self.chosen, self.whole = chosen, whole
        self.footage, self.track, self.colour, self.tolerance, self.amount = footage, track, colour, tolerance, dilate
        empty = np.zeros(footage.shown[::-1], np.float32)
        self.fixed = footage.lay(masks.combine(empty, *fixed))
        self.same = track is None and colour is None and chosen is None
        """One mask is for all frames."""
        if self.same:
            self.fixed = masks.dilate(self.fixed, dilate)

    def __call__(self, number: int, frame: np.ndarray) -> np.ndarray:
        """The mask of a frame, (H, W) float32 in [0, 1], lying as the frame does. Raises InputError: there is none."""
        found = self.track.at(number) if self.track is not None else None
        if found is None and self.track is not None:
            raise InputError(f"{self.track.name} has no mask for frame {number}", hint="give one for each frame")
        return self._joined(found, frame, number)

    def _joined(self, found: np.ndarray | None, frame: np.ndarray, number: int) -> np.ndarray:
        if self.same:
            return self.fixed
        parts = [self.fixed]
        if found is not None:
            parts.append(self.footage.lay(found))
        if self.chosen is not None and (followed := self.chosen.at(number)) is not None:
            parts.append(self.footage.lay(followed))
        if self.colour is not None:
            colours = np.ascontiguousarray(frame[..., :3])
            parts.append(masks.from_colour(colours, self.colour, self.tolerance))
        return masks.dilate(masks.combine(*parts), self.amount)

    def coverage(self) -> float:
        """The share of the clip that is filled, 0 to 1; where the mask changes, all frames are looked at.

        Raises InputError: there are more or fewer masks than frames, all are empty, one covers nearly everything.
        """
        name = self.track.name if self.track is not None else self.footage.name
        if self.same:
            masks.check(self.fixed, name, whole=self.whole)
            return masks.coverage(self.fixed)
        total, count, given = 0.0, 0, 0
        for count, frame in enumerate(self.footage.rough(), start=1):
            found = self.track.at(count - 1) if self.track is not None and given == count - 1 else None
            given += found is not None
            if found is None and self.track is not None:
                continue  # an error already, but how many frames there are has to be told
            mask = self._joined(found, frame, count - 1)
            share = masks.coverage(mask)
            if share > masks.NEARLY_ALL and not self.whole:
                masks.check(mask, f"{name}, frame {count - 1}")
            total += share
        if self.track is not None:
            self._check_count(self.track, count, given)
        if total == 0:
            self._tell_empty(name)
        return total / max(count, 1)

    def _check_count(self, track: MaskTrack, count: int, given: int) -> None:
        while given >= count and track.at(given) is not None:
            given += 1
        if given != count:
            raise InputError(
                f"{track.name} has {given} {'mask' if given == 1 else 'masks'} and {self.footage.name} {count} frames",
                hint="give one mask for each frame"
                + (
                    " of the part that is worked on"
                    if self.footage.time_range != TimeRange()
                    else ", or one picture for all"
                ),
            )

    def _tell_empty(self, name: str) -> None:
        if self.track is None:
            raise NothingFound(
                f"{name}: nothing in any frame has the colour that `color` names",
                hint="a larger `tolerance` takes colours that are farther off; an encoder changes them a little",
            )
        raise InputError(
            f"{name}: the mask is empty in every frame, nothing in it is white",
            hint=masks.POLARITY,
        )

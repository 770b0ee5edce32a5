"""Which part of a picture a command works on: mask files (paired with pictures), boxes, a colour, transparency."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgfix.errors import InputError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from imgfix.media.image import Picture
    from imgfix.media.jobs import Job
    from imgfix.media.mask import Box
    from imgfix.tasks.footage import Footage
    from imgfix.tasks.frame_masks import FrameMasks

_ENDINGS = ("", "_mask", "-mask", ".mask")
"""What a mask's stem may have behind the picture's."""


@dataclass(frozen=True)
class Region:
    """What the options of a command say about the region; several of them add up."""

    mask: Path | None = None
    """A mask for all pictures, or a folder with one for each."""
    boxes: tuple[Box, ...] = ()
    colour: tuple[int, int, int] | None = None
    tolerance: float = 12.0
    transparent: bool = False
    grow: float = 0.0
    """Pixels that the region is widened by; negative ones narrow it."""
    invert: bool = False
    fit: bool = False

    def __post_init__(self) -> None:
        if self.mask is not None and not self.mask.exists():
            raise UsageError(f"--mask {self.mask}: there is no such file or folder", hint="check the path")
        if self.invert and self.mask is None:
            raise UsageError("--invert is about --mask, and there is none", hint="leave it out, or give a mask")

    def __bool__(self) -> bool:
        return self.mask is not None or bool(self.boxes) or self.colour is not None or self.transparent

    def of(self, picture: Picture, job: Job, rgb: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """The mask of one picture, (H, W) float32 in [0, 1], and what should be said about it.

        rgb: the picture's pixels as grey or RGB, for the colour. Raises InputError: no mask of that name, another size,
        empty, covers nearly everything.
        """
        from imgfix.media import mask

        size = (picture.width, picture.height)
        parts: list[np.ndarray] = []
        notes: list[str] = []
        name = str(job.source)
        if self.mask is not None:
            path = self._mask_file(job)
            found = mask.read_mask(path, size, invert=self.invert, fit=self.fit)
            parts.append(found.values)
            notes += [f"{path}: {found.note}"] if found.note else []
            name = str(path)
        parts += [mask.from_box(box, size) for box in self.boxes]
        if self.colour is not None:
            parts.append(mask.from_colour(rgb, self.colour, self.tolerance))
        if self.transparent:
            parts.append(mask.from_alpha(picture, str(job.source)))
        region = mask.grow(mask.combine(*parts), self.grow)
        mask.check(region, name, self._remedy)
        return region, notes

    @property
    def _remedy(self) -> str:
        """What could be done about a region that is empty or the whole picture."""
        from imgfix.media.mask import POLARITY

        if self.grow:
            return f"--grow {self.grow:g} is part of it; try another number"
        if self.mask is not None:
            return POLARITY
        if self.colour is not None:
            return f"--color is matched within {self.tolerance:g} of 255; --tolerance N changes that"
        return "choose another region"

    def of_clip(self, job: Job, footage: Footage, alone: bool) -> tuple[FrameMasks, str, list[str]]:
        """The masks of a clip's frames, a hash of what the mask files hold, and what should be said about them.

        alone: it is the only input. Raises InputError: no mask of that name, another size, not readable.
        """
        from imgfix.media import mask
        from imgfix.tasks.frame_masks import FrameMasks, Track, digest_of, is_track, open_track

        fixed = [mask.from_box(box, footage.shown) for box in self.boxes]
        track: Track | None = None
        digest, notes = "", []
        if self.mask is not None:
            path = self._clip_mask(job, alone)
            if is_track(path):
                track = open_track(path, footage, invert=self.invert, fit=self.fit)
                digest = track.digest
            else:
                found = mask.read_mask(path, footage.shown, invert=self.invert, fit=self.fit)
                mask.check(found.values, str(path))
                fixed.append(found.values)
                notes += [f"{path}: {found.note}"] if found.note else []
                digest = digest_of([path])
        made = FrameMasks(
            footage, fixed=fixed, track=track, colour=self.colour, tolerance=self.tolerance, grow=self.grow
        )  # fmt: skip
        return made, digest, notes

    def _clip_mask(self, job: Job, alone: bool) -> Path:
        """The mask file, mask clip or folder of masks for a clip."""
        from imgfix.media.formats import IMAGE_EXTENSIONS
        from imgfix.media.sources import VIDEO_EXTENSIONS

        assert self.mask is not None
        if not self.mask.is_dir():
            return self.mask
        if alone:
            entries = [path for path in self.mask.iterdir() if not path.name.startswith(".")]
            if len(entries) != 1 or entries[0].stem not in self._names(job):
                return self.mask  # a mask for each frame
        return self._paired(job, IMAGE_EXTENSIONS | VIDEO_EXTENSIONS, folders=True)

    def _mask_file(self, job: Job) -> Path:
        """The one mask for all, or the one of the mask folder that lies where the picture lies in its own, by stem."""
        from imgfix.media.formats import IMAGE_EXTENSIONS

        assert self.mask is not None
        return self._paired(job, IMAGE_EXTENSIONS) if self.mask.is_dir() else self.mask

    def _names(self, job: Job) -> list[str]:
        return [job.relative.stem + ending for ending in _ENDINGS]

    def _paired(self, job: Job, extensions: frozenset[str], folders: bool = False) -> Path:
        assert self.mask is not None
        folder = self.mask / job.relative.parent
        wanted = self._names(job)
        found = sorted(
            path
            for path in (folder.iterdir() if folder.is_dir() else ())
            if (path.name in wanted if path.is_dir() else path.stem in wanted)
            and (folders if path.is_dir() else path.suffix.lower() in extensions)
        )
        if not found:
            raise InputError(
                f"{job.source}: there is no mask for it in {folder}",
                hint=f"masks are paired by name: {wanted[0]}.png or {wanted[1]}.png"
                + (f", a clip such as {wanted[0]}.mkv, or a folder {wanted[0]}/" if folders else ""),
            )
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise InputError(f"{job.source}: several masks could be meant: {names}", hint="keep one of them")
        return found[0]

"""Which part of a picture or a clip is worked on: mask files (paired with pictures), boxes, a colour, transparency."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgfix.errors import InputError, NothingFound, UsageError
from imgfix.media import mask as masks
from imgfix.pipelines.choosing import choices_of, seen
from imgfix.pipelines.followed import Followed, laid_over
from imgfix.pipelines.options import Regional
from imgfix.pipelines.pictures import name_of, origin

if TYPE_CHECKING:
    from imgfix.media.mask import Box
    from imgfix.media.picture import Picture
    from imgfix.pipelines.frame_masks import FrameMasks, MaskTrack
    from imgfix.pipelines.models import Listener
    from imgfix.pipelines.moving.moving import Moving
    from imgfix.tasks.select.choose import Selector, Tools

_ENDINGS = ("", "_mask", "-mask", ".mask")
"""What a mask's stem may have behind the picture's."""


@dataclass(frozen=True)
class Region:
    """What was asked for about the region; several of them add up."""

    mask: Path | np.ndarray | bytes | None = None
    """A mask for all pictures, or a folder with one for each; or (H, W) bool, unsigned, or float in [0, 1]."""
    boxes: tuple[Box, ...] = ()
    colour: tuple[int, int, int] | None = None
    tolerance: float = 12.0
    transparent: bool = False
    invert: bool = False
    fit: bool = False
    choices: tuple[Selector, ...] = ()
    """What is chosen by what it is."""
    dilate: float | None = None
    """Pixels by which the region is dilated, or eroded where negative; None: only what is chosen is, so that no halo of
    it stays."""
    score: float | None = None
    """How sure the detector has to be; None: as is usual for what is chosen."""
    whole: bool = False
    """Whether it may cover everything."""
    at: float | None = None
    """Seconds into a clip, where it is chosen; None: at its beginning."""

    def __post_init__(self) -> None:
        if isinstance(self.mask, Path) and not self.mask.exists():
            raise UsageError(f"`mask` {self.mask}: there is no such file or folder", hint="check the path")
        if self.invert and self.mask is None:
            raise UsageError("`invert` is about `mask`, and there is none", hint="leave it out, or give a mask")

    @classmethod
    def of_request(cls, asked: Regional, names: Sequence[str] = (), whole: bool = False) -> Region:
        """What a request says about it. names: as of `choosing.own_names`. Raises UsageError."""
        return cls(
            whole=whole,
            mask=Path(asked.mask) if isinstance(asked.mask, str) else asked.mask,
            boxes=tuple(parse_box(box) for box in asked.boxes or ()),
            colour=_colour(asked.color),
            tolerance=asked.tolerance,
            transparent=asked.alpha,
            invert=asked.invert,
            fit=asked.fit_mask,
            choices=choices_of(asked, names),
            dilate=asked.reach,
            score=asked.score,
            at=asked.moment,
        )

    def __bool__(self) -> bool:
        return self.painted or bool(self.choices)

    @property
    def painted(self) -> bool:
        """Whether any of it is said by other means than choices."""
        return self.mask is not None or bool(self.boxes) or self.colour is not None or self.transparent

    @property
    def binding(self) -> dict[str, Any]:
        """What the frames of a clip depend on, without the mask, of which the content counts and not where it lies."""
        return {**asdict(replace(self, mask=None, invert=False)), "invert": self.invert}

    def refuse_moving(self, source: object) -> None:
        """Raise UsageError for what is asked of a clip and is for single pictures."""
        if self.transparent:
            raise UsageError(
                f"{source} moves, and `alpha` is for single pictures", hint="use `mask`, `boxes` or `color` for clips"
            )

    def of_picture(
        self, picture: Picture, source: object, relative: Path | None, tools: Tools | None = None
    ) -> tuple[np.ndarray, list[str]]:
        """The mask of one picture, (H, W) float32 in [0, 1], and what should be said about it.

        source, relative: the picture's file, and its place below the folder it was found in, for masks that are paired
        by name. tools: what finds the choices. Raises InputError: no mask of that name, another size, empty, covers
        nearly everything.
        """
        size = (picture.width, picture.height)
        parts: list[np.ndarray] = []
        notes: list[str] = []
        name = name_of(source)
        if self.mask is not None:
            values, note, name = self._read(self._mask_file(source, relative), size)
            parts.append(values)
            notes += [f"{name}: {note}"] if note else []
        parts += [masks.from_box(box, size) for box in self.boxes]
        if self.colour is not None:
            parts.append(masks.from_colour(_in_rgb(picture), self.colour, self.tolerance))
        if self.transparent:
            parts.append(masks.from_alpha(picture, name_of(source)))
        whole = masks.combine(*parts) if parts else None
        if self.colour is not None and self.mask is None and whole is not None and not whole.any() and not self.choices:
            raise NothingFound(f"{name}: nothing in it has the colour that `color` names", hint=self._remedy)
        if self.choices:
            whole = self._chosen(picture, whole, tools)
        assert whole is not None
        region = masks.dilate(whole, self.dilate or 0.0)
        masks.check(region, name, self._remedy, whole=self.whole)
        return region, notes

    def given(self, source: object, relative: Path | None, size: masks.Size) -> tuple[np.ndarray, list[str]]:
        """The mask of a picture as its file has it, (H, W) float32 in [0, 1], even an empty one; and what to say of it.

        size: (width, height) of the picture. Raises InputError: no mask of that name, another size.
        """
        values, note, name = self._read(self._mask_file(source, relative), size)
        return values, [f"{name}: {note}"] if note else []

    def _chosen(self, picture: Picture, base: np.ndarray | None, tools: Tools | None) -> np.ndarray:
        from imgfix.tasks.select.choose import choose

        assert tools is not None
        found = choose(
            seen(picture), self.choices, tools, dilate=None if self.dilate is None else 0.0, least=self.score, base=base
        )
        return found.mask

    @property
    def _remedy(self) -> str:
        """What could be done about a region that is empty or the whole picture."""
        if self.dilate:
            return f"`dilate` {self.dilate:g} is part of it; try another number"
        if self.mask is not None:
            return masks.POLARITY
        if self.colour is not None:
            return f"`color` is matched within {self.tolerance:g} of 255; `tolerance` changes that"
        return "choose another region"

    def of_moving(
        self, moving: Moving, relative: Path | None, alone: bool, tools: Tools, listener: Listener, dry: bool = False
    ) -> tuple[FrameMasks, float, str, list[str]]:
        """The masks of a clip's frames, their coverage, a hash of what they hold, and what should be said about them.

        alone: it is the only input. tools: what finds the choices. dry: a plan is made, and what is chosen is not
        followed. Raises InputError: no mask of that name, another size, not readable, nothing of what was chosen.
        """
        from imgfix.pipelines.frame_masks import FrameMasks, digest_of, is_track, open_track

        fixed = [masks.from_box(box, moving.shown) for box in self.boxes]
        track: MaskTrack | None = None
        digest, notes = "", []
        if self.mask is not None:
            given = self._clip_mask(moving.source, relative, alone)
            if isinstance(given, Path) and is_track(given):
                track = open_track(given, moving, invert=self.invert, fit=self.fit)
                digest = track.digest
            else:
                values, note, name = self._read(given, moving.shown)
                masks.check(values, name, whole=self.whole)
                fixed.append(values)
                notes += [f"{name}: {note}"] if note else []
                digest = digest_of([given]) if isinstance(given, Path) else hashlib.sha256(values.tobytes()).hexdigest()
        chosen = None
        if any(each.kind == "overlay" for each in self.choices):
            fixed.append(laid_over(moving, self.dilate, tools))
            digest += hashlib.sha256(fixed[-1].tobytes()).hexdigest()
        followed = [each for each in self.choices if each.kind != "overlay"]
        if followed:
            chosen = Followed(moving, followed, tools, self.score, self.at, self.dilate, listener, dry)
            digest += chosen.digest
        made = FrameMasks(
            moving, fixed=fixed, track=track, colour=self.colour, tolerance=self.tolerance, dilate=self.dilate or 0.0,
            chosen=chosen, whole=self.whole,
        )  # fmt: skip
        return made, made.coverage(), digest, notes

    def _read(self, given: Path | np.ndarray | bytes, size: masks.Size) -> tuple[np.ndarray, str | None, str]:
        """The values of a mask, how it was understood, and what it is called."""
        if isinstance(given, np.ndarray):
            values = from_array(given, size, fit=self.fit)
            return (1 - values if self.invert else values), None, "the mask"
        found = masks.read_mask(given, size, invert=self.invert, fit=self.fit)
        return found.values, found.note, str(given) if isinstance(given, Path) else "the mask"

    def _clip_mask(self, source: Path, relative: Path | None, alone: bool) -> Path | np.ndarray | bytes:
        """The mask file, mask clip or folder of masks for a clip."""
        from imgfix.media.formats import IMAGE_EXTENSIONS
        from imgfix.media.sources import VIDEO_EXTENSIONS

        assert self.mask is not None
        if not isinstance(self.mask, Path) or not self.mask.is_dir():
            return self.mask
        if alone:
            entries = [path for path in self.mask.iterdir() if not path.name.startswith(".")]
            if len(entries) != 1 or entries[0].stem not in _names(source, relative):
                return self.mask  # a mask for each frame
        return self._paired(source, relative, IMAGE_EXTENSIONS | VIDEO_EXTENSIONS, folders=True)

    def _mask_file(self, source: object, relative: Path | None) -> Path | np.ndarray | bytes:
        """The one mask for all, or the one of the mask folder that lies where the picture lies in its own, by stem."""
        from imgfix.media.formats import IMAGE_EXTENSIONS

        assert self.mask is not None
        if not isinstance(self.mask, Path) or not self.mask.is_dir():
            return self.mask
        return self._paired(source, relative, IMAGE_EXTENSIONS)

    def _paired(self, source: object, relative: Path | None, extensions: frozenset[str], folders: bool = False) -> Path:
        assert isinstance(self.mask, Path)
        folder = self.mask / (relative.parent if relative is not None else "")
        wanted = _names(source, relative)
        found = sorted(
            path
            for path in (folder.iterdir() if folder.is_dir() else ())
            if (path.name in wanted if path.is_dir() else path.stem in wanted)
            and (folders if path.is_dir() else path.suffix.lower() in extensions)
        )
        if not found:
            raise InputError(
                f"{name_of(source)}: there is no mask for it in {folder}",
                hint=f"masks are paired by name: {wanted[0]}.png or {wanted[1]}.png"
                + (f", a clip such as {wanted[0]}.mkv, or a folder {wanted[0]}/" if folders else ""),
            )
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise InputError(f"{name_of(source)}: several masks could be meant: {names}", hint="keep one of them")
        return found[0]


def _names(source: object, relative: Path | None) -> list[str]:
    source = origin(source)
    place = relative if relative is not None else source if isinstance(source, Path) else Path("stdin")
    return [place.stem + ending for ending in _ENDINGS]


def parse_box(given: str | Sequence[float]) -> Box:
    """A box from `x,y,w,h`, each in pixels or percent, or from four numbers. Raises UsageError."""
    if isinstance(given, str):
        return masks.parse_box(given)
    return masks.parse_box(",".join(f"{float(number):.10g}" for number in given))


def _in_rgb(picture: Picture) -> np.ndarray:
    """A picture's pixels as grey or RGB, for a colour is named in RGB and the file may hold inks."""
    from imgfix.media import colour

    if picture.channels != 4:
        return picture.pixels
    rgb = colour.transform(picture.metadata, 4).to_srgb(picture.pixels)
    return (rgb * 255 + 0.5).astype(np.uint8)


def _colour(given: str | Sequence[int] | None) -> tuple[int, int, int] | None:
    if given is None:
        return None
    return masks.parse_colour(given if isinstance(given, str) else f"rgb({','.join(map(str, given))})")


def from_array(mask: np.ndarray, size: masks.Size, fit: bool = False) -> np.ndarray:
    """An array as a mask: (H, W) bool, unsigned integers (the largest value = fill) or float in [0, 1].

    Returns (H, W) float32 in [0, 1]. Raises UsageError: another shape, or nothing says which value means fill.
    """
    if mask.ndim == 3 and mask.shape[2] == 1:
        mask = mask[..., 0]
    if mask.ndim != 2 or (mask.shape != size[::-1] and not fit):
        raise UsageError(
            f"the mask has shape {mask.shape} and the picture {size[::-1]}", hint="give a mask of (H, W), or `fit_mask`"
        )
    if mask.dtype.kind not in "buf":
        raise UsageError(
            f"a mask of {mask.dtype} does not say which value means fill",
            hint="give it as bool: mask > 0, or as uint8 with 255 = fill",
        )
    top = 1 if mask.dtype.kind in "bf" else np.iinfo(mask.dtype).max
    highest = mask.max()
    if mask.dtype.kind == "f" and not (mask.min() >= 0 and highest <= 1):  # what is not a number fails this too
        raise UsageError("a mask of floats holds values outside [0, 1]", hint="give it as bool: mask > 0.5")
    if 0 < highest < masks.FAINTEST * top:
        raise UsageError(
            f"the mask holds no white: its highest value is {highest:g} of {top}", hint="give it as bool: mask > 0"
        )
    values = mask.astype(np.float32) / np.float32(top)
    if values.shape == size[::-1]:
        return values
    masks.check_shape("the mask", values.shape[::-1], size, fit)
    return masks.resized(values, size)

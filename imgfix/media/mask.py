"""Masks: which pixels of a picture are to be filled.

A mask is (H, W) float32 in [0, 1]: 1 = fill, 0 = leave alone, between them a weight for blending. White means fill.

size = (picture.width, picture.height)
mask = combine(read_mask(Path("mask.png"), size).values, from_box(parse_box("10,20,300,200"), size))
check(mask, "photo.jpg")
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from imgfix.errors import InputError, UsageError
from imgfix.media import image
from imgfix.media.picture import Picture

Size = tuple[int, int]  # width, height

NEARLY_ALL = 0.95  # share of the picture beyond which a mask is taken for a mistake
FAINTEST = 1 / 16  # a mask file whose brightest value is below this holds no white at all
DEFAULT_TOLERANCE = 12  # of 255: what a lossy format does to a painted colour
_SHAPE_TOLERANCE = 0.01  # how much the ratios of two sides may differ when a mask is fitted to a picture
_LOSSY = frozenset({"JPEG", "WEBP", "AVIF", "HEIF"})


@dataclass(frozen=True)
class MaskFile:
    """A mask read from a file."""

    values: np.ndarray
    """(H, W) float32 in [0, 1], 1 = fill."""
    note: str | None = None
    """How it was understood, when there was a choice."""


def read_mask(
    source: Path | str | bytes,
    size: Size | None = None,
    *,
    invert: bool = False,
    fit: bool = False,
    max_pixels: int | None = image.DEFAULT_MAX_PIXELS,
) -> MaskFile:
    """Read a mask: white = fill in any mode and depth, or the shape in the alpha of a picture that has one.

    size: (width, height) of the picture it is for. invert: black (or transparent) = fill. fit: a mask of another size
    but the same shape is resized. Raises InputError: not readable, another size, no white in it.
    """
    name = "the mask" if isinstance(source, bytes) else str(source)
    picture = image.read(source, max_pixels=max_pixels)
    if size is not None and (picture.width, picture.height) != size:
        check_shape(name, (picture.width, picture.height), size, fit)
    values, note = _meaning(picture)
    if 0 < values.max(initial=0) < FAINTEST:
        top = np.iinfo(picture.pixels.dtype).max
        raise InputError(
            f"{name} holds no white: its brightest value is {round(float(values.max()) * top)} of {top}",
            hint="white is the region; turn a label map into black and white first",
        )
    if invert:
        values = 1 - values
    if size is not None and (picture.width, picture.height) != size:
        values = resized(values, size)
    return MaskFile(np.ascontiguousarray(values, np.float32), note)


def check_shape(name: str, own: Size, size: Size, fit: bool) -> None:
    """Raise InputError when a mask of its own size does not go with a picture, or only with `fit` and without it."""
    width, height = size
    found = f"{name} is {own[0]}x{own[1]} but the picture is {width}x{height}"
    if abs(own[0] * height - own[1] * width) > _SHAPE_TOLERANCE * own[0] * height:
        turned = own[::-1] == size
        hint = (
            "turn the mask upright: it is taken as its EXIF orientation or its rotation tag shows it"
            if turned
            else None
        )
        raise InputError(f"{found}, another shape", hint=hint or "make a mask of the picture's own size")
    if not fit:
        raise InputError(found, hint="`fit_mask` resizes it; or make a mask of the picture's own size")


def _meaning(picture: Picture) -> tuple[np.ndarray, str | None]:
    """The fill weights that a mask file means, and a sentence about it where it could have meant something else."""
    brightness = _brightness(picture)
    alpha = _unit(picture.alpha) if picture.alpha is not None else None
    if alpha is None or float(alpha.min()) == 1.0:
        return brightness, None
    seen = brightness[alpha >= 0.5]
    if seen.size == 0 or float(seen.max()) - float(seen.min()) < 0.1:
        # One colour painted on a transparent sheet; which colour does not matter.
        return alpha, "its shape is in its alpha: what is opaque is filled"
    if float(((seen > 0.1) & (seen < 0.9)).mean()) < 0.1:
        return brightness * alpha, "it has both white and alpha: what is white and opaque is filled"
    return 1 - alpha, "it is a picture with a transparent part: what is transparent is filled"


def _brightness(picture: Picture) -> np.ndarray:
    pixels = picture.pixels
    if picture.channels == 4:  # CMYK: paper is white
        ink = _unit(pixels)
        values = (1 - ink[..., :3]).max(axis=2) * (1 - ink[..., 3])
    else:
        # The brightest channel, so that a red or a blue shape on black counts in full.
        values = _unit(pixels.max(axis=2))
    if picture.metadata.mode == "P" and picture.channels == 3:
        values = _two_colours(values)
    if picture.metadata.format in _LOSSY and not picture.metadata.lossless:
        # Ringing around the shapes must not make the whole picture part of the mask.
        values = np.clip((values - 1 / 16) / (1 - 2 / 16), 0, 1)
    return values.astype(np.float32, copy=False)


def _two_colours(values: np.ndarray) -> np.ndarray:
    """A palette of black and one colour (as segmentation tools write) is black and white, however dark the colour."""
    most = float(values.max())
    if most > 0 and bool(((values == 0) | (values == most)).all()):
        return values / most
    return values


def _unit(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) / np.float32(np.iinfo(array.dtype).max)


def resized(mask: np.ndarray, size: Size) -> np.ndarray:
    """Bring a mask to another (width, height): averaged when it shrinks, linear when it grows."""
    height, width = mask.shape
    shrinks = size[0] * size[1] < width * height
    found = cv2.resize(mask, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.clip(found, 0, 1)


# ---- boxes


@dataclass(frozen=True)
class Length:
    """Pixels, or a share of a side."""

    value: float
    percent: bool = False

    def of(self, side: int) -> float:
        """In pixels, not rounded."""
        return self.value * side / 100 if self.percent else self.value


@dataclass(frozen=True)
class Box:
    """A rectangle: its left top corner and its size, in pixels or percent of the picture."""

    x: Length
    y: Length
    width: Length
    height: Length
    text: str
    """As the user wrote it, for messages."""


def parse_length(text: str, what: str) -> Length:
    """`120`, `120px` or `10%`. Raises UsageError."""
    word = text.strip().lower().removesuffix("px")
    percent = word.endswith("%")
    try:
        value = float(word.removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e7:
        raise UsageError(f"{what}: '{text}' is no length", hint="give pixels (120) or percent (10%)")
    return Length(value, percent)


def parse_box(text: str) -> Box:
    """Read `x,y,w,h`, each in pixels or percent. Raises UsageError."""
    parts = text.replace(" ", "").split(",")
    if len(parts) != 4:
        raise UsageError(f"`boxes` {text}: not a box", hint="give x,y,w,h such as 100,50,200,80 or 10%,10%,50%,20%")
    x, y, width, height = (parse_length(part, f"`boxes` {text}") for part in parts)
    if width.value == 0 or height.value == 0:
        raise UsageError(
            f"`boxes` {text}: the box has no area", hint="the third and fourth numbers are width and height"
        )
    return Box(x, y, width, height, text)


def from_box(box: Box, size: Size) -> np.ndarray:
    """A mask that is 1 in a box, whose part outside the picture is cut off.

    Raises InputError when all of it is outside.
    """
    width, height = size
    left, top = round(box.x.of(width)), round(box.y.of(height))
    right = max(left + 1, round(box.x.of(width) + box.width.of(width)))
    bottom = max(top + 1, round(box.y.of(height) + box.height.of(height)))
    if left >= width or top >= height or right <= 0 or bottom <= 0:
        raise InputError(
            f"the box {box.text} is outside the picture, which is {width}x{height}",
            hint="a box is x,y,w,h counted from the left top corner of the upright picture",
        )
    mask = np.zeros((height, width), np.float32)
    mask[max(0, top) : bottom, max(0, left) : right] = 1
    return mask


# ---- what the picture itself says


def parse_colour(text: str) -> tuple[int, int, int]:
    """Read `#ff00ff`, `#f0f`, `rgb(255,0,255)` or a CSS name as 8-bit RGB. Raises UsageError."""
    from PIL import ImageColor

    word = text.strip()
    if word.lower().strip("0123456789abcdef") == "" and len(word) in (3, 6):
        word = f"#{word}"  # the shell takes an unquoted # for a comment
    try:
        colour = ImageColor.getrgb(word)
    except ValueError:
        raise UsageError(
            f"`color` {text}: not a colour", hint="give '#ff00ff' (in quotes), magenta or 'rgb(255,0,255)'"
        ) from None
    return colour[0], colour[1], colour[2]


def from_colour(rgb: np.ndarray, colour: tuple[int, int, int], tolerance: float = DEFAULT_TOLERANCE) -> np.ndarray:
    """A mask of the pixels that have a colour.

    rgb: (H, W, 3) uint8 or uint16, or (H, W, 1) grey. tolerance: largest difference of any channel, of 255.
    """
    top = int(np.iinfo(rgb.dtype).max)
    wanted = np.array(colour, np.float32) * (top / 255)
    if rgb.shape[2] == 1:
        wanted = wanted.mean(keepdims=True) if len(set(colour)) == 1 else np.full(1, -10.0 * top, np.float32)
    reach = np.float32(tolerance * top / 255)
    low, high = np.ceil(wanted - reach), np.floor(wanted + reach)
    inside = cv2.inRange(np.ascontiguousarray(rgb), tuple(map(float, low)), tuple(map(float, high)))
    return (inside > 0).astype(np.float32)


def from_alpha(picture: Picture, name: str = "the picture") -> np.ndarray:
    """A mask of a picture's transparent part; half transparent is half filled.

    Raises InputError when the picture has no alpha.
    """
    if picture.alpha is None:
        raise InputError(
            f"{name} has no alpha, so nothing of it is transparent",
            hint="use `mask`, `boxes` or `color` instead of `alpha`",
        )
    return 1 - _unit(picture.alpha)


# ---- working on masks


def combine(*masks: np.ndarray) -> np.ndarray:
    """Everything that any of the masks fills."""
    if not masks:
        raise ValueError("there are no masks to combine")
    found = masks[0]
    for mask in masks[1:]:
        found = np.maximum(found, mask)
    return found


def dilate(mask: np.ndarray, pixels: float) -> np.ndarray:
    """Widen a mask by a number of pixels all around (round corners), or narrow it by a negative number."""
    if pixels == 0:
        return mask
    if pixels < 0:
        return 1 - dilate(1 - mask, -pixels)
    box = bounds(mask >= 0.5)
    if box is None:
        return mask
    found = mask.copy()
    view = around(box, int(np.ceil(pixels)) + 1, mask.shape)
    outside = (mask[view] < 0.5).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    found[view] = np.maximum(found[view], (distance <= pixels).astype(np.float32))
    return found


def feather(mask: np.ndarray, pixels: float) -> np.ndarray:
    """Let a mask fade out over a number of pixels beyond its edge; what it filled in full stays filled in full.

    Outward, because an inward ramp would let what is to be removed shine through. Farther away than `pixels` nothing
    changes: zero stays exactly zero.
    """
    if pixels <= 0:
        return mask
    box = bounds(mask >= 0.5)
    if box is None:
        return mask
    found = mask.copy()
    view = around(box, int(np.ceil(pixels)) + 1, mask.shape)
    outside = (mask[view] < 0.5).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    ramp = np.clip(1 - distance / np.float32(pixels + 1), 0, 1)
    smooth = ramp * ramp * (3 - 2 * ramp)  # no visible edge at either end
    found[view] = np.maximum(found[view], np.where(distance <= pixels, smooth, 0))
    return found


Bounds = tuple[int, int, int, int]  # top, bottom, left, right; bottom and right are the first ones outside


def bounds(inside: np.ndarray) -> Bounds | None:
    """The smallest rectangle around all true pixels, or None when there are none."""
    rows = np.flatnonzero(inside.any(axis=1))
    if rows.size == 0:
        return None
    columns = np.flatnonzero(inside[rows[0] : rows[-1] + 1].any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def around(box: Bounds, margin: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The rows and columns of a rectangle with a margin, cut off at the picture's edge."""
    top, bottom, left, right = box
    rows = slice(max(0, top - margin), min(shape[0], bottom + margin))
    return rows, slice(max(0, left - margin), min(shape[1], right + margin))


def coverage(mask: np.ndarray) -> float:
    """The share of the picture that a mask fills, 0 to 1; a half filled pixel counts half."""
    return float(mask.mean(dtype=np.float64))


POLARITY = "white is the region; `invert` if black is"


def check(mask: np.ndarray, name: str = "the mask", hint: str = POLARITY, *, whole: bool = False) -> None:
    """Raise InputError when a mask is empty or, unless it may be whole, covers nearly everything; hint: the remedy."""
    share = coverage(mask)
    if share == 0:
        raise InputError(f"{name}: the mask is empty, nothing in it is white", hint=hint)
    if share > NEARLY_ALL and not whole:
        raise InputError(
            f"{name}: the mask covers {percent(share)} of the picture, which leaves too little to go by", hint=hint
        )


def percent(share: float) -> str:
    """A share in words: `12.3 %`; small ones keep a digit that is not zero."""
    value = 100 * share
    if 0 < value < 0.01:
        return "less than 0.01 %"
    return f"{value:.2f} %" if value < 1 else f"{value:.1f} %"

"""The numbers of one file, and how a picture is read so that it can be measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from imgfix.errors import InputError
from imgfix.media import colour, image
from imgfix.media.picture import Picture


@dataclass(frozen=True)
class Measurement:
    """The numbers of one picture or clip, or of a whole set."""

    result: Path
    reference: Path | None
    values: dict[str, float]
    size: tuple[int, int] = (0, 0)
    """Width and height that were compared."""
    frames: int = 1
    notes: tuple[str, ...] = field(default=())
    """What a reader of the numbers should know about this pair."""


def read(path: Path, max_pixels: int | None = image.DEFAULT_MAX_PIXELS) -> tuple[np.ndarray, list[str]]:
    """A picture as sRGB (H, W, 3), or grey (H, W, 1), float64 in [0, 1], and notes. Raises InputError."""
    return _measurable(image.read(path, max_pixels=max_pixels), path)


def read_pair(
    result: Path, reference: Path, max_pixels: int | None = image.DEFAULT_MAX_PIXELS
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Both pictures as `read` gives them, and notes.

    Floats and 32-bit numbers are read over the range that each file has; those of the result are brought to the range
    of the reference, so that equal numbers are equal: they may then lie outside of [0, 1]. Raises InputError.
    """
    first, second = (image.read(path, max_pixels=max_pixels) for path in (result, reference))
    pixels, notes = _measurable(first, result)
    target, more = _measurable(second, reference)
    own, wanted = first.metadata.samples, second.metadata.samples
    if own is not None and (wanted is not None or own.dtype[0] == "f"):
        pixels = own.from_unit(pixels)
        pixels = pixels if wanted is None else wanted.to_unit(pixels)
    return pixels, target, notes + more


def _measurable(picture: Picture, path: Path) -> tuple[np.ndarray, list[str]]:
    notes = []
    if picture.alpha is not None:
        notes.append(f"{path.name}: transparency is not measured")
    transform = colour.transform(picture.metadata, picture.channels)
    if transform.is_identity and picture.channels in (1, 3):
        return picture.pixels / float(np.iinfo(picture.pixels.dtype).max), notes
    notes.append(f"{path.name}: converted to sRGB")
    return transform.to_srgb(picture.pixels).astype(np.float64), notes


def fit(result: np.ndarray, reference: np.ndarray, names: tuple[str, str], crop: bool) -> tuple[np.ndarray, np.ndarray]:
    """Both pictures at one size: cropped to the common top left part if `crop`, else InputError when they differ."""
    if result.shape[:2] == reference.shape[:2]:
        return result, reference
    sizes = [f"{shape[1]}x{shape[0]}" for shape in (result.shape, reference.shape)]
    if not crop:
        raise InputError(
            f"{names[0]} is {sizes[0]}, but {names[1]} is {sizes[1]}",
            hint="compare pictures of one size, or add `crop` to compare the common top left part",
        )
    height, width = (min(result.shape[axis], reference.shape[axis]) for axis in (0, 1))
    return result[:height, :width], reference[:height, :width]

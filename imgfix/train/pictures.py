"""Pictures as training sees them: upright, sRGB, 8 bits, read as every other verb reads them.

A general decoder would cut 16-bit grey off at 255, and take the numbers of a wide-gamut profile for those of sRGB.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from imgfix.media import colour, image
from imgfix.media.picture import Picture


def read_rgb(path: Path) -> np.ndarray:
    """A picture without its transparency, (H, W, 3) uint8. Raises `ImgfixError`: it cannot be read."""
    return _srgb(image.read(path))


def read_rgba(path: Path) -> np.ndarray:
    """A picture with its transparency, (H, W, 4) uint8, not premultiplied. Raises `ImgfixError`, as `read_rgb` does."""
    picture = image.read(path)
    pixels = _srgb(picture)
    if picture.alpha is None:
        alpha = np.full(pixels.shape[:2], 255, np.uint8)
    else:
        alpha = _eight_bits(picture.alpha)
    return np.dstack((pixels, alpha))


def _srgb(picture: Picture) -> np.ndarray:
    transform = colour.transform(picture.metadata, picture.channels)
    if not transform.is_identity or picture.channels == 4:
        return colour.quantised(transform.to_srgb(picture.pixels), np.uint8)
    pixels = _eight_bits(picture.pixels)
    return np.repeat(pixels, 3, axis=2) if picture.channels == 1 else pixels


def _eight_bits(samples: np.ndarray) -> np.ndarray:
    return samples if samples.dtype == np.uint8 else colour.quantised(colour.unit(samples), np.uint8)

"""Transparency: colour for pixels that cannot be seen, and exactness where there is no edge."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np


def bleed_alpha(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Give fully transparent pixels the colour of the visible ones around them, as if it had run there.

    Weighted means over ever larger squares fill from the nearest visible colour outwards (pull and push through a
    pyramid; Gortler et al., "The Lumigraph", 1996). Visible pixels, however faint, keep their colour.

    Args:
        pixels: (H, W, C) uint8 or uint16.
        alpha: (H, W), 0 = transparent.

    Returns:
        An array like `pixels`; `pixels` itself when nothing is transparent or nothing is visible.
    """
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return pixels
    # Faint pixels often carry a colour of doubtful worth, so they weigh as little as they show.
    weight = (alpha.astype(np.float32) / np.float32(np.iinfo(alpha.dtype).max))[..., None]
    levels = [(pixels.astype(np.float32) * weight, weight)]
    while max(levels[-1][1].shape[:2]) > 1:
        levels.append(tuple(_halved(plane) for plane in levels[-1]))  # type: ignore[arg-type]
    total, weight = levels.pop()
    filled = total / np.maximum(weight, 1e-12)
    while levels:
        total, weight = levels.pop()
        height, width = weight.shape[:2]
        coarse = cv2.resize(filled, (2 * filled.shape[1], 2 * filled.shape[0]), interpolation=cv2.INTER_LINEAR)
        coarse = coarse.reshape(*coarse.shape[:2], -1)[:height, :width]
        trust = np.minimum(weight, 1)
        filled = np.where(weight > 0, total / np.maximum(weight, 1e-12), 0) * trust + coarse * (1 - trust)
    result = pixels.copy()
    top = np.iinfo(pixels.dtype).max
    result[hidden] = np.clip(filled[hidden] + 0.5, 0, top).astype(pixels.dtype)
    return result


def _halved(plane: np.ndarray) -> np.ndarray:
    """Sums over squares of two by two, the border padded with nothing."""
    height, width, channels = plane.shape
    padded = np.zeros((height + height % 2, width + width % 2, channels), np.float32)
    padded[:height, :width] = plane
    return padded[0::2, 0::2] + padded[1::2, 0::2] + padded[0::2, 1::2] + padded[1::2, 1::2]


def flat_as_it_was(
    bands: Iterator[np.ndarray],
    read: Callable[[int, int, int, int], np.ndarray],
    width: int,
    height: int,
    scale: int,
) -> Iterator[np.ndarray]:
    """Give a network's alpha the value of the input wherever that is the same for a pixel and its eight neighbours.

    Wholly transparent stays exactly that, and wholly opaque too, up to a pixel from any edge: a network leaves a haze.

    Args:
        bands: (h * scale, width * scale, C) float32, top to bottom, cut between input rows; the channels are averaged.
        read: windows of the input, (y0, y1, x0, x1) -> (h, w, C) float32, the channels equal.
        width, height: of the input.
        scale: output pixels per input pixel along one side.

    Yields:
        (h * scale, width * scale, 1) float32.
    """
    y = 0
    for band in bands:
        rows = len(band) // scale
        top, bottom = max(0, y - 1), min(height, y + rows + 1)
        around = np.ascontiguousarray(read(top, bottom, 0, width)[..., 0])
        low, high = (
            step(around, np.ones((3, 3), np.uint8))[y - top : y - top + rows] for step in (cv2.erode, cv2.dilate)
        )
        low, high = np.where(low < high, np.float32(0), low), np.where(low < high, np.float32(1), high)
        size = (width * scale, rows * scale)
        low = cv2.resize(low, size, interpolation=cv2.INTER_NEAREST)[..., None]
        high = cv2.resize(high, size, interpolation=cv2.INTER_NEAREST)[..., None]
        y += rows
        yield np.clip(band.mean(axis=2, keepdims=True), low, high)

"""Colour for pixels that cannot be seen."""

from __future__ import annotations

import cv2
import numpy as np


def bleed(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
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

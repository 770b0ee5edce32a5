"""The samples of a file as sRGB floats, and floats as samples of the file's type and colour space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from imgfix.media.colour import ColourTransform

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Rec. 601, as image tools turn RGB into grey."""


def to_floats(pixels: np.ndarray, colour: ColourTransform | None = None) -> np.ndarray:
    """(h, w, C) uint8 or uint16 -> (h, w, 3) float32 in [0, 1], sRGB-encoded.

    colour: converts the file's colours; None: they are sRGB or grey already, and C is 3 or 1.
    """
    if colour is not None:
        return colour.to_srgb(pixels)
    rgb = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return np.repeat(rgb, 3, axis=2) if rgb.shape[2] == 1 else rgb


def to_samples(rgb: np.ndarray, original: np.ndarray, colour: ColourTransform | None = None) -> np.ndarray:
    """(h, w, 3) float32 -> samples of the type and the channels of `original`, which it stands in for, rounded."""
    if colour is not None:
        return colour.from_srgb(rgb, original.dtype, colour.lost(original))
    if original.shape[2] == 1:
        rgb = rgb @ LUMA[:, None]
    top = np.iinfo(original.dtype).max
    made: np.ndarray = (np.clip(rgb, 0, 1) * np.float32(top) + np.float32(0.5)).astype(original.dtype)
    return made

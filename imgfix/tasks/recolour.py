"""Another colour for what is drawn: the hue that dominates is turned, everything else stays."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

VIVID = 0.25
"""Saturation from which a pixel has a hue."""
NARROW, WIDE = 30.0, 50.0
"""Degrees from the dominant hue up to which pixels are turned wholly, and from which they stay."""


@dataclass(frozen=True)
class Colour:
    """What a colour is, in hue, saturation and value."""

    hue: float
    """0 to 360; without meaning where the saturation is 0."""
    saturation: float
    """0: without colour; 1: as saturated as what is recoloured, for what has no colour yet about 0.7."""
    gain: float = 1.0
    """Of the value."""
    lift: float = 0.0
    """Added to the value after that."""


COLOURS = {
    "red": Colour(0, 1), "orange": Colour(28, 1), "yellow": Colour(52, 1), "green": Colour(120, 1),
    "blue": Colour(220, 1), "purple": Colour(280, 1), "pink": Colour(330, 0.6, 0.9, 0.1), "brown": Colour(24, 0.8, 0.6),
    "black": Colour(0, 0, 0.3), "white": Colour(0, 0, 0.3, 0.68), "grey": Colour(0, 0, 0.75, 0.05),
    "golden": Colour(44, 1),
}  # fmt: skip
"""The colours that can be asked for, by their names."""
SYNONYMS = {"gray": "grey", "gold": "golden", "violet": "purple"}


def recolour(pixels: np.ndarray, name: str) -> np.ndarray:
    """Give what dominates a drawing another colour.

    That is the most frequent hue, or what has no hue where fewer than a quarter of the visible pixels have one. Light
    and shade stay.

    Args:
        pixels: (H, W, 3 or 4) uint8; RGB, or RGB with opacity, not premultiplied.
        name: one of `COLOURS`.

    Returns:
        the same shape and type; the pixels themselves where they have that colour already.
    """
    colour = COLOURS[name]
    hsv = cv2.cvtColor(pixels[..., :3].astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    hue, saturation, value = hsv[..., 0], hsv[..., 1], hsv[..., 2]
    opacity = pixels[..., 3] / 255.0 if pixels.shape[2] == 4 else np.ones(hue.shape)
    vivid = opacity * (saturation > VIVID) * (value > 0.2)
    if vivid.sum() < 0.25 * opacity.sum():
        part = np.clip((VIVID + 0.1 - saturation) / 0.1, 0, 1) * (value > 0.15)
        own_hue, own_saturation = None, 0.7
    else:
        own_hue = dominant_hue(hue, vivid * saturation)
        away = np.abs(_turn(hue - own_hue))
        part = np.clip((WIDE - away) / (WIDE - NARROW), 0, 1) * np.clip(saturation / 0.1, 0, 1)
        own_saturation = None
    if (
        own_hue is not None
        and colour.saturation == 1
        and colour.gain == 1
        and abs(float(_turn(own_hue - colour.hue))) < 15
    ):
        return pixels
    turned = hsv.copy()
    turned[..., 0] = (colour.hue + (0 if own_hue is None else 0.3 * _turn(hue - own_hue))) % 360
    turned[..., 1] = colour.saturation * (saturation if own_saturation is None else own_saturation)
    turned[..., 2] = np.clip(value * colour.gain + colour.lift, 0, 1)
    made = cv2.cvtColor(turned.astype(np.float32), cv2.COLOR_HSV2RGB) * 255
    mixed = pixels[..., :3] + part[..., None] * (made - pixels[..., :3])
    return np.concatenate([mixed.round().clip(0, 255).astype(np.uint8), pixels[..., 3:]], 2)


def dominant_hue(hue: np.ndarray, weight: np.ndarray) -> float:
    """The most frequent hue in degrees: the mean within 20 degrees of the highest place of a smoothed histogram."""
    counts, _ = np.histogram(hue, 36, (0, 360), weights=weight)
    smooth = counts + np.roll(counts, 1) + np.roll(counts, -1)
    peak = 10.0 * float(smooth.argmax()) + 5
    away = _turn(hue - peak)
    near = weight * (np.abs(away) < 20)
    return float((peak + (near * away).sum() / max(float(near.sum()), 1e-6)) % 360)


def _turn(degrees: np.ndarray | float) -> np.ndarray | float:
    """Degrees as the shortest turn, -180 to 180."""
    return (degrees + 180) % 360 - 180

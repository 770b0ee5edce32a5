"""What a network made of a dark picture, brought to the brightness and the colours that the dark picture speaks for.

Networks that brighten are trained on a few cameras and rooms, and make every picture about as bright and as pale as
those. But less light only scales what a camera records: in linear light, and so, but for the tone curve's toe, in sRGB.
Colours keep their saturation, and the brightest parts say by how much was scaled, for most photos have some near white.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

WHITE = 0.98
"""Brightest channel of the brightest parts of a picture that got its light."""
BRIGHTEST = 99.5
"""The percentile that counts as them: lamps and reflections are brighter."""
POWERS = (0.3, 3.0)
"""How far the tone curve is bent at most."""
SATURATIONS = (0.8, 2.0)
"""By which the distance from grey is multiplied at least and at most."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_SIDE = 1024
_BLUR = 5  # pixels; less is noise, which looks like colour


@dataclass(frozen=True)
class Exposure:
    """The correction of a brightened picture."""

    power: float
    """Exponent of luma."""
    saturation: float
    """Factor of the distance from grey."""

    def settled(self, rgb: np.ndarray) -> np.ndarray:
        """The picture (..., 3) float32 in [0, 1] corrected, clipped to [0, 1]."""
        luma = np.maximum(rgb @ _LUMA, np.float32(1e-4))[..., None]
        lit = luma ** np.float32(self.power)
        found: np.ndarray = np.clip(lit + (rgb - luma) * (lit / luma) * np.float32(self.saturation), 0, 1)
        return found


def measure(dark: np.ndarray, bright: np.ndarray) -> Exposure:
    """Compare a picture with what a network made of it, both (H, W, 3) float32 in [0, 1], sRGB-encoded."""
    dark, bright = _calm(dark), _calm(bright)
    white = max(float(np.percentile(dark.max(axis=2), BRIGHTEST)), 1 / 255)
    aim = float((dark @ _LUMA).mean()) / white * WHITE
    power = _power(np.maximum(bright @ _LUMA, 1e-4), aim)
    have, want = _saturation(Exposure(power, 1.0).settled(bright)), _saturation(dark)
    factor = want / have if have > 0.01 else 1.0
    return Exposure(power, float(np.clip(factor, *SATURATIONS)))


def _calm(rgb: np.ndarray) -> np.ndarray:
    height, width = rgb.shape[:2]
    factor = max(1.0, max(height, width) / _SIDE)
    size = max(1, round(width / factor)), max(1, round(height / factor))
    return np.asarray(cv2.blur(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), (_BLUR, _BLUR)))


def _power(luma: np.ndarray, aim: float) -> float:
    """The exponent within `POWERS` that gives this mean, by halving."""
    low, high = POWERS
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if float((luma**middle).mean()) > aim else (low, middle)
    return (low + high) / 2


def _saturation(rgb: np.ndarray) -> float:
    """Mean distance between the channels, as a part of mean luma."""
    return float((rgb.max(axis=2) - rgb.min(axis=2)).mean()) / max(float((rgb @ _LUMA).mean()), 1e-4)

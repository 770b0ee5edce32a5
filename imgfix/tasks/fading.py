"""Fading of prints undone: blacks that became grey, whites that became dull, and the cast of dyes that faded unequally.

A dye that fades takes contrast from its channel: what was black in it is brighter, what was white darker. Each channel
is stretched back by what its own darkest and brightest parts say (Limare et al. 2011, "Simplest Color Balance", IPOL,
without its clipping), not all the way. A picture that has its blacks in one channel is left alone: only haze and fading
take them from all, and a sunset keeps its colours. A toned print without colours of its own keeps its tone.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

BLACK_SEEN = 0.09
"""Level of the darkest parts in every channel, of 1, from which a picture counts as faded."""
WHITE_SEEN = 0.97
"""Luma of the brightest parts, from which on it does not: whites do not survive the fading of blacks."""
AMOUNT = 0.8
"""How far the levels are taken back."""
MOST_GAIN = 2.5
"""By which contrast grows at most, for noise grows with it."""
LEAST_WHITE = 0.5
"""Brightest luma below which a picture is dark, and its whites are not made brighter."""
TONED = 0.02
"""How far, of 1, the colours of a toned print without colours of its own stray from its tone."""
TARGET = (0.02, 0.97)
"""Where the darkest and the brightest parts of a print that did not fade are."""
_DARKEST, _ENDS = 0.1, (0.2, 99.8)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_SIDE = 1024  # pixels of the copy that is measured


@dataclass(frozen=True)
class Fading:
    """The levels of a faded print, in sRGB of 0 to 1."""

    black: tuple[float, float, float]
    """What was black, in R, G and B."""
    white: tuple[float, float, float]
    """What was white."""

    def undone(self, rgb: np.ndarray) -> np.ndarray:
        """The picture (..., 3) float in [0, 1] with its levels back, not clipped."""
        black, white = np.array(self.black, np.float32), np.array(self.white, np.float32)
        low = black + np.float32(AMOUNT) * (np.float32(TARGET[0]) - black)
        high = white + np.float32(AMOUNT) * (np.float32(TARGET[1]) - white)
        gain = np.minimum((high - low) / (white - black), np.float32(MOST_GAIN))
        return np.asarray(low + (rgb - black) * gain, rgb.dtype)

    def in_words(self) -> str:
        """`fading (black 38, white 214 of 255)`."""
        black, white = (round(255 * float(np.dot(end, _LUMA))) for end in (self.black, self.white))
        return f"fading (black {black}, white {white} of 255)"


def find(rgb: np.ndarray, mask: np.ndarray | None = None) -> Fading | None:
    """Measure how faded a print is; None where it is not.

    Args:
        rgb: (H, W, 3) float32 in [0, 1], sRGB-encoded.
        mask: (H, W), above 0 where the print is damaged: not looked at.
    """
    height, width = rgb.shape[:2]
    factor = max(1.0, max(height, width) / _SIDE)
    size = max(1, round(width / factor)), max(1, round(height / factor))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    small = cv2.blur(small, (3, 3))  # single pixels are noise
    known = np.ones(small.shape[:2], bool)
    if mask is not None:
        damaged = cv2.resize((mask > 0).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        known = cv2.dilate(damaged, np.ones((3, 3), np.uint8)) == 0  # as far as the blur carries it
    pixels = small[known]
    if len(pixels) < 64:
        return None
    luma = pixels @ _LUMA
    darkest = float(np.percentile(pixels, _DARKEST, axis=0).min())
    if darkest < BLACK_SEEN or float(np.percentile(luma, _ENDS[1])) > WHITE_SEEN or float(np.ptp(luma)) < 0.1:
        return None
    if _toned(pixels, luma):  # the tone is the print's own
        pixels = np.repeat(luma[:, None], 3, axis=1)
    black, white = np.percentile(pixels, _ENDS, axis=0)
    if float(white @ _LUMA) < LEAST_WHITE:
        white = np.full(3, TARGET[1])
    white = np.maximum(white, black + 0.1)
    return Fading(_three(black), _three(white))


def _toned(pixels: np.ndarray, luma: np.ndarray) -> bool:
    """Whether colour follows from brightness: each channel is within `TONED` of a smooth function of luma."""
    steps = np.clip((luma * 16).astype(int), 0, 15)
    count = np.maximum(np.bincount(steps, minlength=16), 1)
    apart = pixels - luma[:, None]
    means = np.stack([np.bincount(steps, apart[:, c], 16) / count for c in range(3)], axis=1)
    return float((apart - means[steps]).std(axis=0).max()) < TONED


def _three(values: np.ndarray) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue

"""What a network made of a dark picture, brought to the brightness and the colours that the dark picture speaks for.

Networks that brighten are trained on a few cameras and rooms, and make every picture about as bright and as pale as
those. How bright and colourful a picture has to become is judged by its own tones instead (`imgfix.tasks.brightness`),
and of a clip once for a scene: what is held is the gain, so that frames keep their differences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgfix.tasks import brightness
from imgfix.tasks.brightness import calm
from imgfix.tasks.samples import LUMA

POWERS = (0.3, 3.0)
"""How far the tone curve is bent at most."""
SATURATIONS = (0.4, 2.0)
"""By which the distance from grey is multiplied at least and at most."""
GAINS = (1.0, 60.0)
"""By which mean luma is multiplied at least and at most."""


@dataclass(frozen=True)
class Wanted:
    """What a dark picture is to become."""

    gain: float
    """Of its mean luma."""
    saturation: float
    """Of its saturation."""

    def mixed(self, other: Wanted, share: float) -> Wanted:
        """A share of the other in this one: the mean of the logarithms, which one black frame does not upset."""
        return Wanted(*(own ** (1 - share) * new**share for own, new in zip(self.values, other.values, strict=True)))

    @property
    def values(self) -> tuple[float, float]:
        """Both, to be stored."""
        return self.gain, self.saturation


@dataclass(frozen=True)
class Exposure:
    """The correction of a brightened picture."""

    power: float
    """Exponent of luma."""
    saturation: float
    """Factor of the distance from grey."""

    def settled(self, rgb: np.ndarray) -> np.ndarray:
        """The picture (..., 3) float32 in [0, 1] corrected, clipped to [0, 1]."""
        luma = np.maximum(rgb @ LUMA, np.float32(1e-4))[..., None]
        lit = luma ** np.float32(self.power)
        found: np.ndarray = np.clip(lit + (rgb - luma) * (lit / luma) * np.float32(self.saturation), 0, 1)
        return found


def wanted(dark: np.ndarray, small: np.ndarray | None = None) -> Wanted:
    """What a picture (H, W, 3) float32 in [0, 1], sRGB-encoded, asks for; small: as of `brightness.expected`."""
    small = calm(dark) if small is None else small
    lit = brightness.expected(dark, small)
    mean, colourful = _mean(small), brightness.saturation(small)
    more = lit.saturation / colourful if colourful > 0.01 else 1.0
    return Wanted(float(np.clip(lit.mean / max(mean, 1 / 255), *GAINS)), float(np.clip(more, *SATURATIONS)))


def measure(dark: np.ndarray, bright: np.ndarray, aim: Wanted | None = None) -> Exposure:
    """Compare a picture with what a network made of it, both (H, W, 3) float32 in [0, 1], sRGB-encoded.

    aim: what the picture is to become, where that is known from others of its scene.
    """
    small, bright = calm(dark), calm(bright)
    aim = aim or wanted(dark, small)
    power = _power(np.maximum(bright @ LUMA, 1e-4), min(1.0, aim.gain * _mean(small)))
    have = brightness.saturation(Exposure(power, 1.0).settled(bright))
    factor = aim.saturation * brightness.saturation(small) / have if have > 0.01 else 1.0
    return Exposure(power, float(np.clip(factor, *SATURATIONS)))


def _mean(rgb: np.ndarray) -> float:
    return float((rgb @ LUMA).mean())


def _power(luma: np.ndarray, aim: float) -> float:
    """The exponent within `POWERS` that gives this mean, by halving."""
    low, high = POWERS
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if float((luma**middle).mean()) > aim else (low, middle)
    return (low + high) / 2

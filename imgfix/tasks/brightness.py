"""How bright and how colourful a dark picture would be with enough light, judged by its tones.

Too little light scales what a camera records, a dark rendering bends it, and against the light only a part of the
picture is dark. Which of them it was shows in where the tones lie: the brightest parts of most photos are near white,
and a histogram that was bent is crowded below. A little network reads some percentiles and says the mean and the
saturation that photos with such tones had before they were darkened; it has learned that from photos darkened in these
three ways, and from some that were not (`python -m tests.bench.low_light PHOTOS --fit`).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from imgfix.tasks.samples import LUMA

HIDDEN = 16
"""Units of the network."""
PALEST = 0.02
"""Added to the saturation before its logarithm."""
_PERCENTILES = (1, 10, 25, 50, 75, 90, 99)
_BRIGHTEST = 99.5
_SIDE = 1024
_BLUR = 5  # pixels; less is noise, which looks like colour
_DARK = 0.004  # added before logarithms: one step of 255
# fmt: off
_INTO = np.array([
    [0.389, 0.045, -0.334, 0.140, 0.104, 0.661, 0.044, -0.086, 0.197, 0.909, -1.094, -0.501],
    [-0.670, -0.036, -0.067, 0.313, 0.081, -0.108, -0.308, 0.254, 0.127, -0.367, 0.040, -0.177],
    [0.421, 0.191, -0.136, -0.353, 0.069, -0.181, -0.755, 0.803, -0.074, -0.329, -0.788, -1.101],
    [0.279, 0.183, -0.069, 0.003, -0.004, -0.342, 0.055, -0.792, -0.347, -0.263, 0.597, 1.560],
    [0.385, 0.054, -0.301, 0.118, -0.184, -0.341, 0.455, -0.278, 0.237, 0.108, -5.590, 0.014],
    [-0.228, -0.124, -0.019, -0.041, -0.073, -0.640, -0.037, 0.198, 0.244, 0.288, -2.187, 0.647],
    [0.292, 0.746, 0.069, -0.223, 0.118, 0.608, 0.050, -0.315, -0.549, 0.028, 0.992, 0.045],
    [0.165, -0.049, 0.143, -0.415, 0.289, 0.316, -0.493, 0.151, 0.282, 0.320, 0.182, 0.543],
    [0.275, -0.041, -0.526, -0.606, 0.389, 0.493, -0.486, 0.055, -0.451, -0.307, 0.851, 0.353],
    [-0.366, -0.292, -0.072, -0.424, -0.472, 0.263, 0.224, -0.440, -0.370, -0.503, 0.133, 0.243],
    [0.035, 0.186, -0.255, 0.236, -0.279, -0.158, -0.332, -1.096, 0.004, 0.730, -0.233, -0.791],
    [-0.366, -0.164, 0.008, 0.084, 0.025, -0.316, -0.306, -0.015, 0.381, 0.652, 0.867, -0.791],
    [-0.057, -0.345, -0.008, 0.076, 0.256, -0.049, 0.573, 0.064, -0.103, -0.171, 1.209, -1.221],
    [-0.058, -0.187, 0.015, -0.396, 0.177, 0.193, -0.545, -0.418, 0.001, 0.121, -0.758, 1.135],
    [-0.410, -0.048, 0.397, 0.299, 0.322, -0.055, 0.068, -0.022, 0.248, 0.669, -0.019, -0.923],
    [0.118, 0.136, 0.462, -0.079, 0.265, 0.864, 0.250, -0.496, -0.553, 0.470, 1.529, -0.270],
])
_INTO_BIAS = np.array([2.211, -2.726, 0.697, -2.278, 1.282, -0.824, 1.355, 0.112, -3.032, -4.573, -0.402, -0.389,
    -1.108, -1.881, 1.746, 2.271])
_OUT = np.array([
    [0.157, 0.479, -0.404, -0.409, 0.126, 0.177, 0.350, 0.193, -0.323, -0.201, 0.315, 0.102, 0.085, 0.182, -0.470,
        0.372],
    [-0.510, -0.568, 0.077, 0.080, -1.620, -0.295, -0.341, 0.603, 0.114, 0.100, 0.412, -0.443, 0.789, -0.712, 0.162,
        -0.089],
])
_OUT_BIAS = np.array([-0.781, -2.133])
# fmt: on


@dataclass(frozen=True)
class Lit:
    """What a picture would have with enough light."""

    mean: float
    """Of its luma, 0 to 1."""
    saturation: float
    """Mean distance between its channels, as a part of the mean of its luma."""


def expected(dark: np.ndarray, small: np.ndarray | None = None) -> Lit:
    """Judge a dark picture, (H, W, 3) float32 in [0, 1], sRGB-encoded. It is never to become darker.

    small: what `calm` makes of it, where that is known.
    """
    hidden = np.tanh(_INTO @ features(calm(dark) if small is None else small) + _INTO_BIAS)
    mean, saturation = np.exp(_OUT @ hidden + _OUT_BIAS)
    own = float((dark @ LUMA).mean())
    return Lit(min(max(float(mean), own), 1.0), max(float(saturation) - PALEST, 0.0))


def features(rgb: np.ndarray) -> np.ndarray:
    """What the network is told of a picture as `calm` gives it: twelve numbers, most of them logarithms."""
    luma, most = rgb @ LUMA, rgb.max(axis=2)
    mean, white = float(luma.mean()), float(np.percentile(most, _BRIGHTEST))
    tones = [*np.percentile(luma, _PERCENTILES), white, mean, np.clip(mean / max(white, 1 / 255), 0.02, 1)]
    return np.array([*np.log(np.array(tones) + _DARK), saturation(rgb), white])


def saturation(rgb: np.ndarray) -> float:
    """Mean distance between the channels, as a part of mean luma."""
    return float((rgb.max(axis=2) - rgb.min(axis=2)).mean()) / max(float((rgb @ LUMA).mean()), 1e-4)


def calm(rgb: np.ndarray) -> np.ndarray:
    """A picture without most of its noise, at most 1,024 pixels wide and high."""
    height, width = rgb.shape[:2]
    factor = max(1.0, max(height, width) / _SIDE)
    size = max(1, round(width / factor)), max(1, round(height / factor))
    return np.asarray(cv2.blur(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), (_BLUR, _BLUR)))

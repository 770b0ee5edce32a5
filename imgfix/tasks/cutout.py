"""The subject of a picture with soft edges, its own colours up to the edge, and something else behind it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from imgfix.errors import InputError

BAND = 0.012
"""Share of the longer side on each side of the subject's edge in which the matte is looked for."""
BAND_LEAST, BAND_MOST = 6, 80
SMOOTH = 1e-4
"""How little a colour may differ and still be told apart by the matte, as a variance of values in [0, 1]."""
_MOST_PIXELS = 4_000_000
"""Beyond this the matte's coefficients are found at a smaller size; the picture itself guides it at its own."""


def matte(rgb: np.ndarray, rough: np.ndarray) -> np.ndarray:
    """A rough, soft map of the subject as a matte that follows the picture's own edges.

    Within a band around the map's edge each pixel's share is a linear function of its colour, fitted in a window
    around it (guided filter: He et al. 2010, IEEE TPAMI 35(6), 2013); outside it is 0 or 1.
    rgb: (H, W, 3) float32 in [0, 1]. rough: (H, W) float32 in [0, 1]. Returns the like of `rough`.
    """
    height, width = rough.shape
    band = int(np.clip(BAND * max(height, width), BAND_LEAST, BAND_MOST))
    inside = rough >= 0.5
    edge = _near(inside, band) & _near(~inside, band)
    # Where the network itself is unsure (hair, fur, glass) the band is as wide as its doubt.
    unsure = (rough > 0.08) & (rough < 0.92)
    edge |= unsure
    fitted = guided(rgb, rough, band)
    # The fit is a little soft everywhere: what is nearly all or nothing is taken for that.
    sharp = np.clip((fitted - 0.1) / 0.8, 0, 1)
    return np.where(edge, sharp, inside).astype(np.float32)


def guided(rgb: np.ndarray, values: np.ndarray, radius: int, smooth: float = SMOOTH) -> np.ndarray:
    """The guided filter with a colour picture as its guide; (H, W, 3) and (H, W) float32, gives (H, W) in [0, 1]."""
    height, width = values.shape
    step = max(1.0, (height * width / _MOST_PIXELS) ** 0.5)
    size = max(1, round(width / step)), max(1, round(height / step))
    guide = rgb if step == 1.0 else cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    small = values if step == 1.0 else cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    reach = 2 * max(1, round(radius / step)) + 1

    def mean(x: np.ndarray) -> np.ndarray:
        return cv2.blur(x, (reach, reach), borderType=cv2.BORDER_REFLECT)

    average, level = mean(guide), mean(small)
    channels = [guide[..., index] for index in range(3)]
    # Covariance of the colours in each window, and of the colours with the values.
    covariance = np.empty((*small.shape, 3, 3), np.float32)
    for first in range(3):
        for second in range(first, 3):
            product = mean(channels[first] * channels[second]) - average[..., first] * average[..., second]
            covariance[..., first, second] = covariance[..., second, first] = product
        covariance[..., first, first] += smooth
    joint = np.stack([mean(channel * small) for channel in channels], axis=-1) - average * level[..., None]
    slope = np.linalg.solve(covariance, joint[..., None])[..., 0]
    offset = level - (slope * average).sum(axis=-1)
    slope, offset = mean(slope), mean(offset)
    if step != 1.0:
        slope = cv2.resize(slope, (width, height), interpolation=cv2.INTER_LINEAR)
        offset = cv2.resize(offset, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip((slope * rgb).sum(axis=-1) + offset, 0, 1)


def decontaminated(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The subject's own colours: where it is half there, without what shone through from behind it.

    Foreground and background are estimated as blurred, weighted averages, first over a wide window, then over a narrow
    one (Forte 2021, arXiv 2101.09252). rgb: (H, W, 3) float32 in [0, 1]. alpha: (H, W). Where alpha is 1 nothing
    changes; where it is 0 the colours of the nearest edge go on, so that resizing brings no rim back.
    """
    found = rgb
    behind = rgb
    height, width = alpha.shape
    weight = alpha[..., None]
    for reach in (max(5, round(max(height, width) / 40)), 6):
        window = (2 * reach + 1, 2 * reach + 1)
        share = cv2.blur(alpha, window)[..., None]
        front = cv2.blur(found * weight, window) / (share + 1e-5)
        back = cv2.blur(behind * (1 - weight), window) / (1 - share + 1e-5)
        found = np.clip(front + weight * (rgb - weight * front - (1 - weight) * back), 0, 1)
        behind = back
    return np.where(weight >= 1, rgb, found).astype(np.float32)


@dataclass(frozen=True)
class Background:
    """What is put behind a subject; of the three one, or none for transparency."""

    colour: tuple[int, int, int] | None = None
    """8-bit RGB."""
    picture: np.ndarray | None = None
    """(h, w, 3) float32 in [0, 1]; made to cover the whole, its middle shown."""
    blur: float | None = None
    """The picture's own background, out of focus: this share of the longer side."""

    @property
    def transparent(self) -> bool:
        """Whether nothing is put behind."""
        return self.colour is None and self.picture is None and self.blur is None


def cutout(
    rgb: np.ndarray, rough: np.ndarray, background: Background | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `rough` says of a picture, with soft edges.

    rgb: (H, W, 3) float32 in [0, 1]. rough: (H, W) float32 in [0, 1].
    Returns the picture, on its background where there is one, the share of the subject in each pixel, and where the
    picture stayed as it was, bool. Raises InputError: there is nothing in `rough`.
    """
    if float(rough.max(initial=0)) < 0.5:
        raise InputError("no main subject was found", hint="choose one: `point` x,y or `object` NAME")
    alpha = matte(rgb, rough)
    front = decontaminated(rgb, alpha)
    if background is None or background.transparent:
        return front, alpha, alpha >= 1
    behind = _behind(rgb, alpha, background)
    return front * alpha[..., None] + behind * (1 - alpha[..., None]), alpha, alpha >= 1


def _behind(unit: np.ndarray, alpha: np.ndarray, wanted: Background) -> np.ndarray:
    height, width = alpha.shape
    if wanted.colour is not None:
        return np.full((height, width, 3), np.array(wanted.colour, np.float32) / 255, np.float32)
    if wanted.picture is not None:
        return covering(wanted.picture, width, height)
    # What is out of focus must not bring the subject's colours along: only what is surely background is averaged.
    spread = max(1.0, (wanted.blur or 0.0) * max(height, width))
    reach = 2 * max(3, round(BAND * max(height, width) / 2)) + 1
    weight = 1 - cv2.dilate(alpha, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    share = cv2.GaussianBlur(weight, (0, 0), spread)[..., None]
    return cv2.GaussianBlur(unit * weight[..., None], (0, 0), spread) / np.maximum(share, 1e-4)


def covering(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """A picture (h, w, 3) resized so that it covers (width, height), cut off evenly on both sides."""
    factor = max(width / picture.shape[1], height / picture.shape[0])
    size = max(width, round(picture.shape[1] * factor)), max(height, round(picture.shape[0] * factor))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    large = np.clip(cv2.resize(picture, size, interpolation=method), 0, 1)
    left, above = (size[0] - width) // 2, (size[1] - height) // 2
    return large[above : above + height, left : left + width]


def _near(inside: np.ndarray, pixels: int) -> np.ndarray:
    distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance <= pixels

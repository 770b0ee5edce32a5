"""Finds scratches and dust on scanned pictures, bright and dark ones; classical, for a mask that inpainting fills.

A scratch is thin, long and nearly straight, stands out from both of its sides, and does not care what it crosses; dust
is a small compact speck on something calm. What is thin is left by a morphological top-hat (or black-hat); of that,
what is long is left by openings with short lines in all directions (Soille, "Morphological Image Analysis", 2003); and
of that, what is lonely is taken: where thin things lie close together they are hair, grass, or print.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

WORKING_PIXELS = 2_500_000  # larger pictures are looked at in a smaller form, which keeps the brightest of what is thin
THIN = 9  # pixels: what is wider is no scratch
LINE = 25  # pixels that a scratch runs nearly straight
DIRECTIONS = 24
LEAST_CONTRAST = 0.055
BUSY = 3.0  # how many times what is around it has to be exceeded
LEAST_LENGTH = 40  # pixels
THICKEST = 9.0  # pixels
MOST_CROWD = (
    0.06  # share of a neighbourhood that thin lines may take up besides the scratch itself: hair, fences, print
)
NEAR = 81  # pixels of a neighbourhood
SPECK = 14  # pixels: larger spots belong to the picture
SPECK_CONTRAST = 0.22
CALM = 0.012  # mean contrast of thin things around a speck
MOST_COLOUR = 0.15  # difference of the largest and the smallest channel
FRAME = 6  # pixels from the border
MARGIN = 1.5  # pixels the mask is wider than what was seen, for soft edges
# A logistic regression on 1,980 thin things in photos with and without painted scratches; see `lines` for what it sees.
WEIGHTS = np.array([9.228, 3.548, -1.715, -3.386, 5.52, -11.56, -18.4, -32.3, -4.051, 0.4285, -7.613, -1.787, 0.4503])
BIAS = -2.3  # half below the point of even odds: a scratch that is missed does less harm than a wire that is taken away
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class _View:
    """A picture as it is looked at: bright scratches are sought, dark ones in its negative. Planes of (h, w)."""

    value: np.ndarray
    """Brightness, the largest of each square where the picture was made smaller."""
    thin: np.ndarray
    """Contrast of what is narrower than a scratch may be."""
    small: np.ndarray
    """Contrast of what is narrower than a speck may be."""
    edge: np.ndarray
    """How much what lies behind the thin things changes across them."""
    colour: np.ndarray
    """Difference of the largest and the smallest channel."""
    colour_behind: np.ndarray
    """The same of what is around."""
    end: float
    """The brightest that the picture gets."""


def find(rgb: np.ndarray) -> np.ndarray:
    """Mask of scratches and dust.

    Args:
        rgb: (H, W, 3) float32 in [0, 1], sRGB-encoded.

    Returns:
        (H, W) float32, 1 = scratch.
    """
    height, width = rgb.shape[:2]
    if min(height, width) < 2 * LINE:
        return np.zeros((height, width), np.float32)
    step = max(1, math.ceil(math.sqrt(height * width / WORKING_PIXELS)))
    found = np.zeros((-(-height // step), -(-width // step)), bool)
    for view in _views(rgb, step):
        for part, features in lines(view):
            if float(features @ WEIGHTS) + BIAS > 0:
                found[part] = True
        found |= _dust(view)
    if not found.any():
        return np.zeros((height, width), np.float32)
    mask = cv2.resize(
        found.astype(np.uint8), (found.shape[1] * step, found.shape[0] * step), interpolation=cv2.INTER_NEAREST
    )
    distance = cv2.distanceTransform(1 - mask[:height, :width], cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return (distance <= MARGIN * step).astype(np.float32)


def _views(rgb: np.ndarray, step: int) -> Iterator[_View]:
    brightness = cv2.GaussianBlur(rgb @ _LUMA, (0, 0), 0.7 * step)
    colour = cv2.blur(rgb.max(axis=2) - rgb.min(axis=2), (3, 3))
    element = np.ones((THIN * step | 1, THIN * step | 1), np.uint8)
    behind_colour = _pooled(cv2.medianBlur((colour * 255).astype(np.uint8), 21) / np.float32(255), step)
    colour = -_pooled(-colour, step)
    dark, bright = np.percentile(brightness, (0.5, 99.5))
    for picture, end in ((brightness, bright), (1 - brightness, 1 - dark)):
        thin, behind = _thin(picture, THIN * step)
        small, _ = _thin(picture, SPECK * step)
        edge = cv2.morphologyEx(behind, cv2.MORPH_GRADIENT, element)
        value, thin, small = (_pooled(plane, step) for plane in (picture, thin, small))
        yield _View(value, thin, small, -_pooled(-edge, step), colour, behind_colour, float(end))


def _thin(picture: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """What is bright and narrower than `width`, and what is left without it."""
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width | 1, width | 1))
    behind = cv2.morphologyEx(picture, cv2.MORPH_OPEN, element)
    return picture - behind, behind


def _pooled(values: np.ndarray, step: int) -> np.ndarray:
    """The largest value of each square of `step` pixels."""
    if step == 1:
        return values
    height, width = (-(-side // step) * step for side in values.shape)
    edges = ((0, height - values.shape[0]), (0, width - values.shape[1]))
    padded = np.pad(values, edges, mode="edge")
    out: np.ndarray = padded.reshape(height // step, step, width // step, step).max(axis=(1, 3))
    return out


def lines(view: _View) -> Iterator[tuple[tuple[np.ndarray, np.ndarray], np.ndarray]]:
    """Long thin things: the pixels of each (rows, columns), and the numbers by which it is judged."""
    thin = view.thin
    around = cv2.blur(np.minimum(thin, 0.5), (NEAR, NEAR), borderType=cv2.BORDER_REFLECT)
    limit = LEAST_CONTRAST + BUSY * around
    seeds = _along_lines(thin, LINE) > limit
    if not seeds.any():
        return
    # From what is certain along what is less so: bends, faint stretches.
    candidates = (_along_lines(thin, LINE // 2) > 0.6 * limit) | seeds
    count, labels, stats, _ = cv2.connectedComponentsWithStats(candidates.astype(np.uint8), connectivity=8)
    busy = cv2.blur(candidates.astype(np.float32), (NEAR, NEAR), borderType=cv2.BORDER_CONSTANT)
    thick = cv2.distanceTransform(candidates.astype(np.uint8), cv2.DIST_L2, 3)
    least = max(LEAST_LENGTH, 0.04 * min(thin.shape))
    seeded = np.bincount(labels[seeds], minlength=count)
    for label in range(1, count):
        x, y, w, h, area = stats[label]
        if math.hypot(w, h) < least or seeded[label] < 0.3 * area:
            continue
        rows, columns = np.nonzero(labels[y : y + h, x : x + w] == label)
        part = (rows + y, columns + x)
        if _along_the_frame(part, thin.shape):
            continue
        width = 2 * float(np.quantile(thick[part], 0.9))
        if width > THICKEST:
            continue
        length = area / width
        contrast, value = thin[part], view.value[part]
        # What the scratch itself takes up of its neighbourhood is no crowd.
        own = min(1.0, width * min(length, NEAR) * 1.3 / NEAR**2)
        crowd = float(np.median(busy[part])) - own
        if crowd > MOST_CROWD:
            continue
        middle = float(np.median(contrast))
        places = np.stack([rows, columns]).astype(np.float64)
        spread = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(places)), 0))
        features = np.array(
            [
                middle,
                float(contrast.std()) / middle,
                float(np.median(view.edge[part])) / middle,
                view.end - float(np.median(value)),
                float(value.std()),
                float(np.median(view.colour[part])),
                float(np.median(view.colour[part] - view.colour_behind[part])),
                crowd,
                float(np.median(around[part])) / middle,
                width,
                float(thick[part].std()),
                float(spread[0] / spread[1]),
                math.log(length),
            ]
        )
        yield part, features


def _along_the_frame(part: tuple[np.ndarray, np.ndarray], shape: tuple[int, ...]) -> bool:
    """Whether a line is the edge of the scan itself, as a frame or a mount leaves it."""
    rows, columns = part
    away = np.minimum(np.minimum(rows, shape[0] - 1 - rows), np.minimum(columns, shape[1] - 1 - columns))
    return float(np.quantile(away, 0.8)) < FRAME


def _along_lines(values: np.ndarray, length: int) -> np.ndarray:
    """The largest opening with a line of that length in any direction: what holds along it."""
    best = np.zeros_like(values)
    for n in range(DIRECTIONS):
        angle = math.pi * n / DIRECTIONS
        best = np.maximum(best, cv2.morphologyEx(values, cv2.MORPH_OPEN, _line(length, angle)))
    return best


def _line(length: int, angle: float) -> np.ndarray:
    half = length // 2
    element = np.zeros((length | 1, length | 1), np.uint8)
    dx, dy = round(half * math.cos(angle)), round(half * math.sin(angle))
    cv2.line(element, (half - dx, half - dy), (half + dx, half + dy), 1, 1)
    rows, columns = np.flatnonzero(element.any(axis=1)), np.flatnonzero(element.any(axis=0))
    return element[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _dust(view: _View) -> np.ndarray:
    """Compact specks of high contrast where it is calm around."""
    candidates = view.small > SPECK_CONTRAST
    around = cv2.blur(view.thin, (NEAR // 2 | 1, NEAR // 2 | 1), borderType=cv2.BORDER_REFLECT)
    count, labels, stats, centres = cv2.connectedComponentsWithStats(candidates.astype(np.uint8), connectivity=8)
    keep = np.zeros(count, bool)
    for label in range(1, count):
        left, top, w, h, area = stats[label]
        if max(w, h) > SPECK or max(w, h) > 3 * min(w, h) or area < max(4, 0.5 * w * h):
            continue
        x, y = (round(value) for value in centres[label])
        extreme = view.value[y, x] > 0.85 * view.end
        own = float(view.thin[top : top + h, left : left + w].sum()) / (NEAR // 2 | 1) ** 2
        keep[label] = around[y, x] - own < CALM and extreme and view.colour[y, x] < MOST_COLOUR
    found: np.ndarray = keep[labels]
    return found

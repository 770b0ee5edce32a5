"""What is laid over a picture: its colours, its alpha, and which of its pixels count as the thing."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

VISIBLE = 0.1
"""Alpha, as a part of a layer's highest, from which a pixel belongs to the thing."""
_LEAST_CONTRAST = 9.0
"""Mean change of the picture, of 255, below which nobody would see the thing."""


@dataclass(frozen=True)
class Layer:
    """A thing with a place; parts of it may lie outside the picture."""

    kind: str
    """One of `imgfix.train.overlays.compose.KINDS`."""
    rgb: np.ndarray
    """(h, w, 3) float32 in [0, 255], not multiplied by alpha."""
    alpha: np.ndarray
    """(h, w) float32 in [0, 1]."""
    region: np.ndarray
    """(h, w) bool: the pixels of the thing, gaps between letters included."""
    left: int
    top: int


@dataclass(frozen=True)
class Instance:
    """A thing in a picture."""

    kind: str
    mask: np.ndarray
    """(H, W) bool."""
    alpha: np.ndarray
    """(H, W) float32 in [0, 1], what the picture was covered with."""


def region_of(alpha: np.ndarray, gap: float = 0.0) -> np.ndarray:
    """Which pixels (h, w) bool are the thing: where alpha is seen, and gaps narrower than `gap` pixels between."""
    seen = (alpha > VISIBLE * max(float(alpha.max(initial=0)), 1e-6)).astype(np.uint8)
    width = int(gap) | 1
    if width < 3:
        return seen.astype(bool)
    edge = width
    padded = cv2.copyMakeBorder(seen, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=0)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, brush)
    return closed[edge:-edge, edge:-edge].astype(bool)


def lay(picture: np.ndarray, layer: Layer) -> Instance | None:
    """Put a layer over a picture (H, W, 3) float32 in [0, 255], in place.

    None, and the picture as it was: the layer lies outside, or nobody would see it.
    """
    height, width = picture.shape[:2]
    h, w = layer.alpha.shape
    x0, y0, x1, y1 = max(layer.left, 0), max(layer.top, 0), min(layer.left + w, width), min(layer.top + h, height)
    if x1 <= x0 or y1 <= y0:
        return None
    part = np.s_[y0 - layer.top : y1 - layer.top, x0 - layer.left : x1 - layer.left]
    alpha, region = layer.alpha[part], layer.region[part]
    solid = alpha > VISIBLE * float(layer.alpha.max())
    if region.sum() < 0.5 * layer.region.sum() or solid.sum() < 12:
        return None
    below = picture[y0:y1, x0:x1]
    change = (layer.rgb[part] - below) * alpha[..., None]
    if float(np.abs(change[solid]).mean()) < _LEAST_CONTRAST:
        return None
    below += change
    mask, covered = np.zeros((height, width), bool), np.zeros((height, width), np.float32)
    mask[y0:y1, x0:x1], covered[y0:y1, x0:x1] = region, alpha
    return Instance(layer.kind, mask, covered)


def turned(layer_rgba: np.ndarray, degrees: float) -> np.ndarray:
    """(h, w, 4) float32 turned about its middle, on a canvas that holds all of it; colours do not bleed."""
    h, w = layer_rgba.shape[:2]
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1.0)
    across = int(abs(h * turn[0, 1]) + abs(w * turn[0, 0])) + 2
    down = int(abs(h * turn[0, 0]) + abs(w * turn[0, 1])) + 2
    turn[:, 2] += across / 2 - w / 2, down / 2 - h / 2
    return unmixed(cv2.warpAffine(mixed(layer_rgba), turn, (across, down), flags=cv2.INTER_LINEAR))


def resized(layer_rgba: np.ndarray, width: int, height: int) -> np.ndarray:
    """(h, w, 4) float32 brought to another size; colours of transparent pixels do not bleed in."""
    smaller = width < layer_rgba.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    found = cv2.resize(mixed(layer_rgba), (max(1, width), max(1, height)), interpolation=how)
    return unmixed(np.clip(found, 0, 255))


def mixed(rgba: np.ndarray) -> np.ndarray:
    """(h, w, 4), colours in [0, 255] and alpha in [0, 1], to colours multiplied by alpha."""
    return np.concatenate([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], axis=-1).astype(np.float32)


def unmixed(rgba: np.ndarray) -> np.ndarray:
    """The opposite of `mixed`."""
    alpha = np.clip(rgba[..., 3:], 0, 1)
    colours = np.clip(rgba[..., :3] / np.maximum(alpha, 1e-4), 0, 255)
    return np.concatenate([colours, alpha], axis=-1).astype(np.float32)

"""Composites: a photo, things laid over it, and exactly which pixels they cover."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from imgfix.train.overlays import kinds
from imgfix.train.overlays.assets import Assets
from imgfix.train.overlays.kinds import Sheet
from imgfix.train.overlays.layer import Instance, Layer, lay
from imgfix.train.overlays.scene import print_on_scene

MAKERS: dict[str, Callable[[Sheet], list[Layer]]] = {
    "date": kinds.date,
    "subtitle": kinds.subtitle,
    "caption": kinds.caption,
    "sticker": kinds.stickers,
    "stamp": kinds.stamp,
    "logo": kinds.logo,
    "frame": kinds.frame,
}
KINDS = tuple(MAKERS)
"""What is laid over pictures, in the order of the classes of a detector."""
_LARGER = (1.0, 1.0, 1.5, 2.0)
"""How many times larger than it is seen a composite is made: most photos are made smaller for the detector."""
_LEAST = 24
"""Pixels that a thing must have."""


@dataclass(frozen=True)
class Composite:
    """A picture with things laid over it."""

    picture: np.ndarray
    """(H, W, 3) uint8."""
    clean: np.ndarray
    """(H, W, 3) uint8: the same without them."""
    instances: tuple[Instance, ...]


@dataclass(frozen=True)
class Plan:
    """How composites are made."""

    weights: tuple[float, ...] = (2.0, 2.0, 2.0, 3.0, 1.0, 2.0, 1.0)
    """How often each of `KINDS` is chosen."""
    none: float = 0.1
    """Share of the pictures with nothing over them."""
    scene: float = 0.4
    """Share of the pictures with writing or drawings in the scene, which are not to be found."""
    compressed: float = 0.6
    """Share of the pictures that are JPEGs afterwards."""


def larger(rng: np.random.Generator) -> float:
    """How many times larger than it will be seen a composite's photo is to be."""
    return float(rng.choice(_LARGER))


def compose(
    photo: np.ndarray, size: tuple[int, int], assets: Assets, plan: Plan, rng: np.random.Generator,
    only: Sequence[str] | None = None,
) -> Composite:  # fmt: skip
    """Lay things over a photo (h, w, 3) uint8, and bring it to a size, width and height.

    only: the kinds to lay over it, each once; else some are drawn.
    """
    picture: np.ndarray = photo.astype(np.float32)
    sheet = Sheet(picture.shape[1], picture.shape[0], assets, rng)
    for _ in range(int(rng.integers(1, 3)) if rng.random() < plan.scene else 0):
        print_on_scene(picture, sheet)
    if rng.random() < 0.5:
        picture = _compressed(picture, int(rng.integers(60, 99)))
    clean, found = picture.copy(), []
    for kind in _drawn(plan, rng) if only is None else only:
        for layer in MAKERS[kind](sheet):
            instance = lay(picture, layer)
            found += [instance] if instance is not None else []
    smaller = (picture.shape[1], picture.shape[0]) != size
    if smaller:
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        clean = cv2.resize(clean, size, interpolation=cv2.INTER_AREA)
        found = [_shrunk(one, size) for one in found]
    if rng.random() < plan.compressed:
        quality = int(rng.integers(55, 98))
        picture, clean = _compressed(picture, quality), _compressed(clean, quality)
    kept = tuple(one for one in found if one.mask.sum() >= _LEAST)
    return Composite(_bytes(picture), _bytes(clean), kept)


def _drawn(plan: Plan, rng: np.random.Generator) -> list[str]:
    """Which kinds, a frame first: everything else is laid over it."""
    if rng.random() < plan.none:
        return []
    count = int(rng.choice([1, 2, 3, 4], p=[0.4, 0.3, 0.2, 0.1]))
    weights = np.array(plan.weights, np.float64)
    count = min(count, int((weights > 0).sum()))
    chosen = [KINDS[index] for index in rng.choice(len(KINDS), count, replace=False, p=weights / weights.sum())]
    return sorted(chosen, key=lambda kind: kind != "frame")


def _shrunk(one: Instance, size: tuple[int, int]) -> Instance:
    mask = cv2.resize(one.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5
    return Instance(one.kind, mask, cv2.resize(one.alpha, size, interpolation=cv2.INTER_AREA))


def _compressed(picture: np.ndarray, quality: int) -> np.ndarray:
    _, data = cv2.imencode(".jpg", _bytes(picture)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded: np.ndarray = cv2.imdecode(data, cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return np.ascontiguousarray(decoded[..., ::-1], np.float32)


def _bytes(picture: np.ndarray) -> np.ndarray:
    found: np.ndarray = (np.clip(picture, 0, 255) + 0.5).astype(np.uint8)
    return found

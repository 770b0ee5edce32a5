"""Faces restored in a picture: each is brought upright into a square, restored there, and its change is put back.

What is put back is what the network changed, not what it gave: where it changes nothing, the picture stays as it is to
the last bit, and a face that is larger than the square keeps the detail that the square does not hold. An oval that
fades out keeps the change to the face and off the edge of the square, so that nothing has to be parsed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from imgfix.runtime.engine import Engine
from imgfix.tasks.faces.face import Face
from imgfix.tasks.samples import to_floats, to_samples

if TYPE_CHECKING:
    from imgfix.media.colour import ColourTransform

SIDE = 512
"""Side of the square, for a model that does not say."""
_CENTRE, _RADII = (0.5, 0.52), (0.46, 0.48)
"""Of the oval, of the side: from above the brows to below the chin."""
_FULL = 0.7
"""Up to this share of its radius the change counts in full."""
_SQUARED = 3.0
"""Exponent of the oval; 2 is an ellipse, and more of it fills the corners better."""
_BROAD = 1 / 16
"""Standard deviation, of the side: colours that are as broad are the picture's own. Networks with a generator drift."""


@dataclass(frozen=True)
class FaceRequest:
    """A face that is to be restored."""

    face: Face
    share: float = 1.0
    """How much of the change, 0 to 1."""


@dataclass(frozen=True)
class _Patch:
    """What changes around one face."""

    top: int
    left: int
    weight: np.ndarray
    """(h, w) float32, 1 in the middle of the face."""
    change: np.ndarray
    """(h, w, 3) float32."""

    @property
    def bottom(self) -> int:
        return self.top + self.weight.shape[0]

    @property
    def right(self) -> int:
        return self.left + self.weight.shape[1]

    def meets(self, other: _Patch) -> bool:
        rows = self.top < other.bottom and other.top < self.bottom
        return rows and self.left < other.right and other.left < self.right


def restore_faces(
    pixels: np.ndarray,
    wanted: Sequence[FaceRequest],
    engine: Engine,
    *,
    colour: ColourTransform | None = None,
    alpha: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Restore faces of a picture.

    Args:
        pixels: (H, W, C) uint8 or uint16; C is what `colour` takes, 1 or 3 without it. Not changed.
        wanted: the faces. Each is restored from the picture as it is, whatever becomes of its neighbours.
        engine: a network for squares around faces, (1, 3, S, S) to the same.
        alpha: (H, W) of the same type; what is wholly transparent stays.
        progress: told (done, total) faces.

    Returns:
        An array like `pixels`; where no face is, it is the same to the last bit.
    """
    patches = []
    for number, one in enumerate(wanted, start=1):
        patch = _patch(pixels, one, engine, colour) if one.share > 0 else None
        patches += [patch] if patch is not None else []
        if progress is not None:
            progress(number, len(wanted))
    made = pixels.copy() if patches else pixels
    for group in _groups(patches):
        _apply(made, pixels, group, colour, alpha)
    return made


def _patch(pixels: np.ndarray, wanted: FaceRequest, engine: Engine, colour: ColourTransform | None) -> _Patch | None:
    side = engine.descriptor.native_size or SIDE
    to_square = wanted.face.to_square(side)
    top, bottom, left, right = _around(to_square, side, *pixels.shape[:2])
    if top >= bottom or left >= right:
        return None
    local = to_square.copy()
    local[:, 2] += to_square[:, :2] @ (left, top)
    square = into_square(to_floats(pixels[top:bottom, left:right], colour), local, side)
    made = engine.run(torch.from_numpy(square).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    change = np.clip(made, 0, 1) - square
    change -= cv2.GaussianBlur(change, (0, 0), _BROAD * side, borderType=cv2.BORDER_REFLECT_101)
    size = bottom - top, right - left
    return _Patch(top, left, oval(local, side, size), np.float32(wanted.share) * _put_back(change, local, size))


def _around(to_square: np.ndarray, side: int, height: int, width: int) -> tuple[int, int, int, int]:
    """Rows and columns of the picture that the square reaches; top, bottom, left, right."""
    back = cv2.invertAffineTransform(to_square)
    corners = np.array([[-1, -1, 1], [side, -1, 1], [-1, side, 1], [side, side, 1]]) @ back.T
    (left, top), (right, bottom) = np.floor(corners.min(axis=0)) - 1, np.ceil(corners.max(axis=0)) + 2
    return max(0, int(top)), min(height, int(bottom)), max(0, int(left)), min(width, int(right))


def into_square(rgb: np.ndarray, to_square: np.ndarray, side: int) -> np.ndarray:
    """Bring what is around a face upright, (h, w, 3) -> (side, side, 3) float32; beyond the picture it is mirrored.

    A larger face is shrunk by averaging first: sampled as it is, it would alias.
    """
    height, width = rgb.shape[:2]
    scale = _scale(to_square)
    if scale < 1:
        size = max(1, math.ceil(width * scale)), max(1, math.ceil(height * scale))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
        steps = np.array([width / size[0], height / size[1]])
        shift = to_square[:, :2] @ ((steps - 1) / 2) + to_square[:, 2]  # between the centres of pixels
        to_square = np.column_stack([to_square[:, :2] * steps, shift])
    made: np.ndarray = cv2.warpAffine(
        rgb, to_square, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.ascontiguousarray(np.clip(made, 0, 1))


def _put_back(change: np.ndarray, to_square: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A change in the square as one of the picture, (side, side, 3) -> (h, w, 3)."""
    scale = _scale(to_square)
    if scale > 1:
        change = cv2.GaussianBlur(change, (0, 0), 0.4 * scale, borderType=cv2.BORDER_REFLECT_101)
    kind = cv2.INTER_LINEAR if scale > 1 else cv2.INTER_CUBIC
    made: np.ndarray = cv2.warpAffine(
        change, to_square, size[::-1], flags=kind | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT
    )
    return made


def _scale(to_square: np.ndarray) -> float:
    return math.hypot(to_square[0, 0], to_square[1, 0])


def oval(to_square: np.ndarray, side: int, size: tuple[int, int]) -> np.ndarray:
    """How much each pixel belongs to a face, (h, w) float32 in [0, 1]: 1 inside, 0 before the edge of the square."""
    y, x = np.arange(size[0], dtype=np.float32)[:, None], np.arange(size[1], dtype=np.float32)
    matrix = to_square.astype(np.float32)
    total = np.zeros(size, np.float32)
    for row, centre, radius in zip(matrix, _CENTRE, _RADII, strict=True):
        at = (row[0] * x + row[1] * y + row[2] + np.float32(0.5)) / np.float32(side)
        total += np.abs((at - np.float32(centre)) / np.float32(radius)) ** np.float32(_SQUARED)
    inside = np.clip((1 - total ** np.float32(1 / _SQUARED)) / np.float32(1 - _FULL), 0, 1)
    return inside * inside * (3 - 2 * inside)


def _groups(patches: Sequence[_Patch]) -> list[list[_Patch]]:
    """Patches that meet, together: heads that are put together share what lies between them."""
    groups: list[list[_Patch]] = []
    for patch in patches:
        near = [group for group in groups if any(patch.meets(other) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([patch, *(other for group in near for other in group)])
    return groups


def _apply(
    made: np.ndarray,
    pixels: np.ndarray,
    group: Sequence[_Patch],
    colour: ColourTransform | None,
    alpha: np.ndarray | None,
) -> None:
    """Write the changes of patches that meet into `made`."""
    top, left = min(patch.top for patch in group), min(patch.left for patch in group)
    box = np.s_[top : max(patch.bottom for patch in group), left : max(patch.right for patch in group)]
    part = pixels[box]
    weight, change = np.zeros(part.shape[:2], np.float32), np.zeros((*part.shape[:2], 3), np.float32)
    for patch in group:
        own = np.s_[patch.top - top : patch.bottom - top, patch.left - left : patch.right - left]
        weight[own] += patch.weight
        change[own] += patch.weight[..., None] * patch.change
    change /= np.maximum(weight, 1)[..., None]
    touched: np.ndarray = np.any(change != 0, axis=2)
    if alpha is not None:
        touched &= alpha[box] > 0
    done = to_samples(np.clip(to_floats(part, colour) + change, 0, 1), part, colour)
    made[box] = np.where(touched[..., None], done, part)

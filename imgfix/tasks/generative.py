"""Filling with a network: a window of the picture, brought to the size the network knows, filled, and brought back."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from imgfix.errors import ModelError
from imgfix.runtime.engine import Engine
from imgfix.tasks.consensus import UNDECIDED, consensus
from imgfix.tasks.detail import refined

DEFAULT_NATIVE = 512
SMALLEST = 256  # pixels: smaller windows are enlarged to this, there is too little in them otherwise
CLOSE = 0.9  # times the native size, from which on no sizes between are tried
VOTE = 0.875  # times the size, for runs that only vote
SOFT = 1.2  # times the native size, from which on a window that was shrunk gets its fine detail from its surroundings


class Filler:
    """Fills holes in windows of a picture with an inpainting network.

    tta: join several runs (mirrored, at other sizes) into one fill; `None`: for windows smaller or larger than the
    network's native size, which are harder and few, unless its descriptor says that this does it no good. Raises
    ModelError for a model of another kind.
    """

    def __init__(self, engine: Engine, tta: bool | None = None) -> None:
        facts = engine.descriptor
        if facts.in_channels != 4 or facts.out_channels != 3:
            raise ModelError(
                f"{facts.name} cannot fill holes: it takes {facts.in_channels} channels, not mask and colour",
                hint="imgfix weights list names the models for 'inpaint'",
            )
        self.engine = engine
        self.tta = tta
        self.self_ensemble = facts.self_ensemble
        self.native = facts.native_size or DEFAULT_NATIVE
        self.multiple = max(1, facts.size_multiple)

    def fill(self, rgb: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """Fill the hole of a window.

        rgb: (h, w, 3) float32 in [0, 1], sRGB-encoded; what is in the hole is not looked at. hole: (h, w) bool. Returns
        (h, w, 3) float32, of which the hole is of interest.
        """
        height, width = hole.shape
        side = max(height, width)
        found = self._joined(rgb, hole, side)
        if found.shape[:2] == hole.shape:
            return found
        if side > SOFT * self.native:
            return refined(rgb, hole, found)
        return cv2.resize(found, (width, height), interpolation=cv2.INTER_CUBIC)

    def _joined(self, rgb: np.ndarray, hole: np.ndarray, side: int) -> np.ndarray:
        """One run, or several of which places are taken where they agree best; not larger than the native size."""
        least = min(self.native, max(side, SMALLEST))
        if self.tta is False or (self.tta is None and (side == self.native or not self.self_ensemble)):
            return self._at(rgb, hole, least)
        if least < CLOSE * self.native:
            # Smaller than the network is used to: from its own size to the native one, no size is better than another.
            sizes = [round(float(size)) for size in np.linspace(least, self.native, 5)]
            fills = [self._at(rgb, hole, size) for size in sizes]
            return consensus([*fills, *(self._at(rgb, hole, size, mirrored=True) for size in sizes[1:3])])
        fills = [self._at(rgb, hole, least, mirrored) for mirrored in (False, True)]
        smaller = [self._at(rgb, hole, round(VOTE * least), mirrored) for mirrored in (False, True)]
        size = fills[0].shape[1::-1]
        voters = [cv2.resize(fill, size, interpolation=cv2.INTER_CUBIC) for fill in smaller]
        return consensus(fills, voters, UNDECIDED)

    def _at(self, rgb: np.ndarray, hole: np.ndarray, side: int, mirrored: bool = False) -> np.ndarray:
        """The window, its hole filled when its longer side is `side` pixels; as large as that, or as it was."""
        height, width = hole.shape
        scale = side / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small, small_hole = _resized(rgb, hole, size)
        if mirrored:
            found = self._run(small[:, ::-1], small_hole[:, ::-1])[:, ::-1]
        else:
            found = self._run(small, small_hole)
        # The network answers for the hole alone: outside it draws what it likes.
        found = np.where(small_hole[..., None], found, small)
        return cv2.resize(found, (width, height), interpolation=cv2.INTER_AREA) if scale > 1 else found

    def _run(self, rgb: np.ndarray, hole: np.ndarray) -> np.ndarray:
        height, width = hole.shape
        down, right = -height % self.multiple, -width % self.multiple
        rgb = cv2.copyMakeBorder(np.where(hole[..., None], 0, rgb), 0, down, 0, right, cv2.BORDER_REFLECT)
        mask = cv2.copyMakeBorder(hole.astype(np.float32), 0, down, 0, right, cv2.BORDER_REFLECT)
        x = np.concatenate([mask[None], rgb.transpose(2, 0, 1)])[None].astype(np.float32)
        y = self.engine.run(torch.from_numpy(np.ascontiguousarray(x)))
        return y[0, :, :height, :width].clamp(0, 1).permute(1, 2, 0).contiguous().numpy()


def _resized(rgb: np.ndarray, hole: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Bring known pixels, and only those, to another size; a pixel with any of the hole in it belongs to the hole."""
    height, width = hole.shape
    if size == (width, height):
        return rgb, hole
    shrinks = size[0] < width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    known = (~hole).astype(np.float32)
    share = cv2.resize(known, size, interpolation=how)
    total = cv2.resize(rgb * known[..., None], size, interpolation=how)
    # Hole pixels must not leak into the known ones: they weigh nothing, and the rest is scaled up accordingly.
    mean = total / np.maximum(share, 1e-3)[..., None]
    new_hole = share < 0.75
    if not shrinks:
        near = cv2.dilate(hole.astype(np.uint8), np.ones((5, 5), np.uint8))
        near = cv2.resize(near, size, interpolation=cv2.INTER_NEAREST)[..., None]
        mean = np.where(near > 0, mean, cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC))
    if not new_hole.any():  # a hair that vanishes when the picture shrinks
        new_hole = share < 1
    return np.clip(mean, 0, 1), new_hole

"""Frames between two frames: by a network, or by dense optical flow without weights."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import Tensor

from imgfix.errors import ModelError
from imgfix.nets import motion
from imgfix.runtime.engine import Engine
from imgfix.tasks.alpha import bleed_alpha
from imgfix.tasks.upscale import quantised

FINEST = Fraction(1, 16)
"""A network that gives only the middle of two frames is asked again for halves of halves, down to this part."""
LARGEST = 1 << 21
"""Pixels of the largest frames whose optical flow is searched at full size; larger ones are made smaller for it."""


class Between(Protocol):
    """Makes the frame that lies a part of the way from one frame to the next."""

    @property
    def name(self) -> str:
        """Of the model or the method."""

    @property
    def sha256(self) -> str:
        """Of the model's weights; of a method its name."""

    @property
    def fills_cpu(self) -> bool:
        """Whether it keeps all cores of the processor busy."""

    def made(self, before: np.ndarray, after: np.ndarray, places: list[Fraction]) -> list[np.ndarray]:
        """The frames at some places between two frames.

        Args:
            before, after: (H, W, 3), or (H, W, 4) with alpha last, uint8 or uint16.
            places: between 0 (before) and 1 (after), increasing.

        Returns:
            Frames like the two. At 0 and 1 those themselves.
        """
        ...

    def seconds(self, width: int, height: int) -> float:
        """What one frame takes, roughly; measured the first time."""
        ...


class ByNetwork:
    """By a network that makes the middle of two frames, and for other places the middle of middles.

    Raises ModelError: the model does something else.
    """

    def __init__(self, engine: Engine) -> None:
        if engine.descriptor.task != "interpolate" or engine.descriptor.frames != 2:
            raise ModelError(
                f"{engine.descriptor.name} makes no frames between two frames",
                hint="leave `smooth_model` out, or name flow",
            )
        self.engine = engine
        self.name, self.sha256 = engine.descriptor.name, engine.descriptor.sha256
        self._seconds_per_pixel: float | None = None

    @property
    def fills_cpu(self) -> bool:
        """See `Between.fills_cpu`."""
        return self.engine.placement.on_cpu

    def made(self, before: np.ndarray, after: np.ndarray, places: list[Fraction]) -> list[np.ndarray]:
        """See `Between.made`; places are taken to the nearest sixteenth."""
        known = {Fraction(0): before, Fraction(1): after}
        return [self._at(snapped(place), known) for place in places]

    def _at(self, place: Fraction, known: dict[Fraction, np.ndarray]) -> np.ndarray:
        if place not in known:
            step = Fraction(1, place.denominator)  # a half's neighbours are 0 and 1, a quarter's 0 and a half
            known[place] = self._middle(self._at(place - step, known), self._at(place + step, known))
        return known[place]

    def _middle(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        pair = torch.cat([_tensor(before), _tensor(after)], dim=1)
        made = self._run(pair)
        pixels = quantised(np.ascontiguousarray(made[0].permute(1, 2, 0).numpy()), before.dtype)
        if before.shape[2] == 3:
            return pixels
        alphas = before[..., 3], after[..., 3]
        if np.array_equal(*alphas):
            return np.dstack([pixels, before[..., 3]])
        top = np.float32(np.iinfo(before.dtype).max)
        shapes = torch.cat([torch.from_numpy(alpha / top)[None, None].expand(1, 3, -1, -1) for alpha in alphas], dim=1)
        alpha = quantised(self._run(shapes)[0].mean(dim=0).numpy(), before.dtype)
        return np.dstack([pixels, alpha])

    def _run(self, pair: Tensor) -> Tensor:
        return self.engine.run(pair.contiguous()).cpu()

    def seconds(self, width: int, height: int) -> float:
        """See `Between.seconds`."""
        return self.engine.cost.seconds_per_pixel * width * height


class ByFlow:
    """By dense optical flow in both directions, without a network.

    The flow at a moment between two frames is put together from that between the frames, as by Jiang et al., "Super
    SloMo" (CVPR 2018), arXiv 1712.00080, equation 4. Where the two moved frames differ, the nearer in time counts more,
    and of two places one is trusted less the less the flows there agree.
    """

    name = sha256 = "flow"
    fills_cpu = True
    _TRUST = 2.0
    """Pixels of disagreement at which a flow's word counts about a third."""
    _LEAST = 0.05
    """What it counts at least: where neither can be trusted, both are mixed by their distance in time."""
    _SOFT = 2.0
    """Pixels over which one frame fades into the other."""

    def made(self, before: np.ndarray, after: np.ndarray, places: list[Fraction]) -> list[np.ndarray]:
        """See `Between.made`."""
        inner = [place for place in places if 0 < place < 1]
        there = back = np.zeros((0, 0, 2), np.float32)
        if inner:
            there, back = self._flows(before, after)
        frames = _visible(before).astype(np.float32), _visible(after).astype(np.float32)
        return [
            before
            if place <= 0
            else after
            if place >= 1
            else self._one(*frames, there, back, float(place), before.dtype)
            for place in places
        ]

    def _flows(self, before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        height, width = before.shape[:2]
        share = min(1.0, math.sqrt(LARGEST / (height * width)))
        size = max(32, round(width * share)), max(32, round(height * share))
        small = [_luma(frame, size) for frame in (before, after)]
        flows = []
        for first, second in (small, small[::-1]):
            flow = motion.dense_inverse_search(first, second, fine=True)
            if size != (width, height):
                ratio = np.array([width / size[0], height / size[1]], np.float32)
                flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR) * ratio
            flows.append(flow)
        return flows[0], flows[1]

    def _one(
        self, before: np.ndarray, after: np.ndarray, there: np.ndarray, back: np.ndarray, t: float, kind: np.dtype
    ) -> np.ndarray:
        to_before = t * t * back - (1 - t) * t * there
        to_after = (1 - t) * (1 - t) * there - t * (1 - t) * back
        seen = motion.fetch(before, to_before), motion.fetch(after, to_after)
        # A pixel that is seen in both frames comes back to where it was by the other frame's flow.
        doubts = (
            motion.fetch(there, to_before) * t + to_before,
            motion.fetch(back, to_after) * (1 - t) + to_after,
        )
        trust = [
            cv2.GaussianBlur(np.exp(-np.linalg.norm(doubt, axis=2) / self._TRUST) + self._LEAST, (0, 0), self._SOFT)
            for doubt in doubts
        ]
        first, second = (1 - t) * trust[0], t * trust[1]
        share = (first / (first + second))[..., None]
        top = np.float32(np.iinfo(kind).max)
        return quantised((seen[0] * share + seen[1] * (1 - share)) / top, kind)

    def seconds(self, width: int, height: int) -> float:
        """See `Between.seconds`."""
        return 4e-7 * width * height


def snapped(place: Fraction) -> Fraction:
    """The nearest multiple of `FINEST`."""
    return Fraction(round(place / FINEST)) * FINEST


def _luma(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3|4) of any integer type -> uint8 (h, w)."""
    colours = frame[..., :3] if frame.dtype == np.uint8 else (frame[..., :3] >> 8).astype(np.uint8)
    grey = cv2.cvtColor(np.ascontiguousarray(colours), cv2.COLOR_RGB2GRAY)
    return grey if (grey.shape[1], grey.shape[0]) == size else cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def _tensor(frame: np.ndarray) -> Tensor:
    """(H, W, 3|4) to (1, 3, H, W) in [0, 1]; hidden colours are replaced by visible ones nearby."""
    colours = _visible(frame)[..., :3]
    values = colours.astype(np.float32) / np.float32(np.iinfo(frame.dtype).max)
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))[None]


def _visible(frame: np.ndarray) -> np.ndarray:
    """The same with hidden colours replaced by visible ones nearby; alpha stays."""
    if frame.shape[2] == 3:
        return frame
    colours, alpha = np.ascontiguousarray(frame[..., :3]), np.ascontiguousarray(frame[..., 3])
    return np.dstack([bleed_alpha(colours, alpha), alpha])

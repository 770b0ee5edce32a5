"""RIFE: the frame in the middle of two frames, by intermediate flow."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.flow import warp

MULTIPLE = 32
"""Sides of what motion is estimated on: the coarsest pass works at an eighth, and halves that twice."""
LARGEST = 1 << 21
"""Pixels of the largest frames whose motion is estimated at full size; larger ones are made smaller for it."""
FAST = 64.0
"""Pixels of motion, as the first look at an eighth finds it, from which everything begins at an eighth."""


def _layer(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.PReLU(outputs))


def _head(features: int, outputs: int) -> nn.Sequential:
    """Four times larger again."""
    half = features // 2
    return nn.Sequential(
        nn.ConvTranspose2d(features, half, 4, 2, 1), nn.PReLU(half), nn.ConvTranspose2d(half, outputs, 4, 2, 1)
    )


class MotionBlock(nn.Module):
    """One look at two frames that were moved onto their middle: what is still missing of motion and mask.

    Shapes: both moved frames and the mask so far (N, 7, H, W), the motion so far (N, 4, H, W) to what has to be added
    to the motion (N, 4, H, W), in pixels, and to the mask (N, 1, H, W).
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.shrink = nn.Sequential(_layer(11, features // 2, 2), _layer(features // 2, features, 2))
        self.trunk = nn.ModuleList(
            nn.Sequential(_layer(features, features), _layer(features, features)) for _ in range(4)
        )
        self.motion = _head(features, 4)
        self.mask = _head(features, 1)

    def forward(self, seen: Tensor, motion: Tensor, reduction: int) -> tuple[Tensor, Tensor]:
        small = _resized(torch.cat((seen, motion / reduction), dim=1), 1 / reduction)
        found = self.shrink(small)
        for pair in self.trunk:
            found = pair(found) + found
        return (
            _resized(self.motion(found).float(), reduction) * reduction,
            _resized(self.mask(found).float(), reduction),
        )


class RIFE(nn.Module):
    """The frame in the middle of two frames.

    Huang, Zhang, Heng, Shi, Zhou, "Real-Time Intermediate Flow Estimation for Video Frame Interpolation" (ECCV 2022),
    arXiv 2011.06294; the network of the authors' version 3.8, code and weights MIT. Parameters: 2.3 M. Receptive
    field: the whole frame, for how fast anything moves decides at which size everything is looked at first.

    Three blocks estimate, from coarse to fine, the motion from the middle to either frame and a mask that says which
    of them to trust; each sees the frames moved by what is known so far.

    Shapes: two frames (N, 6, H, W) in [0, 1] to (N, 3, H, W), between the smallest and the largest of their values.
    Sides: multiples of 32.

    Args:
        features: channels inside.
    """

    def __init__(self, features: int = 90) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(MotionBlock(features) for _ in range(3))

    def forward(self, pair: Tensor) -> Tensor:
        height, width = pair.shape[-2:]
        size = working_size(height, width)
        if size == (height, width):
            motion, mask = self.estimate(pair)
        else:
            motion, mask = self.estimate(F.interpolate(pair, size, mode="area"))
            motion = F.interpolate(motion, (height, width), mode="bilinear", align_corners=False)
            across, down = width / size[1], height / size[0]
            motion = motion * motion.new_tensor([across, down, across, down])[:, None, None]
            mask = F.interpolate(mask, (height, width), mode="bilinear", align_corners=False)
        before, after = _moved(pair, motion)
        return torch.lerp(after, before, mask)

    def estimate(self, pair: Tensor) -> tuple[Tensor, Tensor]:
        """Motion from the middle to both frames, (N, 4, H, W) in pixels, and the share of the first, (N, 1, H, W)."""
        motion, mask = torch.zeros_like(pair[:, :4]), torch.zeros_like(pair[:, :1])
        first_look, _ = self.blocks[0](torch.cat((pair, mask), dim=1), motion, 8)
        coarsest = 8 if float(first_look.abs().max()) > FAST else 4
        seen = (pair[:, :3], pair[:, 3:])
        for number, block in enumerate(self.blocks):
            more_motion, more_mask = block(torch.cat((*seen, mask), dim=1), motion, coarsest >> number)
            motion, mask = motion + more_motion, mask + more_mask
            if number < 2:
                seen = _moved(pair, motion)
        return motion, torch.sigmoid(mask)


def working_size(height: int, width: int) -> tuple[int, int]:
    """Height and width at which the motion of frames of that size is estimated; sides are multiples of 32."""
    share = math.sqrt(LARGEST / (height * width))
    if share >= 1:
        return height, width
    fitted = [max(MULTIPLE, round(side * share / MULTIPLE) * MULTIPLE) for side in (height, width)]
    return fitted[0], fitted[1]


def _moved(pair: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
    """Both frames as they lie in the middle."""
    return tuple(  # type: ignore[return-value]
        warp(frame, flow, border="border")
        for frame, flow in ((pair[:, :3], motion[:, :2]), (pair[:, 3:], motion[:, 2:]))
    )


def _resized(x: Tensor, factor: float) -> Tensor:
    return x if factor == 1 else F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)

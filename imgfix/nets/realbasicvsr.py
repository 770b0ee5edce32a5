"""RealBasicVSR: a BasicVSR behind a network that cleans the frames first, for clips as they are."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.basicvsr import BasicVSR, ResidualBlock


class Cleaner(nn.Module):
    """What has to be added to a frame for noise and compression to go; (N, 3, H, W) in and out."""

    def __init__(self, features: int, blocks: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, features, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(features) for _ in range(blocks)))
        self.last = nn.Conv2d(features, 3, 3, padding=1)

    def forward(self, frame: Tensor) -> Tensor:
        return self.last(self.blocks(F.leaky_relu(self.first(frame), 0.1)))


class RealBasicVSR(BasicVSR):
    """Upscales a clip x4, with whatever damage it has.

    Chan, Zhou, Xu, Loy, "Investigating Tradeoffs in Real-World Video Super-Resolution" (2021), arXiv 2111.12704; code
    and weights Apache-2.0. Parameters: 6.3 M with 64 features and 20 blocks each for cleaning and for both directions.
    Receptive field: without bound in time, and so in space.

    Shapes: (N, T, 3, H, W) in [0, 1] to (N, T, 3, 4 H, 4 W), not clipped. Any size; the motion is best from 32 x 32.

    Args:
        features: channels inside.
        blocks: residual blocks of each direction.
        cleaning: residual blocks of the network before them.
        cleanings: how often each frame is cleaned; once, as published. (The authors may clean a clip up to three times
            while its mean change is large; a fixed number does the same to every tile and every frame.)
    """

    def __init__(self, features: int = 64, blocks: int = 20, cleaning: int = 20, cleanings: int = 1) -> None:
        super().__init__(features, blocks)
        self.cleaner = Cleaner(features, cleaning)
        self.cleanings = cleanings

    def forward(self, frames: Tensor) -> Tensor:
        return super().forward(torch.stack([self.clean(frame) for frame in frames.unbind(1)], dim=1))

    def clean(self, frame: Tensor) -> Tensor:
        """A frame as the steps want it: (N, 3, H, W) to the same."""
        for _ in range(self.cleanings):
            frame = frame + self.cleaner(frame).to(frame.dtype)
        return frame

"""BasicVSR: video super-resolution that carries features through a clip in both directions along the motion."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.convolution import Convolution
from imgfix.nets.flow import SPyNet, warp


class ResidualBlock(nn.Module):
    """Two convolutions around a ReLU, added to their input; (N, C, H, W) to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = Convolution(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.conv1(x, slope=0.0))


class Trunk(nn.Module):
    """A convolution and residual blocks; (N, C + 3, H, W) of a frame and the features carried to it to (N, C, H, W)."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels + 3, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))

    def forward(self, frame: Tensor, carried: Tensor) -> Tensor:
        return self.blocks(F.leaky_relu(self.first(torch.cat((frame, carried), dim=1)), 0.1))


class BasicVSR(nn.Module):
    """Upscales a clip x4.

    Chan, Wang, Yu, Dong & Loy, "BasicVSR: The Search for Essential Components in Video Super-Resolution and Beyond"
    (2021), arXiv 2012.02181. Parameters: 6.3 M with 64 features and 30 blocks, SPyNet's 1.4 M among them.
    Receptive field: without bound in time, and so in space.

    Shapes: (N, T, 3, H, W) in [0, 1] to (N, T, 3, 4 H, 4 W), not clipped. Any size; the motion is best from 32 x 32.
    """

    def __init__(self, features: int = 64, blocks: int = 30) -> None:
        super().__init__()
        self.features = features
        self.flow = SPyNet(6)
        self.backward_trunk = Trunk(features, blocks)
        self.forward_trunk = Trunk(features, blocks)
        self.fusion = nn.Conv2d(2 * features, features, 1)
        self.upconv1 = nn.Conv2d(features, 4 * features, 3, padding=1)
        self.upconv2 = nn.Conv2d(features, 4 * 64, 3, padding=1)
        self.conv_hr = nn.Conv2d(64, 64, 3, padding=1)
        self.conv_last = nn.Conv2d(64, 3, 3, padding=1)

    def forward(self, frames: Tensor) -> Tensor:
        clip = frames.unbind(1)
        later: list[Tensor] = []
        for index in range(len(clip) - 1, -1, -1):
            after = clip[index + 1] if later else None
            later.append(self.backward_step(clip[index], after, later[-1] if later else None))
        earlier: Tensor | None = None
        results = []
        for index, frame in enumerate(clip):
            earlier = self.forward_step(frame, clip[index - 1] if index else None, earlier)
            results.append(self.enlarge(frame, later.pop(), earlier))
        return torch.stack(results, dim=1)

    def backward_step(self, frame: Tensor, after: Tensor | None, carried: Tensor | None) -> Tensor:
        """What a frame learns from those after it.

        Args:
            frame: (N, 3, H, W).
            after: the frame after it, `None` at the last.
            carried: (N, C, H, W), what that frame learned, `None` at the last.

        Returns:
            (N, C, H, W).
        """
        return self.backward_trunk(frame, self._carried(frame, after, carried))

    def forward_step(self, frame: Tensor, before: Tensor | None, carried: Tensor | None) -> Tensor:
        """What a frame learns from those before it; as `backward_step`."""
        return self.forward_trunk(frame, self._carried(frame, before, carried))

    def enlarge(self, frame: Tensor, later: Tensor, earlier: Tensor) -> Tensor:
        """The upscaled frame: (N, 3, H, W) and its two features (N, C, H, W) to (N, 3, 4 H, 4 W)."""
        x = F.leaky_relu(self.fusion(torch.cat((later, earlier), dim=1)), 0.1)
        x = F.leaky_relu(F.pixel_shuffle(self.upconv1(x), 2), 0.1)
        x = F.leaky_relu(F.pixel_shuffle(self.upconv2(x), 2), 0.1)
        x = self.conv_last(F.leaky_relu(self.conv_hr(x), 0.1))
        return x + F.interpolate(frame, scale_factor=4, mode="bilinear", align_corners=False).to(x.dtype)

    def _carried(self, frame: Tensor, other: Tensor | None, features: Tensor | None) -> Tensor:
        if other is None or features is None:
            height, width = frame.shape[-2:]
            return frame.new_zeros(frame.shape[0], self.features, height, width)
        # The flow keeps fp32 where layers are cast down: off by half a pixel, the other frames bring nothing.
        with torch.autocast(frame.device.type, enabled=False):
            return warp(features.float(), self.flow(frame.float(), other.float())).to(features.dtype)

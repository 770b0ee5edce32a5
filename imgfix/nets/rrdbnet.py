"""RRDBNet, the generator of ESRGAN and Real-ESRGAN."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgfix.nets.convolution import Convolution

SLOPE = 0.2
RESIDUAL = 0.2


class ResidualDenseBlock(nn.Module):
    """Five 3x3 convolutions, each fed with the outputs of all before it; (N, F, H, W) in and out."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.conv1 = Convolution(features, growth, 3, padding=1)
        self.conv2 = Convolution(features + growth, growth, 3, padding=1)
        self.conv3 = Convolution(features + 2 * growth, growth, 3, padding=1)
        self.conv4 = Convolution(features + 3 * growth, growth, 3, padding=1)
        self.conv5 = nn.Conv2d(features + 4 * growth, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x1 = self.conv1(x, slope=SLOPE)
        x2 = self.conv2(torch.cat((x, x1), 1), slope=SLOPE)
        x3 = self.conv3(torch.cat((x, x1, x2), 1), slope=SLOPE)
        x4 = self.conv4(torch.cat((x, x1, x2, x3), 1), slope=SLOPE)
        x5 = self.conv5(torch.cat((x, x1, x2, x3, x4), 1))
        return torch.add(x, x5, alpha=RESIDUAL)


class RRDB(nn.Module):
    """Three dense blocks inside one more residual connection; (N, F, H, W) in and out."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = ResidualDenseBlock(features, growth)
        self.rdb2 = ResidualDenseBlock(features, growth)
        self.rdb3 = ResidualDenseBlock(features, growth)

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.rdb3(self.rdb2(self.rdb1(x))), alpha=RESIDUAL)


class RRDBNet(nn.Module):
    """Residual-in-residual dense network for super-resolution.

    Input (N, C, H, W) in [0, 1], output (N, C', s*H, s*W), about [0, 1], not clipped; s = 2 ** upsamples / unshuffle.
    With `unshuffle` u > 1 the picture is first folded into u*u times as many channels, so H and W must be multiples of
    u and the body works at 1/u of the resolution: that is how the x2 and x1 models of Real-ESRGAN are made.

    Sources: Wang et al., "ESRGAN", 2018, arXiv 1809.00219; "Real-ESRGAN", 2021, arXiv 2107.10833 (code and weights
    BSD-3-Clause). 16.7 M parameters with 23 blocks, 4.5 M with 6. Receptive field: 349 pixels on each side at x4 with
    23 blocks, 94 with 6 (what is left of it beyond 32 is far below a grey level).
    """

    def __init__(
        self,
        *,
        upsamples: int = 2,
        unshuffle: int = 1,
        features: int = 64,
        blocks: int = 23,
        growth: int = 32,
        in_channels: int = 3,
        out_channels: int = 3,
    ) -> None:
        super().__init__()
        self.unshuffle = unshuffle
        self.upsamples = upsamples
        self.conv_first = nn.Conv2d(in_channels * unshuffle**2, features, 3, padding=1)
        self.body = nn.Sequential(*(RRDB(features, growth) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(features, features, 3, padding=1)
        for stage in range(1, upsamples + 1):
            self.add_module(f"conv_up{stage}", Convolution(features, features, 3, padding=1))
        self.conv_hr = Convolution(features, features, 3, padding=1)
        self.conv_last = nn.Conv2d(features, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        if self.unshuffle > 1:
            x = F.pixel_unshuffle(x, self.unshuffle)
        first = self.conv_first(x)
        x = first + self.conv_body(self.body(first))
        for stage in range(1, self.upsamples + 1):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = self.get_submodule(f"conv_up{stage}")(x, slope=SLOPE)
        x = self.conv_hr(x, slope=SLOPE)
        return self.conv_last(x)
